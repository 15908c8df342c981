"""Only the mail server, root and the user of the daemon can have mail signed, or talk to libmilter at all."""
import json
import os
import subprocess
import sys

import pytest

import miltc
import sekisho
from mta import wait_for

POLICY = """
policy local { on message { add-header X-Signed "yes" } }
"""

# Speaks the protocol as uid 54321, or as another, and says whether it got an answer.
CLIENT = """
import os, sys
sys.path.insert(0, {here!r})
import miltc
os.setgroups([])
os.setresgid({uid}, {uid}, {uid})
os.setresuid({uid}, {uid}, {uid})
try:
    with miltc.Milter({address!r}, timeout=5) as m:
        m.greet("127.0.0.1", "localhost", "localhost")
        m.message("<ceo@example.org>")
        print("served", len(m.edits()))
except (miltc.Closed, OSError) as error:
    print("refused", type(error).__name__)
"""


def as_user(uid, address):
    program = CLIENT.format(here=os.path.dirname(os.path.abspath(__file__)), uid=uid, address=address)
    done = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stdout, done.stderr
    return done.stdout.split()[0]


def logged(daemon, text):
    """A line of the daemon itself."""
    def look():
        with open(daemon.record_file) as f:
            return [line for line in f if '"level"' in line and text in line]
    return wait_for(look, seconds=5)


def uid_of(name):
    with open("/etc/passwd") as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split(":")[2])
    pytest.skip(f"user {name} does not exist")


ADDRESS = ("127.0.0.1", 8891)


@pytest.mark.parametrize("listen", ["inet:8891@127.0.0.1", "inet6:8891"], ids=["inet", "mapped"])
def test_a_program_of_a_stranger_is_not_served_over_the_network(nameserver, directory, listen):
    with sekisho.Daemon(directory, POLICY, listen=listen) as daemon:
        assert as_user(54321, ADDRESS) == "refused"
        assert as_user(0, ADDRESS) == "served"
        assert as_user(uid_of("postfix"), ADDRESS) == "served"
        assert as_user(54321, ADDRESS) == "refused"
        assert len(logged(daemon, "uid 54321")) == 1, "it is said once a minute"
        assert len(daemon.records()) == 2


def test_users_that_are_named_are_served_and_no_others(nameserver, directory):
    with sekisho.Daemon(directory, POLICY, listen="inet:8891@127.0.0.1 user nobody daemon"):
        assert as_user(uid_of("nobody"), ADDRESS) == "served"
        assert as_user(uid_of("postfix"), ADDRESS) == "refused"
        assert as_user(0, ADDRESS) == "served"


def test_a_unix_socket_has_its_mode(nameserver, directory):
    path = f"{directory}/milter.sock"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path} mode 0660 group postfix"):
        assert as_user(54321, path) == "refused"
        assert as_user(0, path) == "served"


def test_a_refused_program_takes_nothing_from_others(nameserver, directory):
    """They come and go; each is hung up on, and mail is served in between."""
    with sekisho.Daemon(directory, POLICY):
        program = ("import os, socket\nos.setresuid(54321, 54321, 54321)\nfor _ in range(300):\n"
                   "    s = socket.create_connection(('127.0.0.1', 8891))\n    s.recv(1)\n    s.close()\n")
        crowd = subprocess.Popen([sys.executable, "-c", program])
        for _ in range(20):
            with miltc.Milter() as m:
                m.greet()
                assert m.message().what == "continue"
                m.quit()
        assert crowd.wait(timeout=30) == 0
        status = json.loads(sekisho.run("status", "--socket", f"{directory}/control", "--json").stdout)
        assert status["sessions"]["total"] == 20
