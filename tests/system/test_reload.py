"""A new policy takes effect while mail flows; a bad one changes nothing; lists keep what they had."""
import json
import os
import signal
import time

import pytest

import miltc
import sekisho
import smtp
from mta import wait_for

POLICY = """
list friends file:{directory}/friends
policy inbound {{
  on mail {{
    reject 550 5.7.1 "policy {name}"      if sender matches /^asked/
    reject 550 5.7.2 "a friend"           if sender in friends
  }}
}}
"""


def policy(directory, name="one"):
    return POLICY.format(directory=directory, name=name)


@pytest.fixture
def daemon(nameserver, directory):
    with open(directory + "/friends", "w") as f:
        f.write("friend@pass.example.net\n")
    with sekisho.Daemon(directory, policy(directory)) as running:
        yield running


def ask(sender="asked"):
    """What the daemon answers a new session at MAIL: the reply, or continue."""
    with miltc.Milter() as m:
        m.greet()
        answer = m.mail(f"<{sender}@pass.example.net>")
        m.quit()
    return answer.text if answer.what == "reply" else answer.what


def test_a_new_policy_is_taken(daemon):
    assert "policy one" in ask()
    daemon.configure(policy(daemon.directory, "two"))
    assert "policy one" in ask()
    code, said = daemon.reload()
    assert code == 0, said
    assert "policy two" in ask()


def test_sigusr1_reloads(daemon):
    daemon.configure(policy(daemon.directory, "two"))
    daemon.process.send_signal(signal.SIGUSR1)
    assert wait_for(lambda: "policy two" in ask(), seconds=5)


def test_a_session_keeps_the_policy_it_began_with(daemon, mta, token):
    bob = ["<bob@example.org>"]
    with smtp.Client(mta) as client:
        assert "policy one" in client.send("<asked@pass.example.net>", bob, smtp.message(token)).mail.text
        daemon.configure(policy(daemon.directory, "two"))
        assert daemon.reload()[0] == 0
        assert "policy two" in ask()
        assert "policy one" in client.send("<asked@pass.example.net>", bob, smtp.message(token)).mail.text
        assert client.send("<alice@pass.example.net>", bob, smtp.message(token)).end.code == 250
    mta.delivered(token)
    with smtp.Client(mta) as client:
        assert "policy two" in client.send("<asked@pass.example.net>", bob, smtp.message(token)).mail.text


def test_a_bad_file_changes_nothing_and_says_why(daemon):
    daemon.configure(policy(daemon.directory, "two") + "policy inbound { on mail { reject 999 \"x\" if spf is fial } }\n")
    code, said = daemon.reload()
    assert code == 1
    assert daemon.line("reject 999") + ":" in said and "fial" in said
    assert "policy one" in ask()
    os.unlink(daemon.file)
    code, said = daemon.reload()
    assert code == 1 and "sekisho.conf" in said
    assert "policy one" in ask()


def test_status_works_while_the_file_has_errors(daemon):
    with open(daemon.file, "a") as f:
        f.write("typo\npolicy inbound { on mail { reject 999 } }\n")
    done = sekisho.run("status", "-c", daemon.file)
    assert done.returncode == 0 and "messages" in done.stdout and not done.stderr


def test_a_bad_file_and_sigusr1_change_nothing(daemon):
    daemon.configure("nonsense\n")
    daemon.process.send_signal(signal.SIGUSR1)
    time.sleep(0.5)
    assert daemon.alive() and "policy one" in ask()


def test_a_file_of_random_bytes_changes_nothing(daemon):
    with open(daemon.file, "wb") as f:
        f.write(bytes((i * 7919 + i // 251) % 256 for i in range(100000)))
    assert daemon.reload()[0] == 1
    assert "policy one" in ask()


def test_a_setting_that_needs_a_restart_is_not_taken_silently(daemon):
    daemon.listen = "inet:8899@127.0.0.1"
    daemon.configure(policy(daemon.directory, "two"))
    code, said = daemon.reload()
    assert "listen" in said, "a changed listen address needs a restart; reload says so"
    assert sekisho.listening(8891) and not sekisho.listening(8899)
    daemon.listen = sekisho.INET
    daemon.configure(policy(daemon.directory, "two"))
    code, said = daemon.reload()
    assert "listen" not in said
    daemon.listen = sekisho.INET + " user nobody"
    daemon.configure(policy(daemon.directory, "two"))
    code, said = daemon.reload()
    assert "`listen` has changed" in said, "who may connect is decided at the start"
    daemon.listen = sekisho.INET


def test_many_reloads_under_traffic(daemon):
    deadline = time.monotonic() + 3
    number = 0
    with miltc.Milter() as steady:
        steady.greet()
        while time.monotonic() < deadline:
            number += 1
            daemon.configure(policy(daemon.directory, f"number{number}"))
            daemon.process.send_signal(signal.SIGUSR1)
            assert steady.message("<alice@pass.example.net>").what in ("continue", "accept")
            assert "policy one" in steady.mail("<asked@pass.example.net>").text
            ask()
    assert daemon.alive() and number > 10


# ---- lists


def test_a_changed_list_is_read_by_itself(daemon):
    assert "a friend" in ask("friend")
    assert ask("new") == "continue"
    replace(daemon.directory + "/friends", "friend@pass.example.net\nnew@pass.example.net\n")
    assert wait_for(lambda: "a friend" in ask("new"), seconds=20, every=0.2)


def test_a_list_that_vanishes_keeps_its_content(daemon):
    os.unlink(daemon.directory + "/friends")
    daemon.reload()
    assert "a friend" in ask("friend")
    assert wait_for(lambda: "friends" in log(daemon), seconds=15)


def test_a_list_that_is_half_written_keeps_its_content(daemon):
    with open(daemon.directory + "/friends", "w") as f:
        f.write("not-a-friend@pass.example.net\nbro@ken@@\0\xff half an addr")
        f.flush()
        daemon.reload()
        assert "a friend" in ask("friend")
        assert ask("not-a-friend") == "continue"


def replace(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def log(daemon):
    with open(daemon.record_file, errors="replace") as f:
        return f.read() + daemon.errors()


def test_a_list_that_was_never_there_defers(nameserver, directory):
    with sekisho.Daemon(directory, policy(directory)) as daemon:
        with miltc.Milter() as m:
            m.greet()
            answer = m.mail("<friend@pass.example.net>")
        assert answer.what == "reply" and answer.text.startswith("451 4.3.0")
        replace(directory + "/friends", "friend@pass.example.net\n")
        assert daemon.reload()[0] == 0
        assert "a friend" in ask("friend")


def test_a_large_list_is_quick(nameserver, directory):
    with open(directory + "/friends", "w") as f:
        for number in range(300000):
            f.write(f"user{number}@domain{number % 1000}.example\n")
        f.write("friend@pass.example.net\n")
    with sekisho.Daemon(directory, policy(directory)):
        assert "a friend" in ask("friend")
        with miltc.Milter() as m:
            m.greet()
            started = time.monotonic()
            for _ in range(200):
                assert m.mail("<stranger@pass.example.net>").what == "continue"
                m.abort()
            assert time.monotonic() - started < 5


SIGNING = """
sign signer.example.org {{ selector {selector} key {directory}/key.pem }}
policy inbound {{ on message {{ sign }} }}
"""


def make_key(directory, selector):
    """A new key in the same file; the line of a zone that publishes it."""
    path = directory + "/key.pem"
    if os.path.exists(path):
        os.unlink(path)
    done = sekisho.run("genkey", "signer.example.org", selector, "--type", "ed25519", "--out", path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signs_with(session, directory, record):
    """True when the next message of the session is signed so that this published key verifies it."""
    fields = [("From", " alice@signer.example.org"), ("Subject", " hello")]
    assert session.message("<alice@signer.example.org>", headers=fields).what == "continue"
    value, = [edit[3] for edit in session.edits() if edit[2] == "DKIM-Signature"]
    header = "".join(f"{name}:{text}\n" for name, text in [("DKIM-Signature", value)] + fields)
    with open(directory + "/message", "w") as f:
        f.write(header + "\nHello.\n")
    with open(directory + "/zone", "w") as f:
        f.write(record)
    done = sekisho.run("verify", "--zone", directory + "/zone", directory + "/message")
    assert "d=signer.example.org" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("engine", ["native", "libopendkim"])
@pytest.mark.parametrize("selector", ["one", "two"])
def test_a_changed_key_signs_for_new_sessions_and_old_ones_keep_theirs(directory, nameserver, engine, selector):
    socket = directory + "/socket"
    settings = f"dkim {{ engine {engine} }}\n"
    old = make_key(directory, "one")
    if engine != "native" and sekisho.run("verify", "--engine", engine, "--zone", os.devnull, os.devnull).returncode > 1:
        pytest.skip("built without libopendkim")
    with sekisho.Daemon(directory, SIGNING.format(directory=directory, selector="one"), listen="unix:" + socket,
                        settings=settings) as daemon, miltc.Milter(socket) as before:
        before.greet()
        assert signs_with(before, directory, old)
        new = make_key(directory, selector)
        daemon.configure(SIGNING.format(directory=directory, selector=selector))
        with miltc.Milter(socket) as unread:
            unread.greet()
            assert signs_with(unread, directory, old), "a key counts from the reload on"
            unread.quit()
        code, said = daemon.reload()
        assert code == 0, said
        with miltc.Milter(socket) as after:
            after.greet()
            assert signs_with(after, directory, new) and not signs_with(after, directory, old)
            after.quit()
        assert signs_with(before, directory, old) and not signs_with(before, directory, new)
        done = sekisho.run("status", "--json", "-c", daemon.file)
        assert json.loads(done.stdout)["dkim"] == {"disagreements": 0}, done.stdout
        before.quit()


TESTED = """check-tests yes
include conf.d
test "asked is refused" {{
  sender asked@pass.example.net
  expect reject 550 5.7.1
}}
"""


def test_included_files_are_reloaded_once_their_tests_pass(daemon):
    included = daemon.directory + "/conf.d/10-rules.conf"
    os.mkdir(daemon.directory + "/conf.d")
    with open(included, "w") as f:
        f.write(policy(daemon.directory, "one"))
    daemon.configure(TESTED.format())
    code, said = daemon.reload()
    assert code == 0, said
    assert "policy one" in ask()

    with open(included, "w") as f:
        f.write(policy(daemon.directory, "two").replace("550 5.7.1", "554 5.7.1"))
    code, said = daemon.reload()
    assert code == 1
    assert 'test "asked is refused": expected reject 550 5.7.1, got reject 554 5.7.1 policy two' in said
    assert "on mail" in said and "decides" in said and "1 of 1 tests failed" in said
    assert "policy one" in ask()

    with open(included, "w") as f:
        f.write(policy(daemon.directory, "three"))
    with open(daemon.directory + "/conf.d/20-wrong.conf", "w") as f:
        f.write("mode wrong\n")
    code, said = daemon.reload()
    assert code == 1 and "conf.d/20-wrong.conf:1:6: mode cannot be" in said
    os.unlink(daemon.directory + "/conf.d/20-wrong.conf")
    code, said = daemon.reload()
    assert code == 0, said
    assert "policy three" in ask()
