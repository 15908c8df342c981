#!/usr/bin/python3
"""A stand-in for qmail-queue that checks its contract, and qmail-smtpd's side of it.

As a program it is qmail-queue: it reads the message from descriptor 0 to its end, then the envelope from descriptor 1,
and keeps both as files in the directory QUEUE_DIRECTORY, made whole by a rename. It knows these exit codes of
qmail-queue(8): 11, 54, 91. What its caller does against the contract goes to the file `faults` there. QUEUE_EXIT makes it
end with another code, when it has read everything; QUEUE_EARLY, before that.

    done = Caller(directory).queue(message, "alice@pass.example.net", ["bob@example.org"])
    assert done.code == 0 and done.queued.envelope == ...
"""
import collections
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.abspath(__file__)
ADDRESS_MAX = 1002
RECEIVED = (b"Received: from %s (HELO %s) (%s)\n  by mx.example.org with %s; 27 Nov 2026 12:00:00 -0000\n")


# ---- qmail-queue -------------------------------------------------------------------------------


def fault(text):
    with open(os.path.join(os.environ["QUEUE_DIRECTORY"], "faults"), "a") as f:
        f.write(text + "\n")


def read_all(fd):
    parts = []
    while True:
        part = os.read(fd, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def check_descriptors():
    """Nothing but 0, 1 and 2 and what the caller of our caller handed over is open."""
    allowed = {0, 1, 2} | {int(fd) for fd in os.environ.get("QUEUE_DESCRIPTORS", "").split()}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue  # of the listing itself
        if int(name) not in allowed:
            fault(f"descriptor {name} is open: {target}")
    for fd in (0, 1):
        if not os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
            fault(f"descriptor {fd} is not a pipe")


def read_envelope():
    """(sender, recipients); ends with the code of the contract."""
    data = read_all(1)
    if not data.startswith(b"F"):
        sys.exit(91 if data else 54)
    parts = data.split(b"\0")
    if len(parts) < 3 or parts[-1] or parts[-2]:
        sys.exit(54)  # no NUL at the end: the caller gave up
    if any(part[:1] != b"T" for part in parts[1:-2]):
        sys.exit(91)
    if any(len(part) > ADDRESS_MAX + 1 for part in parts):
        sys.exit(11)
    return parts[0][1:], [part[1:] for part in parts[1:-2]]


def qmail_queue():
    directory = os.environ["QUEUE_DIRECTORY"]
    if "QUEUE_EARLY" in os.environ:
        sys.exit(int(os.environ["QUEUE_EARLY"]))
    check_descriptors()
    message = read_all(0)
    sender, recipients = read_envelope()
    if "QUEUE_EXIT" in os.environ:
        sys.exit(int(os.environ["QUEUE_EXIT"]))
    path = os.path.join(directory, f"{time.time_ns()}-{os.getpid()}")
    with open(path + ".new", "wb") as f:
        f.write(json.dumps([sender.decode("latin-1"), [r.decode("latin-1") for r in recipients]]).encode() + b"\n")
        f.write(message)
        f.flush()
        os.fsync(f.fileno())
    os.rename(path + ".new", path + ".mail")


# ---- qmail-smtpd --------------------------------------------------------------------------------

Queued = collections.namedtuple("Queued", "sender recipients message")
Done = collections.namedtuple("Done", "code queued text errors")


class Queue:
    """What the stand-in has kept in a directory."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.seen = set()

    def faults(self):
        path = os.path.join(self.directory, "faults")
        if not os.path.exists(path):
            return ""
        with open(path) as f:
            return f.read()

    def is_written(self):
        """A stand-in or its caller still runs for this directory."""
        mark = b"QUEUE_DIRECTORY=" + self.directory.encode() + b"\0"
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    if mark in f.read():
                        return True
            except OSError:
                continue
        return False

    def new(self):
        """Messages that were queued since the last call."""
        names = sorted(n for n in os.listdir(self.directory) if n.endswith(".mail") and n not in self.seen)
        self.seen.update(names)
        found = []
        for name in names:
            with open(os.path.join(self.directory, name), "rb") as f:
                envelope, message = f.read().split(b"\n", 1)
            sender, recipients = json.loads(envelope)
            found.append(Queued(sender.encode("latin-1"), [r.encode("latin-1") for r in recipients], message))
        return found


def octets(text):
    return text.encode("utf-8") if isinstance(text, str) else text


def envelope_of(sender, recipients):
    return b"F%s\0" % octets(sender) + b"".join(b"T%s\0" % octets(r) for r in recipients) + b"\0"


def feed(fd, data):
    try:
        while data:
            data = data[os.write(fd, data):]
    except OSError:
        pass  # it has ended
    os.close(fd)


class Caller:
    """Runs `sekisho queue` as qmail-smtpd does: two pipes, and its environment."""

    def __init__(self, program, directory, **environment):
        self.program = program
        self.queue_files = Queue(directory)
        self.environment = {"PATH": "/usr/bin:/bin", "SEKISHO_QUEUE": HERE, "QUEUE_DIRECTORY": directory, **environment}

    def start(self, message, envelope, client="203.0.113.5", arguments=(), text_fd=None, **environment):
        """The process and the threads that write; for tests that kill it. Returns (process, [threads], read end of text)."""
        values = {**self.environment, **environment}
        if client:
            values.setdefault("TCPREMOTEIP", client)
            values.setdefault("TCPLOCALPORT", "25")
        message_pipe, envelope_pipe = os.pipe(), os.pipe()
        text_pipe = os.pipe() if text_fd else None

        places = f"1<&{envelope_pipe[0]} {envelope_pipe[0]}<&-"
        keep = [envelope_pipe[0]]
        if text_fd:
            places += f" {text_fd}>&{text_pipe[1]} {text_pipe[1]}>&-"
            keep.append(text_pipe[1])
            values.setdefault("QUEUE_DESCRIPTORS", str(text_fd))
        process = subprocess.Popen(["bash", "-c", f'exec "$@" {places}', "bash", self.program, "queue", *arguments],
                                   stdin=message_pipe[0], stderr=subprocess.PIPE, env=values, pass_fds=keep)
        for fd in (message_pipe[0], envelope_pipe[0], *(text_pipe[1:] if text_pipe else ())):
            os.close(fd)

        def write():
            feed(message_pipe[1], octets(message))
            feed(envelope_pipe[1], octets(envelope))
        thread = threading.Thread(target=write)
        thread.start()
        return process, thread, text_pipe[0] if text_pipe else None

    def run(self, message, envelope, **options):
        process, thread, text_end = self.start(message, envelope, **options)
        errors = process.stderr.read().decode()
        code = process.wait(timeout=60)
        thread.join()
        text = None
        if text_end is not None:
            text = read_all(text_end)
            os.close(text_end)
        faults = self.queue_files.faults()
        assert not faults, faults
        found = self.queue_files.new()
        assert len(found) <= 1
        return Done(code, found[0] if found else None, text, errors)

    def queue(self, message, sender="alice@pass.example.net", recipients=("bob@example.org",), helo="mail.example.net",
              protocol="ESMTP", client="203.0.113.5", name="unknown", **options):
        """As qmail-smtpd: with its Received field on top, lines that end in LF."""
        stamp = RECEIVED % tuple(octets(x) for x in (name, helo, client, protocol)) if client else b""
        return self.run(stamp + octets(message), envelope_of(sender, recipients), client=client, **options)


if __name__ == "__main__":
    qmail_queue()
