"""A limit for each sender: Sekisho beside postfwd, which decides nothing else and is asked by Postfix's policy protocol.

Sekisho gets whole messages by the milter protocol, and writes what it counts to a file; postfwd gets one request for each
and counts in memory. So Sekisho does more for each message, and the ratio is the least that it has.
"""
import os
import signal
import socket
import subprocess
import threading
import time

from figures import median, ratio, spread, wanted
from subjects import TICK, Missing, Subject, need, stat, tree
from world import wait_for

TARGET = 20      # times the messages per second of postfwd
CONNECTIONS = 8
SENDERS = 1000
PORT, CACHE_PORT = 10040, 10043
POLICY = """\
authserv-id mx.example.org
listen unix:{socket} mode 0666
control {run}/limits.control
log off
authentication-results off
store lmdb:{run}/limits.store
limit hourly {{ key sender  count messages  hard 1000000  per 1h }}
policy inbound {{ on mail {{ defer 450 4.7.1 "too many"  if limit("hourly") is over }} }}
"""
REQUEST = """\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
helo_name=mail.example.net
sender=user{number}@example.net
recipient=bob@example.org
client_address=203.0.113.9
client_name=mail.example.net
instance={instance}

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


def ask(connection, first, count, wrong):
    with socket.create_connection(("127.0.0.1", PORT)) as s, s.makefile("rb") as answers:
        for i in range(count):
            number = (first + i) % SENDERS
            s.sendall(REQUEST.format(number=number, instance=f"{connection}.{i}").encode())
            answer = answers.readline()
            if not answer.lower().startswith(b"action=dunno"):
                wrong.append(answer)
            answers.readline()


def asked(other, messages):
    """One run: requests over so many connections at once; and the processor time of the other for a thousand."""
    wrong, each, before = [], messages // CONNECTIONS, other.cpu()
    threads = [threading.Thread(target=ask, args=(i, i * each, each, wrong)) for i in range(CONNECTIONS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise RuntimeError(f"postfwd answered {wrong[0]}")
    return {"rate": each * CONNECTIONS / (time.monotonic() - began), "cpu": 1000 * (other.cpu() - before) / (each * CONNECTIONS)}


def sekisho(bench):
    path = os.path.join(bench.run_dir, "limits.conf")
    where = bench.house.socket("limits")
    with open(path, "w") as f:
        f.write(POLICY.format(socket=where, run=bench.run_dir))
    command = [bench.house.program, "daemon", "-c", path]
    return Subject("sekisho", [], [bench.house.process("limits", command, where)])


def beside(bench, subject, program):
    """Runs in turns: those of Sekisho and of the other."""
    other = Postfwd(bench, program)
    try:
        bench.load(subject, messages=400, p=100)
        asked(other, 400)
        ours, theirs = [], []
        for _ in range(bench.rounds):
            ours.append(bench.load(subject, messages=8000, connections=CONNECTIONS, p=100))
            theirs.append(asked(other, 800))
    finally:
        other.stop()
    return ours, theirs


def show(bench, program, ours, theirs):
    value, wide = ratio(ours, theirs)
    dearer, _ = ratio(theirs, ours, "cpu")
    for name, runs in (("sekisho", ours), (program, theirs)):
        compared = f"{value:.1f} ±{wide:.1f} {wanted(f'≥ {TARGET}', value >= TARGET)}, at {dearer:.1f} times less processor time"
        bench.say(f"{name:57}|{median(runs, 'rate'):8.0f} ±{spread([run['rate'] for run in runs]):6.0f} {median(runs, 'cpu'):12.3f} | "
                  + (compared if name == program else ""))


def limits(bench):
    """A limit for each sender, beside postfwd (with --quick postfwd1 alone)."""
    bench.say("\nlimits: whole messages for sekisho, requests for postfwd |   msg/s  spread   CPU s/1000 | how many times as fast sekisho is")
    subject = sekisho(bench).ready()
    try:
        for program in ("postfwd1",) if bench.quick else ("postfwd1", "postfwd2"):
            try:
                ours, theirs = beside(bench, subject, program)
            except (Missing, RuntimeError, OSError) as error:
                bench.skip(program, error)
                continue
            bench.numbers.setdefault("limits", {})[program] = {"sekisho": ours, program: theirs}
            show(bench, program, ours, theirs)
    finally:
        subject.stop()
