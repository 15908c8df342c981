"""The daemon as a service: what systemd is told, and its log under logrotate."""
import glob
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import miltc
import sekisho
from mta import wait_for

ENGINES = sekisho.ENGINES[:1]  # none of it is of the milter door
CHECKOUT = os.path.join(sekisho.HERE, "../..")
LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/usr/bin")

POLICY = """
policy inbound {
  on mail { reject 550 5.7.1 "refused (case %{case})" }
}
"""


class Manager:
    """Listens as systemd does, on the socket of $NOTIFY_SOCKET."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def environment(self, **more):
        return dict(os.environ, NOTIFY_SOCKET=self.path, **more)

    def hears(self):
        """The words of the next datagram."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def next(self, word):
        """The next datagram that is not of the watchdog; it must have the word."""
        while "WATCHDOG" in (heard := self.hears()):
            pass
        assert heard.get(word) == "1", heard
        return heard


def test_systemd_is_told_when_it_serves_reloads_and_ends(nameserver, directory):
    with Manager(directory) as systemd:
        daemon = sekisho.Daemon(directory, POLICY, start=False)
        daemon.launch(env=systemd.environment())
        systemd.next("READY")
        with miltc.Milter() as m:  # it said so, so it does
            m.greet()
            assert m.message("<a@pass.example.net>").text.startswith("550 5.7.1 refused")
        assert daemon.reload()[0] == 0
        assert int(systemd.next("RELOADING")["MONOTONIC_USEC"]) > 0
        systemd.next("READY")
        daemon.configure("nonsense\n")
        assert daemon.reload()[0] == 1
        systemd.next("RELOADING")
        systemd.next("READY")  # the old policy serves
        daemon.process.send_signal(signal.SIGHUP)
        systemd.next("RELOADING")
        systemd.next("READY")
        daemon.process.send_signal(signal.SIGTERM)
        systemd.next("STOPPING")
        assert daemon.wait() == 0
        daemon.process = None


def test_the_watchdog_is_fed_if_it_is_there(nameserver, directory):
    with Manager(directory) as systemd:
        with sekisho.Daemon(directory, POLICY, env=systemd.environment(WATCHDOG_USEC="400000")):
            heard = [systemd.hears() for _ in range(6)]
            assert sum("WATCHDOG" in words for words in heard) == 5, heard
        with sekisho.Daemon(directory, POLICY, env=systemd.environment(WATCHDOG_USEC="400000", WATCHDOG_PID="1")):
            systemd.next("STOPPING")  # of the first
            systemd.next("STOPPING")
            systemd.next("READY")
            systemd.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                systemd.hears()


@pytest.mark.parametrize("settings", ["", "store lmdb:{directory}/store\nlist seen dynamic:1h\n"])
def test_systemd_is_told_who_the_service_is_after_an_upgrade(nameserver, directory, settings):
    """Also where the old daemon ends before the new one serves."""
    with Manager(directory) as systemd:
        with sekisho.Daemon(directory, POLICY, settings=settings.replace("{directory}", directory), env=systemd.environment()) as old:
            systemd.next("READY")
            command = [sekisho.PROGRAM, "daemon", "-c", old.file, "--take-over"]
            with open(old.errors_file, "a") as errors:
                new = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=systemd.environment())
            try:
                assert systemd.hears()["MAINPID"] == str(new.pid)
                assert old.process.wait(60) == 0
                systemd.next("READY")
                new.terminate()
                systemd.next("STOPPING")
                assert new.wait(60) == 0
            finally:
                if new.poll() is None:
                    new.kill()
                    new.wait()
                old.process = None


def test_a_daemon_that_does_not_start_is_not_ready(nameserver, directory):
    with Manager(directory) as systemd, socket.create_server(("127.0.0.1", sekisho.PORT)):
        daemon = sekisho.Daemon(directory, POLICY, start=False)
        daemon.launch(env=systemd.environment())
        assert daemon.wait() == 69
        daemon.process = None
        systemd.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            systemd.hears()


def test_the_unit_of_systemd_asks_for_what_the_daemon_tells():
    with open(os.path.join(CHECKOUT, "conf/sekisho.service.in")) as f:
        unit = f.read()
    assert re.search(r"^Type=notify$", unit, re.M) and re.search(r"^WatchdogSec=\d+$", unit, re.M)


# ---- the log


class Load(threading.Thread):
    """Messages one after another, each with a number of its own, until it is told to stop."""

    def __init__(self, token):
        super().__init__(daemon=True)
        self.token = token
        self.sent = 0
        self.done = threading.Event()
        self.start()

    def run(self):
        with miltc.Milter() as m:
            m.greet()
            while not self.done.is_set():
                assert m.message(f"<{self.token}.{self.sent}@pass.example.net>").text.startswith("550")
                self.sent += 1
            m.quit()

    def finish(self):
        self.done.set()
        self.join(30)
        assert not self.is_alive()
        return [f"{self.token}.{number}@pass.example.net" for number in range(self.sent)]


def senders(daemon):
    """Of all records, also those in files that were rotated; every line must be whole."""
    for name in glob.glob(daemon.record_file + "*"):
        with (gzip.open if name.endswith(".gz") else open)(name, "rt") as f:
            for line in f:
                record = json.loads(line)
                if "sender" in record:
                    yield record["sender"]


def rotation(daemon):
    """conf/sekisho.logrotate for the log of this daemon."""
    with open(os.path.join(CHECKOUT, "conf/sekisho.logrotate.in")) as f:
        text = f.read()
    for old, new in (("/var/log/sekisho/*.log", daemon.record_file), ("@sbindir@/sekisho", sekisho.PROGRAM),
                     ("@sysconfdir@/sekisho/sekisho.conf", daemon.file)):
        assert old in text
        text = text.replace(old, new)
    with open(os.path.join(daemon.directory, "logrotate"), "w") as f:
        f.write(text)
    os.chmod(f.name, 0o644)
    return [LOGROTATE, "--force", "--state", os.path.join(daemon.directory, "logrotate.state"), f.name]


def is_logged_until(daemon, expected):
    return wait_for(lambda: expected[-1] in set(senders(daemon)), seconds=10)


@pytest.mark.skipif(not LOGROTATE, reason="logrotate is not installed")
def test_logrotate_loses_no_record_while_mail_flows(nameserver, directory, token):
    with sekisho.Daemon(directory, POLICY) as daemon:
        command = rotation(daemon)
        load = Load(token)
        for number in range(4):
            before = load.sent
            assert wait_for(lambda: load.sent > before + 50, seconds=20)
            if number == 2:  # the log is opened anew all the same
                daemon.configure("nonsense\n")
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0 and not done.stderr.startswith("error"), done.stderr
        expected = load.finish()
        assert is_logged_until(daemon, expected)
        assert sorted(senders(daemon)) == sorted(expected)
        assert daemon.status()["log"]["lost"] == 0
        assert len(glob.glob(daemon.record_file + ".*.gz")) == 3  # the newest waits for the next time


def test_signals_and_reloads_at_any_time_lose_no_record(nameserver, directory, token):
    with sekisho.Daemon(directory, POLICY) as daemon:
        load = Load(token)
        for number in range(30):
            before = load.sent
            assert wait_for(lambda: load.sent > before, seconds=20)
            os.rename(daemon.record_file, f"{daemon.record_file}.{number}")
            if number % 3 == 0:
                assert daemon.reload()[0] == 0
            else:
                daemon.process.send_signal(signal.SIGHUP if number % 3 == 1 else signal.SIGUSR1)
            assert wait_for(lambda: os.path.exists(daemon.record_file))
        expected = load.finish()
        assert is_logged_until(daemon, expected)
        assert sorted(senders(daemon)) == sorted(expected)
        assert daemon.status()["log"]["lost"] == 0
