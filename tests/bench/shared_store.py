"""A store in Redis: what a limit there costs beside a bare round trip to the server, and a message while it is dead."""
import os
import shutil
import socket
import subprocess

from figures import median, odd, wanted
from subjects import Missing
from world import wait_for

PORT, DEAD_PORT = 6393, 6394
ROUND_TRIPS = 1.15  # times a bare one, wanted of a limit
DEAD_US = 60        # wanted of a message, more than without the limit
SETTINGS = 'store {store}\nlimit hourly {{ key sender  count messages  hard 1000000  per 1h }}'
RULE = '    defer 450 4.7.1 "too many"  if limit("hourly") is over\n'


class Server:
    def __init__(self, bench):
        program = shutil.which("redis-server")
        if not program:
            raise Missing("redis-server is not installed (package redis-server)")
        self.directory = os.path.join(bench.run_dir, "redis")
        os.makedirs(self.directory)
        self.socket = os.path.join(self.directory, "redis.sock")
        self.process = subprocess.Popen(
            [program, "--bind", "127.0.0.1", "--port", str(PORT), "--unixsocket", self.socket, "--dir", self.directory, "--save", "",
             "--appendonly", "no", "--logfile", os.path.join(self.directory, "log")])
        wait_for(self.listens, "redis-server", 20)

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
            return os.path.exists(self.socket)
        except OSError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory)


def questions(bench, url):
    """Median times in microseconds: {way: us}."""
    ran = subprocess.run([os.path.join(bench.build, "tests/bench/bench_redis"), url], capture_output=True, text=True, timeout=300)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.strip()[-200:])
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    return {row[0]: float(row[1].split()[0]) for row in rows}


def show_questions(bench, where, found):
    bench.say(f"\n{'one question, ' + where:40}|      us  times PING, the smallest script, the least script of a limit")
    bare = [found[name] for name in ("PING", "the smallest script", "the least script of a limit")]
    for name, took in found.items():
        line = f"{name:40}|{took:8.1f} " + "".join(f"{took / other:8.2f}" for other in bare)
        if name == "one limit":
            line += " " + wanted(f"≤ {ROUND_TRIPS} times PING", took <= ROUND_TRIPS * bare[0])
            line += " " + wanted(f"≤ {ROUND_TRIPS} times the least script", took <= ROUND_TRIPS * bare[2])
        bench.say(line)


def with_store(bench, name, store):
    edit = None if store is None else lambda text: text.replace("  on mail {\n", "  on mail {\n" + RULE, 1)
    options = {} if store is None else {"settings": SETTINGS.format(store=store), "edit": edit}
    return bench.start_sekisho(name, name.replace(" ", "-").replace(",", ""), engine="native", log="off", **options)


def messages(bench):
    makers = [(name, lambda name=name, store=store: with_store(bench, name, store)) for name, store in (
        ("without a limit", None), ("limit, in memory", "memory:"), ("limit, Redis", f"redis://127.0.0.1:{PORT}/0"),
        ("limit, Redis is dead", f"redis://127.0.0.1:{DEAD_PORT}/0"))]
    subjects = list(bench.start(makers).values())
    try:
        for subject in subjects:
            bench.load(subject, messages=400, connections=1)
        found = bench.rounds_of(subjects, "2k", connections=1)
    finally:
        for subject in subjects:
            subject.stop()
    bench.numbers["redis"]["messages"] = found
    bench.say(f"\n{'2 KB messages, one after the other':40}|  p50 us  CPU us   more than without: us, CPU us")
    base = found["without a limit"]
    for name, runs in found.items():
        slower = median([{"d": a["p50"] - b["p50"]} for a, b in zip(runs, base)], "d")
        dearer = median([{"d": 1000 * (a["cpu"] - b["cpu"])} for a, b in zip(runs, base)], "d")
        line = f"{name:40}|{median(runs, 'p50'):8.0f}{1000 * median(runs, 'cpu'):8.0f} {'':19}{slower:8.1f}{dearer:8.1f}"
        bench.say(line + (" " + wanted(f"≤ {DEAD_US} us", slower <= DEAD_US) if "dead" in name else "") + odd(runs))


def shared_store(bench):
    """A limit in Redis beside a bare round trip, and messages while Redis is dead."""
    server = Server(bench)
    bench.numbers["redis"] = {}
    try:
        for where, url in (("unix socket", f"redis+unix://{server.socket}"), ("TCP", f"redis://127.0.0.1:{PORT}")):
            bench.numbers["redis"][where] = found = questions(bench, url)
            show_questions(bench, where, found)
        messages(bench)
    finally:
        server.stop()
