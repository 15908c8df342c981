"""What a user feels: the same messages through a real Postfix, with and without each milter.

One Postfix with a port for each milter, so that they take turns like all others. Each message has a connection of its
own: pyspf-milter (spf-engine 3.0.4) draws a number of 100000 for each message of a connection, and when one comes twice
it ends the message with a ValueError, which Postfix sees as a temporary failure.
"""
import os
import shutil
import smtplib
import statistics
import subprocess
import time

from figures import spread
from subjects import Missing, Subject
from world import wait_for

import postfix as mail_server  # of tests/system; world.py has said where that is

FIRST_PORT = 2601
MESSAGES = 200  # of a run, four at a time
ALONE = 15      # of a run, one after the other
SESSIONS = 4
SETTLES = 3     # seconds, after which what was under way is delivered
FILE = "2k-1"
SENDER, RECIPIENT, HELO = "somebody@d001.example", "user0@example.org", "mail.d001.example"


class Server(mail_server.Postfix):
    def __init__(self, directory, subjects):
        self.port_of = {subject.name: FIRST_PORT + n for n, subject in enumerate(subjects)}
        self.services = "".join(
            f"{self.port_of[subject.name]} inet n - n - - smtpd\n"
            f"  -o smtpd_milters={','.join('unix:' + socket for socket in subject.sockets)}\n" for subject in subjects)
        super().__init__(directory, "")

    def write(self, name, text):
        super().write(name, text + self.services if name == "conf/master.cf" else text)

    def take(self, count):
        """Waits until so many messages are delivered, and takes them away; one of them."""
        wait_for(lambda: len(os.listdir(self.inbox)) >= count, "the last delivery", 60)
        text = ""
        for name in os.listdir(self.inbox):
            with open(os.path.join(self.inbox, name), errors="replace") as f:
                text = f.read()
            os.unlink(os.path.join(self.inbox, name))
        return text


def send(server, subject, text_file):
    """Messages per second, four at a time."""
    command = ["smtp-source", "-s", str(SESSIONS), "-m", str(MESSAGES), "-F", text_file, "-M", HELO, "-f", SENDER,
               "-t", RECIPIENT, f"{server.address}:{server.port_of[subject.name]}"]
    start = time.monotonic()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    seconds = time.monotonic() - start
    if ran.returncode != 0:
        raise RuntimeError(f"behind Postfix messages fail: {ran.stderr.strip()[-200:]}")
    return MESSAGES / seconds


def send_alone(server, subject, text):
    """The times of messages that are alone, from the connection to the last reply, in ms."""
    times = []
    for _ in range(ALONE):
        start = time.monotonic()
        with smtplib.SMTP(server.address, server.port_of[subject.name], local_hostname=HELO, timeout=60) as client:
            client.sendmail(SENDER, [RECIPIENT], text)
            times.append(1000 * (time.monotonic() - start))
    return times


def works(bench, server, subject, text_file):
    try:
        send(server, subject, text_file)
        head = server.take(MESSAGES).partition("\n\n")[0]
        lacking = [word for word in subject.words if word not in head]
        if lacking:
            raise RuntimeError(f"behind Postfix what is delivered has no {lacking}: {head}")
    except (RuntimeError, subprocess.SubprocessError) as error:
        bench.skip(subject.name, error)
        return False
    return True


def run(server, subject, text_file, text):
    rate = send(server, subject, text_file)
    server.take(MESSAGES)
    times = send_alone(server, subject, text)
    server.take(ALONE)
    return {"rate": rate, "times": times, "ms": 1000 / rate, "p50": statistics.median(times)}


def rounds(bench, server, able, text_file, text):
    """In turns; a program that fails once is left out, with the reason."""
    found = {subject.name: [] for subject in able}
    for number in range(bench.rounds):
        for subject in able if number % 2 == 0 else able[::-1]:
            if subject.name not in found:
                continue
            try:
                found[subject.name].append(run(server, subject, text_file, text))
            except (RuntimeError, subprocess.SubprocessError, smtplib.SMTPException) as error:
                bench.skip(subject.name, error)
                del found[subject.name]
                time.sleep(SETTLES)
                server.take(0)
    return found


def show(bench, found):
    bench.say(f"\nthrough a real Postfix  | {SESSIONS} at a time: ms more per message than without a milter (spread), msg/s "
              "| alone: ms more (spread), p50 ms")
    base = found["no milter"]
    for name, runs in found.items():
        line = f"{name:24}|"
        for key, shown in (("ms", "rate"), ("p50", "p50")):
            more = [mine[key] - without[key] for mine, without in zip(runs, base)]
            line += (f"{statistics.median(more):8.2f} ±{spread(more):5.2f} "
                     f"{statistics.median(one[shown] for one in runs):8.1f} |")
        bench.say(line)


def through_postfix(bench):
    """Through a real Postfix, with and without each milter."""
    why = mail_server.Postfix.why_not()
    if why or not shutil.which("smtp-source"):
        raise Missing(why or "smtp-source is not installed (package postfix)")
    house = bench.house
    subjects = list(bench.start([
        ("no milter", lambda: Subject("no milter", [], [])), ("empty, limit", lambda: house.empty("limit")),
        ("sekisho", bench.start_sekisho), *bench.three(), ("rspamd, authentication", house.rspamd_auth),
        ("rspamd as installed", house.rspamd_full)]).values())
    with open(bench.world.path(FILE), "rb") as f:
        text = f.read()
    bench.world.write(FILE + ".lf", text.replace(b"\r\n", b"\n"))
    text_file = bench.world.path(FILE + ".lf")
    server = None
    try:
        for path in (socket for subject in subjects for socket in subject.sockets):
            os.chmod(path, 0o666)  # smtpd is another user
        server = Server(os.path.join(bench.space.root, "postfix"), subjects)
        able = [subject for subject in subjects if works(bench, server, subject, text_file)]
        found = rounds(bench, server, able, text_file, text)
    finally:
        if server:
            server.stop()
        for subject in subjects:
            subject.stop()
    bench.numbers["postfix"] = found
    if "no milter" not in found:
        raise RuntimeError("Postfix alone fails: there is nothing to compare with")
    show(bench, found)
