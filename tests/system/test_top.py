"""sekisho top, on a terminal and without one; what sekisho status tells, and whom."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import miltc
import sekisho
from mta import wait_for

ENGINES = sekisho.ENGINES[:1]  # none of it is of the milter door

POLICY = """
list friends file:{directory}/friends
policy inbound {
  on connect { accept                             if client in friends }
  on mail {
    try reject 550 5.7.27 "would"                 if sender.domain is would.example.net
    reject 550 5.7.1 "refused"                    if sender matches /^bad/
    defer 451 4.7.1 "later"                       if sender matches /^later/
  }
}
"""
READERS = "control {directory}/control readers mail\n"
BASE = sekisho.SETTINGS.replace("control      {directory}/control\n", "").replace("{directory}/record", "{directory}/record\n" + READERS)
READER = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--groups", "mail"]
STRANGER = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


@pytest.fixture
def daemon(nameserver, directory):
    os.makedirs(directory, exist_ok=True)
    with open(f"{directory}/friends", "w") as f:
        f.write("192.0.2.77\n192.0.2.78\n")
    with sekisho.Daemon(directory, POLICY.replace("{directory}", str(directory)), base=BASE) as running:
        yield running


def send(*senders):
    with miltc.Milter() as m:
        m.greet()
        for sender in senders:
            m.message(sender)
        m.quit()


def ask(daemon, *arguments, who=()):
    return subprocess.run([*who, sekisho.PROGRAM, arguments[0], "--socket", f"{daemon.directory}/control", *arguments[1:]],
                          capture_output=True, text=True, timeout=30)


# ---- status


def test_the_status_tells_mode_generation_lists_and_what_rules_would_have_done(daemon):
    send("<a@would.example.net>", "<b@would.example.net>", "<bad@pass.example.net>")
    wait_for(lambda: len(daemon.records()) == 3)
    status = daemon.status()
    assert status["policy"]["mode"] == "enforce" and status["policy"]["generation"] == 1
    friends, = status["lists"]
    assert friends["list"] == "friends" and friends["entries"] == 2 and friends["ready"] and 0 <= friends["age"] < 60
    assert friends["place"] == f"file:{daemon.directory}/friends" and "error" not in friends
    assert status["would"] == [{"rule": daemon.line("try reject"), "kind": "inbound", "count": 2}]
    daemon.configure("mode report\n" + POLICY.replace("{directory}", daemon.directory))
    assert daemon.reload()[0] == 0
    os.remove(f"{daemon.directory}/friends")

    def failing():
        return "error" in daemon.status()["lists"][0]
    assert wait_for(failing, seconds=15)
    status = daemon.status()
    assert status["policy"]["mode"] == "report" and status["policy"]["generation"] == 2
    assert "friends" in status["lists"][0]["error"] and status["lists"][0]["entries"] == 2
    text = ask(daemon, "status").stdout
    assert "mode report, generation 2" in text and "2 entries, read" in text and "cannot be read now" in text
    assert re.search(r"^would +2 times by .*sekisho.conf:\d+, inbound$", text, re.M)


def test_a_reader_may_ask_for_the_status_and_nothing_else_also_while_the_file_has_errors(daemon):
    with open(daemon.file, "a") as f:
        f.write("nonsense\n")
    assert daemon.reload()[0] == 1
    done = ask(daemon, "status", "--json", who=READER)
    assert done.returncode == 0 and json.loads(done.stdout)["policy"]["reloads-failed"] == 1
    assert ask(daemon, "status").returncode == 0
    assert subprocess.run([sekisho.PROGRAM, "status", "-c", daemon.file], capture_output=True, timeout=30).returncode == 0
    for verb in (["top"], ["reload"], ["blocks"], ["store", "list"], ["block", "192.0.2.1", "--for", "1h"],
                 ["unblock", "192.0.2.1"], ["list", "show", "friends"]):
        done = ask(daemon, *verb, who=READER)
        assert done.returncode != 0 and ("may ask this" in done.stderr or "writer of this list" in done.stderr), verb
    done = ask(daemon, "status", who=STRANGER)
    assert done.returncode == 1 and 'the readers of "control"' in done.stderr


def test_readers_change_with_a_reload(daemon):
    base = daemon.base
    daemon.base = base.replace(" readers mail", "")
    daemon.configure(POLICY.replace("{directory}", daemon.directory))
    assert daemon.reload()[0] == 0
    assert os.stat(f"{daemon.directory}/control").st_mode & 0o777 == 0o600
    assert ask(daemon, "status", who=READER).returncode == 69
    daemon.base = base.replace("readers mail", "readers games mail")
    daemon.configure(POLICY.replace("{directory}", daemon.directory))
    assert daemon.reload()[0] == 0
    assert ask(daemon, "status", who=READER).returncode == 0


# ---- top


def test_without_a_terminal_it_prints_one_frame(daemon):
    send("<bad@pass.example.net>", "<bad@pass.example.net>", "<later@pass.example.net>", "<a@would.example.net>", "<>")
    assert wait_for(lambda: len(daemon.records()) == 5)
    for arguments in ([], ["--once"]):
        done = ask(daemon, "top", *arguments)
        assert done.returncode == 0 and "\x1b" not in done.stdout, done.stderr
        assert re.search(r"^total +2 +2 +1 +0 +0 +0$", done.stdout, re.M), done.stdout
        assert re.search(r"^ +0\.0 +2 +0  .*:%s$" % daemon.line("/^bad/").rsplit(":", 1)[1], done.stdout, re.M)
        assert re.search(r"^ +0\.0 +0 +1  .*:%s$" % daemon.line("try reject").rsplit(":", 1)[1], done.stdout, re.M)
        assert re.search(r"refused  sender.*\n +2  bad@pass.example.net\n +1  later@pass.example.net\n", done.stdout)
    done = ask(daemon, "top", "nonsense")
    assert done.returncode == 64
    daemon.stop()
    done = ask(daemon, "top")
    assert done.returncode == 69 and "no daemon listens" in done.stderr
    daemon.start()


def job(command):
    """In the child of pty.fork(): runs the command as a shell does, in a process group that can be stopped."""
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        os._exit(max(os.waitstatus_to_exitcode(status), 0) if os.WIFEXITED(status) else 99)
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(command[0], command)


class Terminal:
    """sekisho top on a terminal of this size; `screen` is what a person sees."""

    def __init__(self, daemon, rows=24, columns=80):
        self.shell, self.fd = pty.fork()
        if self.shell == 0:
            job([sekisho.PROGRAM, "top", "--socket", f"{daemon.directory}/control"])
        self.rows, self.columns = rows, columns
        self.text = ""
        self.resize(rows, columns)
        self.pid = wait_for(self.child)

    def child(self):
        with open(f"/proc/{self.shell}/task/{self.shell}/children") as f:
            return int(f.read() or 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.shell, 0)
        os.close(self.fd)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def keys(self):
        """Echo and line mode of the terminal."""
        return termios.tcgetattr(self.fd)[3] & (termios.ECHO | termios.ICANON)

    def read(self, seconds):
        """What comes in this time, or until the end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self.fd], [], [], left)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode()

    def sees(self, pattern, seconds=15):
        """Waits until the text matches on the screen."""
        def look():
            self.read(0.2)
            return re.search(pattern, self.screen(), re.M)
        assert wait_for(look, seconds=seconds), self.screen()

    def screen(self):
        """The last complete frame as lines; it must fit."""
        rows = {}
        for row, line in re.findall(r"\x1b\[(\d+);1H([ -~]*)", self.text):
            if row == "1":
                rows = {}
            rows[int(row)] = line
        return "\n".join(rows.get(row, "") for row in range(1, max(rows, default=0) + 1))

    def fits(self):
        lines = self.screen().split("\n")
        return len(lines) <= self.rows and max(map(len, lines)) <= self.columns

    def ended(self):
        """The exit status; the terminal must be as it was."""
        before = time.monotonic()
        while time.monotonic() - before < 15:
            self.read(0.1)
            pid, status = os.waitpid(self.shell, os.WNOHANG)
            if pid:
                assert self.text.endswith("\x1b[?25h\x1b[?1049l"), repr(self.text[-80:])
                assert self.keys() == termios.ECHO | termios.ICANON
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it did not end")


def test_it_shows_what_happens_now_and_q_ends_it(daemon):
    with Terminal(daemon) as terminal:
        terminal.sees("^sekisho .* mode enforce$")
        assert terminal.text.startswith("\x1b[?1049h\x1b[?25l") and terminal.keys() == 0
        send(*["<bad@pass.example.net>"] * 30)
        terminal.sees(r"^messages +[1-9]\d*\.\d/s")
        terminal.sees(r"^ +30  bad@pass.example.net")
        terminal.sees(r"^messages +0\.0/s")
        assert terminal.fits()
        os.write(terminal.fd, b"x")
        terminal.sees(r"^total +0 +30 ")
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0


def test_it_fits_any_size_and_follows_a_change(daemon):
    send(*[f"<bad{number}@{'long-name.' * 15}example.net>" for number in range(40)])
    with Terminal(daemon) as terminal:
        for rows, columns in ((24, 80), (50, 200), (10, 40), (1, 1), (3, 500), (24, 80)):
            terminal.resize(rows, columns)
            terminal.text = ""
            terminal.sees("^s")
            terminal.read(1.2)
            assert terminal.fits(), (rows, columns, terminal.screen())
            if rows == 50:
                assert terminal.screen().count("@long-name") > 20
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_gives_the_terminal_back(daemon, number):
    with Terminal(daemon) as terminal:
        terminal.sees("^messages")
        os.kill(terminal.pid, number)
        assert terminal.ended() == 0


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(daemon):
    with Terminal(daemon) as terminal:
        terminal.sees("^messages")
        terminal.text = ""
        os.kill(terminal.pid, signal.SIGTSTP)

        def stopped():
            terminal.read(0.1)
            with open(f"/proc/{terminal.pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "T"
        assert wait_for(stopped, seconds=10)
        assert terminal.text.endswith("\x1b[?25h\x1b[?1049l") and terminal.keys() == termios.ECHO | termios.ICANON
        terminal.text = ""
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.sees("^messages")
        assert terminal.text.startswith("\x1b[?1049h") and terminal.keys() == 0
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0


def test_a_daemon_that_goes_away_is_asked_again(daemon):
    with Terminal(daemon) as terminal:
        terminal.sees("^policy ")
        daemon.stop()
        terminal.sees("^! .*no daemon listens")
        daemon.start()
        terminal.sees("^policy ")
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0


def test_names_that_strangers_choose_reach_neither_the_terminal_nor_the_memory(daemon):
    send(*[f'<"bad\x1b[2J\x07{number}"@pass.example.net>' for number in range(3)], "<bad\xc3\xa9@pass.example.net>")
    send(*[f"<bad{number}@pass.example.net>" for number in range(500)])
    with Terminal(daemon) as terminal:
        terminal.sees(r"^ +\d+  .*bad")
        assert "\x1b[2J" not in terminal.text and "\x07" not in terminal.text
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0
    assert len(ask(daemon, "top", "--once").stdout.split("\n")) <= 60
