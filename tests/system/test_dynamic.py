"""Dynamic lists: changed through the control socket, in effect at once, kept over a restart; who may change them."""
import os
import re
import subprocess
import time

import pytest

import miltc
import sekisho

SETTINGS = """
store lmdb:{directory}/store
list recent dynamic:30m at-most 1000 writers mail
list bad dynamic:1h writers games
"""

POLICY = """
submission { port 587  clients recent }
policy inbound {
  on mail { reject 550 5.7.1 "listed"     if client in bad
            reject 550 5.7.2 "inbound" }
}
policy submission { on mail { reject 550 5.7.3 "a user" } }
"""

NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup"]


@pytest.fixture
def daemon(nameserver, directory):
    base = sekisho.SETTINGS.replace("submission   {{ port 587 465 }}\n", "")
    with sekisho.Daemon(directory, POLICY, settings=SETTINGS, base=base) as running:
        yield running


def change(daemon, *arguments, who=()):
    done = subprocess.run([*who, sekisho.PROGRAM, "list", *arguments, "--socket", f"{daemon.directory}/control"],
                          capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr.strip()


def answer(milter):
    return milter.message("<a@pass.example.net>").text


def test_a_listed_client_is_a_user_at_once_also_on_an_open_session_and_after_a_restart(daemon):
    with miltc.Milter() as m:
        m.greet()
        assert answer(m) == "550 5.7.2 inbound"
        assert change(daemon, "add", "recent", "203.0.113.0/24") == (0, "", "")
        assert answer(m) == "550 5.7.3 a user"
        assert change(daemon, "add", "bad", "203.0.113.5", "--for", "3s")[0] == 0
        daemon.stop()
        daemon.start()
    with miltc.Milter() as m:
        m.greet()
        assert answer(m) == "550 5.7.3 a user"
        assert change(daemon, "remove", "recent", "203.0.113.5")[0] == 1, "exactly that was not there"
        assert change(daemon, "remove", "recent", "203.0.113.0/24")[0] == 0
        assert answer(m) in ("550 5.7.1 listed", "550 5.7.2 inbound")
        time.sleep(3.1)
        assert answer(m) == "550 5.7.2 inbound"
        m.quit()
    code, out, _ = change(daemon, "show", "recent")
    assert (code, out) == (0, "")


def test_a_writer_may_change_its_list_and_ask_nothing_else(daemon):
    mail = NOBODY + ["--groups", "mail"]  # a supplementary group
    refused = "sekisho list: you are not in a group that is a writer of this list"
    assert change(daemon, "add", "recent", "192.0.2.1", who=mail)[0] == 0
    assert change(daemon, "show", "recent", "192.0.2.1", who=mail)[1] == "192.0.2.1\t30m 0s\n"
    assert change(daemon, "add", "bad", "192.0.2.1", who=mail) == (1, "", refused)
    assert change(daemon, "show", "bad", who=mail) == (1, "", refused)
    assert change(daemon, "add", "nothing", "192.0.2.1", who=mail) == (1, "", refused)
    games = ["setpriv", "--reuid=nobody", "--regid=games", "--clear-groups"]
    assert change(daemon, "add", "bad", "192.0.2.1", who=games)[0] == 0
    assert change(daemon, "add", "recent", "192.0.2.2", who=games)[0] == 1
    for verb in (["status"], ["reload"], ["blocks"], ["store", "list"], ["store", "delete", "list:net"],
                 ["block", "192.0.2.1", "--for", "1h"], ["unblock", "192.0.2.1"]):
        done = subprocess.run([*mail, sekisho.PROGRAM, *verb, "--socket", f"{daemon.directory}/control"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode != 0 and re.search("only root(,| and) the user of the daemon .*may ask this", done.stderr), verb
    assert change(daemon, "show", "bad", "192.0.2.1")[0] == 0


def test_everybody_else_is_sent_away_before_saying_anything(daemon):
    stranger = NOBODY + ["--clear-groups"]
    code, _, said = change(daemon, "show", "recent", who=stranger)
    assert code == 1 and said == ('sekisho list: only root, the user of the daemon, the readers of "control" and the writers of '
                                   "a list may ask it")
    silent = [subprocess.Popen([*stranger, "python3", "-c", "import socket, sys, time\n"
                                "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); time.sleep(5)",
                                f"{daemon.directory}/control"]) for _ in range(10)]
    for _ in range(20):
        assert daemon.status()["version"]
    for process in silent:
        process.kill()
        process.wait()


def test_the_socket_is_open_only_while_a_list_has_writers(daemon):
    def mode():
        return os.stat(f"{daemon.directory}/control").st_mode & 0o777
    assert mode() == 0o666
    daemon.settings = SETTINGS.replace(" writers mail", "").replace(" writers games", "")
    daemon.configure(POLICY)
    assert daemon.reload()[0] == 0
    assert mode() == 0o600
    daemon.settings = SETTINGS
    daemon.configure(POLICY)
    assert daemon.reload()[0] == 0
    assert mode() == 0o666
