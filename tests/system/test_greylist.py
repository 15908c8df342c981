"""Greylisting behind both mail servers, over days with a moved clock, and 10,000 strangers at once."""
import glob
import json
import os
import threading
import time

import pytest

import miltc
import sekisho
import smtp
import space

SETTINGS = """
store lmdb:{directory}/store
greylist { delay 2s  window 2d  remember 36d  proven 3 }
"""

POLICY = """
policy inbound {
  on rcpt {
    defer 451 4.2.0 "Greylisted, come again in %{greylist.wait} s"  if greylist is { new early }
  }
}
policy submission { on rcpt { log "%{greylist}" if greylist is known } }
"""


@pytest.fixture
def daemon(nameserver, directory):
    with sekisho.Daemon(directory, POLICY, settings=SETTINGS) as running:
        yield running


def verb(daemon, *words, code=0):
    done = sekisho.run("greylist", *words, "-c", daemon.file)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def word(daemon):
    return daemon.records()[-1]["facts"]["greylist"]


def clock(days=0.0, seconds=0):
    """The environment of a process whose wall clock is that much ahead."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        pytest.skip("faketime is not installed")
    return dict(os.environ, LD_PRELOAD=found[0], FAKETIME=f"+{int(days * 86400 + seconds)}s",
                FAKETIME_DONT_FAKE_MONOTONIC="1", ASAN_OPTIONS="verify_asan_link_order=0")


def test_a_stranger_comes_back_and_all_its_recipients_wait_alike(daemon, mta, token):
    to = ["<bob@example.org>", "<alice@example.org>", "<postmaster@example.org>"]
    with smtp.Client(mta, source=space.BAD) as client:
        first = client.send(f"<{token}@none.example.net>", to, smtp.message(token))
    assert [r.code for r in first.rcpt] == [451, 451, 250], first
    assert "Greylisted, come again in 2 s" in first.rcpt[0].text and "4.2.0" in first.rcpt[0].text
    time.sleep(2.1)
    with smtp.Client(mta, source=space.BAD) as client:
        again = client.send(f"<{token}@none.example.net>", to, smtp.message("again-" + token))
    assert [r.code for r in again.rcpt] == [250, 250, 250] and again.end.code == 250
    assert word(daemon) == "known"  # for postmaster, the last
    assert mta.delivered("again-" + token, copies=3)
    with smtp.Client(mta, source=space.BAD) as client:
        third = client.send(f"<{token}@none.example.net>", to[:1], smtp.message("third-" + token))
    assert third.end.code == 250 and word(daemon) == "known"


def test_whom_a_user_wrote_to_need_not_wait(daemon, mta, token):
    friend = f"{token}@none.example.net"
    with smtp.Client(mta, source=space.BAD) as client:
        assert client.send(f"<{friend}>", ["<bob@example.org>"], smtp.message(token)).rcpt[0].code == 451
    with smtp.Client(mta, "submission", tls=True, login=("alice@example.org", "secret")) as client:
        replies = client.send("<alice@example.org>", [f"<{friend}>"], smtp.message("to-" + token))
    assert replies.rcpt[0].code == 250 and replies.end.code == 250, replies
    daemon.records()  # learned when the message is over
    with smtp.Client(mta, source=space.BAD) as client:
        assert client.send(f"<{friend}>", ["<bob@example.org>"], smtp.message("re-" + token)).end.code == 250
    stored = sekisho.run("store", "list", "-c", daemon.file).stdout
    assert "corr:" in stored and token not in stored, "the address of a stranger is in no key"
    ours = [line for line in stored.splitlines() if not line.startswith("login:")]  # logins are those of our users
    assert not any("@" in line for line in ours), stored


def attempt(client_address="198.51.100.7", sender="a@none.example.net"):
    with miltc.Milter() as m:
        m.greet(address=client_address)
        answer = m.message(f"<{sender}>")
        m.quit()
    return answer


def test_over_two_days_with_a_moved_clock(nameserver, directory):
    settings = SETTINGS.replace("delay 2s", "delay 5m")
    daemon = sekisho.Daemon(directory, POLICY, settings=settings, start=False)
    story = [
        (dict(seconds=0), "back@none.example.net", "new"),
        (dict(seconds=60), "back@none.example.net", "early"),
        (dict(seconds=60), "gone@none.example.net", "new"),
        (dict(days=1), "back@none.example.net", "passed"),
        (dict(days=1), "back@none.example.net", "known"),
        (dict(days=2.1), "gone@none.example.net", "new"),
        (dict(days=36.9), "back@none.example.net", "known"),
        (dict(days=72.8), "back@none.example.net", "known"),
        (dict(days=110), "back@none.example.net", "new"),
    ]
    for moved, sender, expected in story:
        daemon.start(env=clock(**moved))
        answer = attempt(sender=sender)
        assert word(daemon) == expected, (moved, sender, daemon.records()[-1])
        assert (answer.what == "continue") == (expected in ("passed", "known")), (moved, answer.text)
        daemon.stop()


def test_what_waits_and_has_passed_survives_a_kill(daemon):
    assert attempt().text.startswith("451 4.2.0 Greylisted, come again in 2 s")
    time.sleep(2.1)  # the manual promises that what is older than a second is kept
    daemon.kill()
    daemon.start()
    assert attempt().what == "continue"
    assert word(daemon) == "passed"


def test_entries_are_shown_and_forgotten(daemon):
    for number in range(3):
        attempt(sender=f"x{number}@none.example.net")
    attempt("203.0.113.5", "a@pass.example.net")
    lines = [line.split("\t") for line in verb(daemon, "show").splitlines()]
    assert [line[:2] for line in lines] == [["198.51.100.0/24", "waiting"]] * 3 + [["pass.example.net", "waiting"]]
    assert all(line[2] in ("2d 0h", "1d 23h") for line in lines)
    time.sleep(2.1)
    for number in range(3):
        attempt(sender=f"x{number}@none.example.net")
    shown = json.loads(verb(daemon, "show", "198.51.100.99", "--json"))
    assert sorted(entry["state"] for entry in shown) == ["counted", "passed", "passed", "passed", "proven"]
    assert [entry["count"] for entry in shown if entry["state"] == "counted"] == [3]
    assert attempt(sender="another@none.example.net").what == "continue"
    assert verb(daemon, "forget", "198.51.100.0/24") == "sekisho greylist: 5 entries forgotten\n"
    assert verb(daemon, "show").startswith("pass.example.net\t")
    assert attempt(sender="another@none.example.net").what != "continue"
    assert verb(daemon, "forget", "pass.example.net") == "sekisho greylist: 1 entry forgotten\n"
    verb(daemon, "forget", "pass.example.net", code=1)
    verb(daemon, "show", "pass.example.net", code=1)
    assert "/24 of IPv4" in verb(daemon, "show", "198.51.0.0/16", code=64)
    assert "usage:" in verb(daemon, "forget", code=64)


def test_10000_strangers_at_once_wait_and_each_is_remembered(daemon):
    answers, crowd, each = [], 50, 200

    def come(number):
        with miltc.Milter(timeout=80) as m:
            m.greet(address=f"198.51.100.{number}")
            for i in range(each):
                m.mail(f"<a{number}x{i}@none.example.net>")
                answers.append(m.rcpt("<bob@example.org>").text)
                m.abort()
            m.quit()

    threads = [threading.Thread(target=come, args=(number,)) for number in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["451 4.2.0 Greylisted, come again in 2 s"] * (crowd * each)
    assert verb(daemon, "show", "198.51.100.1").count("198.51.100.0/24\twaiting\t") == crowd * each
