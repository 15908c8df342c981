"""Nothing that one peer, one file or the system's logger does holds up the mail of others, or the end of the daemon."""
import os
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

import miltc
import sekisho
from mta import wait_for

POLICY = """
policy inbound {
  on mail { reject 550 5.7.23 "SPF"                      if spf is fail }
  on message { reject 550 5.7.26 "DMARC"                 if dmarc is fail }
}
"""

SESSIONS = 24
CONTINUE = b"\0\0\0\1c"  # to each of seven commands
MESSAGES = 1200  # their records are more than a pipe and a socket of the logger hold


def ended(process, seconds=15):
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


def end_at_once(daemon):
    """Two SIGTERMs; the exit code, None when they did not end it."""
    process, daemon.process = daemon.process, None
    try:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return ended(process)
    finally:
        process.kill()
        process.wait()


def abort_much(m, count):
    """So many refusals that nobody reads; False when the socket takes no more."""
    m.socket.settimeout(0.5)
    try:
        for _ in range(count):
            m.packet(b"M", b"<a@pass.example.net>\0")
            m.packet(b"A")
        return True
    except (OSError, miltc.Closed):
        return False


def test_a_peer_that_does_not_read_holds_up_nobody_else(nameserver, dns, directory, token):
    """The answers of some session just fill its socket, so that the report of progress does not fit in any more."""
    dns.fault(f"*.{token}.example.net ANY drop")
    path = f"{directory}/milter.sock"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path}") as daemon:
        deaf = []
        for count in range(60, 80):
            m = miltc.Milter(path)
            deaf.append(m)
            m.negotiate()
            m.packet(b"C", b"x\0" + b"4" + b"\x10\xe1" + b"203.0.113.5\0")
            m.packet(b"H", b"mail.example.net\0")
            if abort_much(m, count):
                m.packet(b"M", b"<a@pass.example.net>\0")
                m.packet(b"R", b"<bob@example.org>\0")
                m.packet(b"L", f"From\0 a@x.{token}.example.net\0".encode())
                m.packet(b"N")
                m.packet(b"E")
        time.sleep(8)  # progress is reported after five seconds
        with miltc.Milter(path, timeout=10) as m:
            m.greet()
            assert m.message("<a@pass.example.net>").what == "continue"
            m.quit()
        assert daemon.status()["version"]
        assert end_at_once(daemon) == 0
        for m in deaf:
            m.close()


def test_a_session_begins_while_others_wait_for_the_dns(nameserver, dns, directory, token):
    """Sessions that come in one burst: each is negotiated before the first of them has waited to the end."""
    dns.fault(f"*.{token}.example.net ANY drop")
    path = f"{directory}/milter.sock"
    slow = sekisho.SETTINGS.replace("timeout 3s", "timeout 8s")  # so that a busy machine has the time to begin them all
    with sekisho.Daemon(directory, POLICY, base=slow, listen=f"unix:{path}") as daemon:
        sessions = [miltc.Milter(path) for _ in range(SESSIONS)]
        for n, m in enumerate(sessions):
            m.packet(b"O", struct.pack("!III", 6, miltc.ALL_ACTIONS, 0))  # each command has an answer
            m.packet(b"C", b"x\0" + b"4" + b"\x10\xe1" + b"203.0.113.5\0")
            m.packet(b"H", b"mail.example.net\0")
            m.packet(b"M", b"<a@pass.example.net>\0")
            m.packet(b"R", b"<bob@example.org>\0")
            m.packet(b"L", f"From\0 a@x{n}.{token}.example.net\0".encode())
            m.packet(b"N")
            m.packet(b"E")
        told = {m.socket: b"" for m in sessions}
        while not all(told.values()):
            for ready in select.select(list(told), [], [], 30)[0]:
                told[ready] += ready.recv(65536)
        assert all(text.count(CONTINUE) < 7 for text in told.values()), "a session was not negotiated until others had waited"
        for m in sessions:
            m.close()
        assert end_at_once(daemon) == 0


def many_messages(count=MESSAGES):
    with miltc.Milter() as m:
        m.greet()
        for _ in range(count):
            assert m.message("<a@pass.example.net>", ["<bob@example.org>"] * 60).what == "continue"
        m.quit()


def test_a_log_that_nobody_reads_holds_up_nobody(nameserver, directory, token):
    fifo = f"{directory}/record"
    os.makedirs(directory, exist_ok=True)
    os.mkfifo(fifo, 0o666)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    daemon = sekisho.Daemon(directory, POLICY)
    try:
        many_messages(4000)
        assert wait_for(lambda: daemon.status()["log"]["lost"] > 0), "the queue is bounded"
        os.set_blocking(reader, False)
        seen = b""
        deadline = time.monotonic() + 20
        while b"lines of the log were lost" not in seen and time.monotonic() < deadline:
            try:
                seen += os.read(reader, 1 << 20)
            except BlockingIOError:
                many_messages(1)
        assert b"lines of the log were lost" in seen
        many_messages(200)  # it is full again
        assert end_at_once(daemon) == 0
    finally:
        daemon.kill()
        os.close(reader)


@pytest.fixture
def deaf_logger():
    """/dev/log of a logger that has stopped to read."""
    os.rename("/dev/log", "/dev/log.aside")
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    yield
    log.close()
    os.rename("/dev/log.aside", "/dev/log")


def test_a_logger_that_hangs_holds_up_nobody(nameserver, directory, deaf_logger):
    base = sekisho.SETTINGS.replace("file:{directory}/record", "syslog")
    daemon = sekisho.Daemon(directory, POLICY, base=base)
    try:
        many_messages()
        assert daemon.status()["messages"]["total"] == MESSAGES
        assert end_at_once(daemon) == 0
    finally:
        daemon.kill()


@pytest.mark.parametrize("what", ["policy", "list", "key", "directory"])
def test_what_is_not_a_plain_file_is_not_read(nameserver, directory, what):
    """A named pipe would be read for ever."""
    with sekisho.Daemon(directory, POLICY) as daemon:
        pipe = f"{directory}/pipe"
        os.mkfifo(pipe, 0o600)
        if what == "policy":
            os.unlink(daemon.file)
            os.mkfifo(daemon.file, 0o600)
        elif what == "directory":
            os.unlink(daemon.file)
            os.mkdir(daemon.file)
        elif what == "list":
            daemon.configure(f"list friends file:{pipe}\n" + POLICY)
        else:
            daemon.configure(f"sign example.org {{ selector s1 key {pipe} }}\n" + POLICY)
        done = sekisho.run("reload", "--socket", f"{directory}/control")
        assert done.returncode == (0 if what == "list" else 1), done.stderr  # a list may come later
        assert "file" in done.stderr and ("pipe" in done.stderr or what == "directory")
        assert daemon.status()["version"], "the daemon goes on"
        many_messages(1)
