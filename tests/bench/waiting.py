"""What others notice while one session waits for DNS."""
import json
import os
import threading

from figures import odd, wanted
from world import IP, Dns

SLOW, WAIT_MS = "slow.example", 3000
LONGEST_MS = 10  # that a step of another session may take meanwhile


def slow_list(bench):
    """A list with one message, from a domain whose questions take long."""
    with open(bench.world.list("2k")) as f:
        file = f.readline().split()[0]
    bench.world.write("slow.list", f"{file} somebody@{SLOW} {IP} mail.{SLOW}\n")


def records_from(path, start):
    with open(path) as f:
        f.seek(start)
        found = [json.loads(line) for line in f]
    return [record for record in found if "verdict" in record]


def beside(bench, name, **options):
    """(records of the one that waited, of others that were done meanwhile, their runs)."""
    subject = bench.start_sekisho(name, "waiting", **options).ready()
    log, runs = os.path.join(bench.run_dir, "waiting.log"), []
    try:
        bench.load(subject, messages=400)
        start = os.path.getsize(log)
        thread = threading.Thread(target=lambda: bench.load(subject, "slow", messages=1, connections=1, words=[]))
        thread.start()
        while thread.is_alive():
            runs.append(bench.load(subject, messages=200))
        thread.join()
    finally:
        subject.stop()
    records = records_from(log, start)
    os.unlink(log)
    slow = [record for record in records if record["sender"].endswith(SLOW)]
    return slow, [record for record in records if record not in slow], runs


def waiting(bench):
    """The longest that other messages spend in the daemon while one session waits 3 s for DNS."""
    slow_list(bench)
    bench.dns.stop()
    bench.dns = Dns(bench.world, bench.run_dir, WAIT_MS, SLOW)
    try:
        for name, engine in (("sekisho", "libmilter"), ("sekisho, native", "native")):
            slow, others, runs = beside(bench, name, engine=engine)
            longest = max(record["total-us"] for record in others) / 1000
            bench.numbers.setdefault("waiting", {})[name] = {"messages": len(others), "longest_ms": longest, "runs": runs}
            bench.say(f"\n{name}: one session waits {slow[0]['dns-us'] / 1e6:.1f} s for DNS; meanwhile {len(others)} other messages, "
                      f"the longest {longest:.1f} ms in all its steps {wanted(f'≤ {LONGEST_MS} ms', longest <= LONGEST_MS)}{odd(runs)}")
    finally:
        bench.dns.stop()
        bench.dns = Dns(bench.world, bench.run_dir)
