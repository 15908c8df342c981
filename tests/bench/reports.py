"""A day of DMARC reports: what counting costs, the store, all reports; and the same messages with Mail::DMARC and SQLite."""
import os
import re
import shutil
import subprocess
import tempfile

from figures import wanted

DAY = ("10000000", "1000000", "50000")  # messages, rows, domains
QUICK = ("1000000", "100000", "5000")
SAMPLE = ("400", "100", "20")
FILE_MB, MAKE_S, MEMORY_MB, COUNT_US, FASTER = 300, 60, 100, 2, 50


def measured(bench, *sizes):
    """What bench_reports says, as text and as numbers."""
    program = os.path.join(bench.build, "tests/bench/bench_reports")
    text = subprocess.run([program, *sizes], capture_output=True, text=True, check=True, timeout=3600).stdout
    return text, {
        "counted": float(re.search(r"counted and stored in .*?, ([0-9.]+) s of processor", text)[1]),
        "lost": int(re.search(r"; (\d+) lost", text)[1]),
        "file": float(re.search(r"takes ([0-9.]+) MB of the disk", text)[1]),
        "made": float(re.search(r"made in .*?, ([0-9.]+) s of processor", text)[1]),
        "memory": float(re.search(r"memory at most ([0-9.]+) MB", text)[1]),
        "count": float(re.search(r"makes a new row ([0-9.]+) us", text)[1])}


def peer(bench):
    """Seconds of processor time of Mail::DMARC for the sample."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/mail-dmarc.pl")
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["perl", script, directory, *SAMPLE], capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode != 0 or not shutil.which("perl"):
        bench.skip("Mail::DMARC", done.stderr.strip().splitlines()[0] if done.stderr else "it does not run")
        return None
    stored, made, reports, rows = done.stdout.split()
    if (reports, rows) != (SAMPLE[2], SAMPLE[1]):
        raise RuntimeError(f"Mail::DMARC made {reports} reports with {rows} rows")
    return float(stored), float(made)


def reports(bench):
    """a day of DMARC reports: ten million messages in a million rows over 50,000 domains; a sample beside Mail::DMARC"""
    text, day = measured(bench, *(QUICK if bench.quick else DAY))
    bench.say("\n" + text.rstrip())
    bench.say(" ".join([
        wanted(f"{FILE_MB} MB of the disk", day["file"] <= FILE_MB), wanted(f"all reports in {MAKE_S} s", day["made"] <= MAKE_S),
        wanted(f"{MEMORY_MB} MB of memory", day["memory"] <= MEMORY_MB), wanted(f"{COUNT_US} us a message", day["count"] <= COUNT_US),
        wanted("none lost", day["lost"] == 0)]))
    bench.numbers["reports"] = {"day": day}
    other = peer(bench)
    if not other:
        return
    _, ours = measured(bench, *SAMPLE)
    factor = sum(other) / (ours["counted"] + ours["made"])
    bench.say(f"{SAMPLE[0]} messages in {SAMPLE[1]} rows over {SAMPLE[2]} domains: stored and reported in "
              f"{1000 * (ours['counted'] + ours['made']):.1f} ms of processor time; Mail::DMARC with SQLite {1000 * sum(other):.0f} ms: "
              f"{factor:.0f} times {wanted(f'{FASTER} times', factor >= FASTER)}")
    bench.numbers["reports"].update(sample=ours, peer=other)
