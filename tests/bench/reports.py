"""A day of DMARC reports: what counting costs, the store, all reports; and a sample with Mail::DMARC and SQLite, and with
opendmarc and MariaDB."""
import os
import re
import shutil
import subprocess
import tempfile

from figures import wanted

DAY = ("10000000", "1000000", "50000")  # messages, rows, domains
QUICK = ("1000000", "100000", "5000")
SAMPLE = ("400", "100", "20")
PEERS = {"Mail::DMARC with SQLite": ("perl", "mail-dmarc.pl"),
         "opendmarc-import and opendmarc-reports with MariaDB": ("python3", "opendmarc-reports.py")}
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


def peer(bench, name, *command):
    """Seconds of processor time of another program for the sample, or None."""
    here = os.path.dirname(os.path.abspath(__file__))
    if not shutil.which(command[0]):
        bench.skip(name, f"{command[0]} is not installed")
        return None
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([command[0], os.path.join(here, "peers", command[1]), directory, *SAMPLE], capture_output=True, text=True,
                              check=False, timeout=3600)
    if done.returncode != 0:
        bench.skip(name, done.stderr.strip().splitlines()[0] if done.stderr else "it does not run")
        return None
    stored, made, reports, rows = done.stdout.split()
    if reports != SAMPLE[2] or rows not in SAMPLE[:2]:  # opendmarc-reports writes a row for each message
        raise RuntimeError(f"{name} made {reports} reports with {rows} rows")
    return float(stored), float(made)


def compare(bench):
    """The sample, by us and by the others."""
    others = {name: peer(bench, name, *command) for name, command in PEERS.items()}
    if not any(others.values()):
        return
    _, ours = measured(bench, *SAMPLE)
    own = ours["counted"] + ours["made"]
    bench.say(f"{SAMPLE[0]} messages in {SAMPLE[1]} rows over {SAMPLE[2]} domains: stored and reported in {1000 * own:.1f} ms of "
              "processor time")
    for name, seconds in others.items():
        if seconds:
            factor = sum(seconds) / own
            bench.say(f"  {name} {1000 * sum(seconds):.0f} ms: {factor:.0f} times {wanted(f'{FASTER} times', factor >= FASTER)}")
    bench.numbers["reports"].update(sample=ours, peers=others)


def reports(bench):
    """a day of DMARC reports: ten million messages in a million rows over 50,000 domains; a sample beside Mail::DMARC and opendmarc"""
    text, day = measured(bench, *(QUICK if bench.quick else DAY))
    bench.say("\n" + text.rstrip())
    bench.say(" ".join([
        wanted(f"{FILE_MB} MB of the disk", day["file"] <= FILE_MB), wanted(f"all reports in {MAKE_S} s", day["made"] <= MAKE_S),
        wanted(f"{MEMORY_MB} MB of memory", day["memory"] <= MEMORY_MB), wanted(f"{COUNT_US} us a message", day["count"] <= COUNT_US),
        wanted("none lost", day["lost"] == 0)]))
    bench.numbers["reports"] = {"day": day}
    compare(bench)
