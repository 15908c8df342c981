"""A limit for each sender: Sekisho beside postfwd, which decides nothing else.

Both are asked in Postfix's policy protocol, over TCP, by the same client (requests.c), in turns. Sekisho writes what it
counts to a file, postfwd counts in memory. A line more says how many whole messages Sekisho takes by the milter protocol.
"""
import json
import os
import signal
import socket
import subprocess

from figures import median, ratio, spread, wanted
from subjects import TICK, Missing, Subject, need, stat, tree
from world import wait_for

TARGET = 20      # times the requests per second of postfwd
CONNECTIONS = 8
SENDERS = 1000
PORT, CACHE_PORT, OUR_PORT = 10040, 10043, 10041
POLICY = """\
authserv-id mx.example.org
listen unix:{socket} mode 0666
listen policy inet:{port}@127.0.0.1
control {run}/limits.control
log off
authentication-results off
store lmdb:{run}/limits.store
limit hourly {{ key sender  count messages  hard 1000000  per 1h }}
policy inbound {{ on mail {{ defer 450 4.7.1 "too many"  if limit("hourly") is over }} }}
"""

class Postfwd:
    """The program goes into the background by itself; its processes are found by its file."""

    def __init__(self, bench, program):
        self.pidfile = os.path.join(bench.run_dir, program + ".pid")
        command = [need(program, "postfwd"), "-d", "-n", "-f", bench.house.conf("postfwd.cf"), "-i", "127.0.0.1", "-p", str(PORT),
                   "-u", "root", "-g", "root", "--pidfile", self.pidfile]
        if program == "postfwd2":
            command += ["--cache_socket", f"tcp:127.0.0.1:{CACHE_PORT}"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        wait_for(self.listens, program, 10)
        with open(self.pidfile) as f:
            self.pid = int(f.read())

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
            return os.path.exists(self.pidfile)
        except OSError:
            return False

    def cpu(self):
        return sum(sum(map(int, stat(pid)[11:13])) for pid in tree(self.pid)) / TICK

    def stop(self):
        for pid in tree(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def asked(bench, subject, port, requests):
    """One run: requests over so many connections at once; and the processor time of the server for a thousand."""
    before = subject.cpu()
    command = [os.path.join(bench.build, "tests/bench/requests"), "-c", str(CONNECTIONS), "-n", str(requests), "-s", str(SENDERS),
               str(port)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr.strip()[-200:])
    run = json.loads(ran.stdout)
    return {**run, "cpu": 1000 * (subject.cpu() - before) / run["messages"]}


def sekisho(bench):
    path = os.path.join(bench.run_dir, "limits.conf")
    where = bench.house.socket("limits")
    with open(path, "w") as f:
        f.write(POLICY.format(socket=where, port=OUR_PORT, run=bench.run_dir))
    command = [bench.house.program, "daemon", "-c", path]
    return Subject("sekisho", [], [bench.house.process("limits", command, where)])


def beside(bench, subject, program):
    """Runs in turns: those of Sekisho and of the other."""
    other = Postfwd(bench, program)
    try:
        asked(bench, subject, OUR_PORT, 400)
        asked(bench, other, PORT, 400)
        ours, theirs = [], []
        for _ in range(bench.rounds):
            ours.append(asked(bench, subject, OUR_PORT, 20000))
            theirs.append(asked(bench, other, PORT, 800))
    finally:
        other.stop()
    return ours, theirs


def line(bench, name, runs, more=""):
    bench.say(f"{name:40}|{median(runs, 'rate'):8.0f} ±{spread([run['rate'] for run in runs]):6.0f} {median(runs, 'p50'):9.0f} "
              f"{median(runs, 'cpu'):12.3f} | {more}")


def show(bench, program, ours, theirs):
    value, wide = ratio(ours, theirs)
    dearer, _ = ratio(theirs, ours, "cpu")
    line(bench, "sekisho", ours)
    line(bench, program, theirs, f"{value:.1f} ±{wide:.1f} {wanted(f'≥ {TARGET}', value >= TARGET)}, "
         f"at {dearer:.1f} times less processor time")


def whole_messages(bench, subject):
    bench.load(subject, messages=400, p=100)
    runs = [bench.load(subject, messages=4000, connections=CONNECTIONS, p=100) for _ in range(bench.rounds)]
    bench.numbers["limits"]["milter"] = runs
    line(bench, "sekisho, whole messages by milter", runs)


def limits(bench):
    """A limit for each sender, beside postfwd (with --quick postfwd1 alone)."""
    bench.numbers["limits"] = {}
    bench.say("\nlimits, asked by the policy protocol      |     1/s  spread    p50 us  CPU s/1000 | how many times as fast sekisho is")
    subject = sekisho(bench).ready()
    try:
        for program in ("postfwd1",) if bench.quick else ("postfwd1", "postfwd2"):
            try:
                ours, theirs = beside(bench, subject, program)
            except (Missing, RuntimeError, OSError) as error:
                bench.skip(program, error)
                continue
            bench.numbers["limits"][program] = {"sekisho": ours, program: theirs}
            show(bench, program, ours, theirs)
        whole_messages(bench, subject)
    finally:
        subject.stop()
