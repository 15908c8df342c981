"""Instructions of one 2 KB message: a number that does not depend on what else the machine does, and where they go."""
import os
import re
import shutil
import subprocess

from subjects import Missing

FEW, MANY = 40, 140  # messages; the difference is without start and end
SHOWN = 10
PASSED_ON = 0.97  # a function that spends nearly all of it in one other function is not listed


def run(bench, messages, engine):
    """The file in which callgrind says what so many messages took."""
    out = os.path.join(bench.out, f"callgrind.out.{engine}.{messages}")
    subject = bench.start_sekisho(engine=engine, prefix=["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]).ready()
    try:
        bench.load(subject, messages=messages, connections=2, mails="2k-one")
    finally:
        subject.processes[0].process.terminate()
        subject.processes[0].process.wait(timeout=60)
    return out


def total(path):
    with open(path) as f:
        return int(re.search(r"^(?:totals|summary):\s*(\d+)", f.read(), re.M).group(1))


def functions(path):
    """{function of ours: instructions, with those of what it calls}."""
    shown = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", path],
                           capture_output=True, text=True, check=True, timeout=60).stdout
    found = {}
    for cost, file, name in re.findall(r"^ *([\d,]+) \([ \d.]+%\) +(\S+):(\S+?)(?:'\d+)? \[\S*/sekisho\]$", shown, re.M):
        name = f"{os.path.basename(file)}:{name}"
        found[name] = max(found.get(name, 0), int(cost.replace(",", "")))
    return found


def dearest(few, many):
    """(instructions of one message, function), the most first; of a row that only passes on, the last."""
    rows = sorted(((cost - few.get(name, 0)) / (MANY - FEW), name) for name, cost in many.items())[::-1]
    kept = [row for row, following in zip(rows, rows[1:] + [(0, "")]) if following[0] < PASSED_ON * row[0]]
    return kept[:SHOWN]


def callgrind(bench):
    """Instructions of one 2 KB message, and the functions that take them."""
    for program in ("valgrind", "callgrind_annotate"):
        if not shutil.which(program):
            raise Missing(f"{program} is not installed (package valgrind)")
    for engine in ("libmilter", "native"):
        show(bench, engine, run(bench, FEW, engine), run(bench, MANY, engine))


def show(bench, engine, few, many):
    each = (total(many) - total(few)) / (MANY - FEW)
    rows = dearest(functions(few), functions(many))
    bench.numbers.setdefault("callgrind", {})[engine] = {"instructions": each, "functions": {name: cost for cost, name in rows}}
    bench.say(f"\none 2 KB message, {engine}, everything known to the resolver: {each:.0f} instructions; with what they call:")
    for cost, name in rows:
        bench.say(f"{cost:12.0f} {100 * cost / each:5.1f} %  {name}")
    bench.say(f"(all of them: callgrind_annotate --inclusive=yes {many})")
