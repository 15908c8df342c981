"""A new daemon takes the place of the one that serves (daemon --take-over), while mail flows: nothing is refused or deferred."""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

import redis_server
import sekisho
import smtp
from mta import wait_for

POLICY = """
policy inbound {
  on message { add-header X-Judged "yes" }
}
"""
BOB = "<bob@example.org>"
UPGRADES = 3

# Becomes the daemon with the socket as descriptor 3, as a service manager does that keeps it.
WITH_SOCKET = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Daemons:
    """One daemon after another with the same file; the newest is `process`."""

    def __init__(self, directory, policy, settings="", **options):
        self.keeps = options.pop("keeps", None)  # a listening socket that each gets as descriptor 3
        self.gate = sekisho.Daemon(directory, policy, settings=settings, start=False, **options)
        self.process = None
        self.old = []
        self.upgrade()

    def upgrade(self):
        """Starts one more, and waits until it serves."""
        command = [sekisho.PROGRAM, "daemon", "-c", self.gate.file, "--take-over"]
        options = {}
        if self.keeps:
            command = [sys.executable, "-c", WITH_SOCKET, str(self.keeps.fileno()), *command]
            options["pass_fds"] = [self.keeps.fileno()]
        served = self.took_over()
        if self.process:
            self.old.append(self.process)
        with open(self.gate.errors_file, "a") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, **options)
        ready = (lambda: self.took_over() > served) if self.old else self.gate.ready
        found = wait_for(lambda: self.process.poll() is not None or ready(), seconds=30)
        assert found and self.process.poll() is None, self.gate.errors() + str(self.gate.messages()[-5:])

    def restart(self):
        self.process.terminate()
        assert self.process.wait(30) == 0
        self.process = None
        self.upgrade()

    def took_over(self):
        return sum("took over from process" in line["message"] for line in self.gate.messages())

    def old_ones_end(self, seconds=60):
        for process in self.old:
            assert process.wait(seconds) == 0, self.gate.errors()
        self.old = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in self.old:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.gate.process = self.process
        self.gate.__exit__(kind)


class Answers:
    """A program that listens on the control socket and gives each client this answer, and these descriptors."""

    def __init__(self, path, answer, descriptors=()):
        self.path, self.answer, self.descriptors = path, answer, list(descriptors)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        client, _ = self.socket.accept()
        with client:
            client.recv(4096)
            if self.answer:
                socket.send_fds(client, [self.answer[:1]], self.descriptors)
                client.sendall(self.answer[1:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        os.unlink(self.path)


class Load:
    """Clients that send one message after another, three in each session; every answer that is not 250 is kept."""

    def __init__(self, mta, token, clients=4):
        self.mta, self.token = mta, token
        self.taken, self.wrong, self.done = [], [], threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, who):
        number = 0
        while not self.done.is_set():
            try:
                with smtp.Client(self.mta) as client:
                    for _ in range(3):
                        number += 1
                        name = f"{self.token}-{who}-{number}."
                        last = client.send("<alice@pass.example.net>", [BOB], smtp.message(name)).last
                        (self.taken if last.code == 250 else self.wrong).append((name, last))
                        time.sleep(0.02)  # in the session, between messages
            except (OSError, smtp.smtplib.SMTPException) as problem:
                self.wrong.append((str(number), problem))

    def more(self, messages=30):
        goal = len(self.taken) + messages
        assert wait_for(lambda: len(self.taken) >= goal, seconds=40), self.wrong[:5]

    def finish(self):
        self.done.set()
        for thread in self.threads:
            thread.join(40)
            assert not thread.is_alive()


def judged(daemons, mta, load):
    """Every message was judged, delivered and recorded once."""
    assert not load.wrong, load.wrong[:5]
    for name, _ in (load.taken[0], load.taken[-1]):
        assert mta.delivered(name).field("X-Judged") == "yes"
    assert wait_for(lambda: len(daemons.gate.read_records()) >= len(load.taken))
    records = daemons.gate.records()
    assert len(records) == len({r["queue-id"] for r in records}) == len(load.taken)


def upgrades(daemons, mta, token):
    load = Load(mta, token)
    try:
        for _ in range(UPGRADES):
            load.more()
            before = daemons.process.pid
            daemons.upgrade()
            assert daemons.process.pid != before
        load.more()
    finally:
        load.finish()
    daemons.old_ones_end()
    judged(daemons, mta, load)


def test_upgrades_under_load_defer_nothing(nameserver, mta, directory, token):
    with Daemons(directory, POLICY) as daemons:
        upgrades(daemons, mta, token)
        assert daemons.gate.status()["pid"] == daemons.process.pid, "the control socket belongs to the newest"


def test_upgrades_with_a_socket_that_is_passed_defer_nothing(nameserver, mta, directory, token):
    with socket.create_server(("127.0.0.1", sekisho.PORT), backlog=128) as listener:
        with Daemons(directory, POLICY, listen="fd:3", keeps=listener) as daemons:
            upgrades(daemons, mta, token)


def test_a_restart_with_a_socket_that_is_kept_refuses_no_connection(nameserver, postfix_server, directory, token):
    """As a service manager restarts: the old daemon ends before the new one starts. A session without a message may be cut."""
    with open(postfix_server.log) as log, socket.create_server(("127.0.0.1", sekisho.PORT), backlog=128) as listener:
        log.seek(0, os.SEEK_END)
        with Daemons(directory, POLICY, listen="fd:3", keeps=listener) as daemons:
            load = Load(postfix_server, token)
            for _ in range(UPGRADES):
                load.more()
                daemons.restart()
            load.more()
            load.finish()
            assert all(reply.code == 451 for _, reply in load.wrong), load.wrong[:5]
            assert "connect to Milter service" not in log.read()


@pytest.mark.parametrize("file", ["store lmdb:{directory}/store", "history sqlite:{directory}/history.db"])
def test_an_upgrade_waits_where_a_file_is_of_one_process(nameserver, mta, directory, token, file):
    """The new daemon serves when the old one has ended: connections wait in the queue of the socket."""
    settings = "\n" + file.replace("{directory}", directory) + "\nlist seen dynamic:1h\n"
    settings += "" if file.startswith("store") else "store memory:\n"
    with Daemons(directory, POLICY, settings=settings) as daemons:
        assert sekisho.run("list", "-c", daemons.gate.file, "add", "seen", "alice@example.net").returncode == 0
        upgrades(daemons, mta, token)
        assert not [line for line in daemons.gate.messages() if "another daemon" in line["message"]]
        shown = sekisho.run("list", "-c", daemons.gate.file, "show", "seen").stdout
        assert ("alice@example.net" in shown) == file.startswith("store")


COUNTED = """
policy inbound {
  on mail { defer 450 4.7.1 "too many"  if limit("everyone") is over }
  on message { add-header X-Judged "yes" }
}
"""


@pytest.fixture
def redis(world, token):
    reason = redis_server.why_not()
    if reason:
        pytest.skip(reason)
    server = redis_server.Server(os.path.join(world.root, "redis-" + token[:12]))
    yield server
    server.kill()


def counted(daemons):
    """What the store has for limit("everyone")."""
    shown = sekisho.run("store", "--socket", daemons.gate.directory + "/control", "list", "limit:everyone", "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return [item["count"] for item in json.loads(shown.stdout)]


def test_upgrades_with_a_shared_store_lose_no_count_and_count_nothing_twice(nameserver, mta, directory, token, redis):
    """Both daemons use the store at the same time; each message was counted by one of them."""
    settings = "\nstore redis://127.0.0.1:6379/0 timeout 2s\nlimit everyone { key client  count messages  hard 1000000  per 1h }\n"
    with Daemons(directory, COUNTED, settings=settings) as daemons:
        load = Load(mta, token)
        try:
            for _ in range(UPGRADES):
                load.more()
                daemons.upgrade()
            load.more()
        finally:
            load.finish()
        daemons.old_ones_end()
        judged(daemons, mta, load)
        assert counted(daemons) == [len(load.taken)]
        assert not any("store" in line["message"] for line in daemons.gate.messages())


def test_a_session_goes_on_with_the_old_daemon(nameserver, mta, directory, token):
    """As long as it lasts; SIGTERM then ends the old daemon as ever, when no message is open."""
    with Daemons(directory, POLICY) as daemons, smtp.Client(mta) as client:
        assert client.send("<alice@pass.example.net>", [BOB], smtp.message("first-" + token)).end.code == 250
        daemons.upgrade()
        old = daemons.old[0]
        time.sleep(1.5)
        assert client.send("<alice@pass.example.net>", [BOB], smtp.message("second-" + token)).end.code == 250
        assert old.poll() is None
        old.terminate()
        daemons.old_ones_end(10)


def test_files_of_sockets_and_the_page_go_to_the_new_daemon(nameserver, mta, directory, token):
    assert sekisho.run("web-password", directory + "/password", input="a long password\n").returncode == 0
    web = f"\nweb {{ listen inet:8893@127.0.0.1  password-file {directory}/password }}\n"
    with Daemons(directory, POLICY, listen=f"unix:{mta.unix} mode 0666", settings=web) as daemons:
        for number in range(2):
            daemons.upgrade()
            daemons.old_ones_end(10)
            assert smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(f"{number}-{token}"),
                             service="unix").end.code == 250
            with urllib.request.urlopen("http://127.0.0.1:8893/metrics", timeout=10) as page:
                assert re.search(r"^sekisho_sessions_total 1$", page.read().decode(), re.M)
        assert os.path.exists(mta.unix)
    assert not os.path.exists(mta.unix) and not os.path.exists(directory + "/control")


# What is replaced in the policy, what takes its place, and what the new daemon says of it.
CANNOT_START = [("log          file:{d}/record", "log          file:{d}/none/record", "none/record"),
                ("policy inbound {", 'store lmdb:{d}/none/store\npolicy inbound {\n'
                 '  on rcpt { defer 450 4.7.1 "wait"  if greylist is new }', "none/store")]


@pytest.mark.parametrize("old, new, words", CANNOT_START)
def test_a_new_daemon_that_cannot_start_leaves_the_old_one_its_files(nameserver, postfix_server, directory, token, old, new, words):
    with Daemons(directory, POLICY, listen=f"unix:{postfix_server.unix} mode 0666") as daemons:
        paths = (postfix_server.unix, directory + "/control")
        before = [os.stat(path).st_ino for path in paths]
        with open(daemons.gate.file) as f:
            good = f.read()
        with open(daemons.gate.file, "w") as f:
            f.write(good.replace(old.replace("{d}", directory), new.replace("{d}", directory)))
        ended = sekisho.run("daemon", "-c", daemons.gate.file, "--take-over")
        assert ended.returncode == 69 and words in ended.stderr, ended
        with open(daemons.gate.file, "w") as f:
            f.write(good)
        assert [os.stat(path).st_ino for path in paths] == before
        assert smtp.send(postfix_server, "<alice@pass.example.net>", [BOB], smtp.message(token), service="unix").end.code == 250
        assert postfix_server.delivered(token).field("X-Judged") == "yes"
        assert daemons.gate.status()["pid"] == daemons.process.pid


def several_at_once(daemons):
    """Four new daemons are started together; the one that is left."""
    errors = open(daemons.gate.errors_file, "a")
    started = [daemons.process] + [
        subprocess.Popen([sekisho.PROGRAM, "daemon", "-c", daemons.gate.file, "--take-over"], stdin=subprocess.DEVNULL,
                         stdout=errors, stderr=errors) for _ in range(4)]
    errors.close()
    daemons.old = started
    left = lambda: [process for process in started if process.poll() is None]
    assert wait_for(lambda: len(left()) <= 1, seconds=60), daemons.gate.errors()
    time.sleep(0.5)
    assert len(left()) == 1, daemons.gate.errors() + str(daemons.gate.messages()[-9:])
    daemons.process = left()[0]
    daemons.old = []
    assert all(process.returncode in (0, 69) for process in started if process is not daemons.process)
    assert daemons.gate.status()["pid"] == daemons.process.pid


def test_of_several_new_daemons_one_is_left(nameserver, postfix_server, directory, token):
    """With a store in a file: who waited for the end of the first daemon must not end the one that came after it."""
    settings = f"\nstore lmdb:{directory}/store\nlist seen dynamic:1h\n"
    with Daemons(directory, POLICY, listen=f"unix:{postfix_server.unix} mode 0666", settings=settings) as daemons:
        for number in range(2):
            several_at_once(daemons)
            text = smtp.message(f"{number}-{token}")
            assert smtp.send(postfix_server, "<alice@pass.example.net>", [BOB], text, service="unix").end.code == 250
            assert postfix_server.delivered(f"{number}-{token}").field("X-Judged") == "yes"


def test_an_answer_that_is_none_of_a_daemon_stops_the_start(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, start=False)
    for answer, why in ((b'{"ok":false,"error":"unknown command"}\n', "unknown command"), (b"", "not that of this version"),
                        (b'{"ok":true,"pid":1,"sockets":["control"]}\n', "not that of this version"), (b"[" * 5000, "not that")):
        with Answers(directory + "/control", answer):
            ended = sekisho.run("daemon", "-c", daemon.file, "--take-over")
        assert ended.returncode == 69 and why in ended.stderr and "does not hand its sockets over" in ended.stderr, ended
        assert not sekisho.listening(sekisho.PORT)


def test_descriptors_that_are_no_listening_sockets_are_not_taken(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, start=False)
    answer = b'{"ok":true,"pid":1,"sockets":["control"]}\n'
    with open("/dev/null") as other, Answers(directory + "/control", answer, [other.fileno()]):
        ended = sekisho.run("daemon", "-c", daemon.file, "--take-over")
    assert ended.returncode == 69 and "does not hand its sockets over" in ended.stderr, ended
