"""The record says what the mail server was told, not what was decided before."""
import time

import pytest

import miltc
import sekisho

POLICY = """
policy inbound {
  on message {
    prefix-subject "[x] "
    reject 550 5.7.1 "no"                           if spf is { none temperror } and header("X-Reply") matches /./
  }
}
"""

RECIPIENTS_MAX = 10000


@pytest.fixture(params=["inet", "unix"])
def door(request, nameserver, directory):
    """The daemon, and where a client of the milter protocol finds it."""
    listen, address = (sekisho.INET, ("127.0.0.1", 8891)) if request.param == "inet" else (
        f"unix:{directory}/milter.sock", f"{directory}/milter.sock")
    with sekisho.Daemon(directory, POLICY, listen=listen) as daemon:
        yield daemon, address


def counted(daemon):
    return daemon.status()["messages"]["verdicts"]


def test_a_message_whose_edits_fail_is_recorded_as_deferred(door, token):
    daemon, address = door
    with miltc.Milter(address) as m:
        m.negotiate(actions=miltc.ALL_ACTIONS & ~miltc.CHANGE_HEADER)
        m.connect("mail.example.net", "203.0.113.5")
        m.helo("mail.example.net")
        answer = m.message(f"<{token}@pass.example.net>")
    assert answer.text.startswith("451 4.3.0")
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert (record["verdict"], record["told"]) == ("defer", "edits-failed")
    assert record["reply"].startswith("451 4.3.0") and record["v"] == 2
    assert counted(daemon)["defer"] == 1 and counted(daemon)["accept"] == 0


def test_a_refusal_that_waits_for_the_end_is_recorded_as_told(door, token):
    daemon, address = door
    with miltc.Milter(address) as m:
        m.greet()
        answer = m.message(f"<{token}@pass.example.net>", ["<bob@example.org>"] * (RECIPIENTS_MAX + 1))
        assert answer.text.startswith("452 4.5.3")
        assert m.message(f"<b{token}@pass.example.net>").what == "continue"
        m.quit()
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert (record["verdict"], record["told"], record["stage"]) == ("defer", "held", "rcpt")
    assert record["reply"].startswith("452 4.5.3")
    assert "told" not in daemon.record(sender=f"b{token}@pass.example.net")


@pytest.mark.parametrize("headers", [None, [("X-Reply", " x")]], ids=["accepted", "refused"])
def test_a_session_that_closes_before_the_answer_was_told_nothing(door, dns, token, headers):
    daemon, address = door
    dns.fault(f"*.{token}.example.net TXT slow=2")
    with miltc.Milter(address) as m:
        m.greet()
        m.mail(f"<a@x.{token}.example.net>")
        m.rcpt("<bob@example.org>")
        m.data()
        m.fields(headers)
        m.eoh()
        m.packet(b"E")
        time.sleep(0.5)  # it is at the end of the message now, and waits for the DNS
    record = daemon.record(sender=f"a@x.{token}.example.net")
    assert (record["verdict"], record["told"], record["reply"]) == ("aborted", "unanswered", None)
    assert counted(daemon)["aborted"] == 1 and counted(daemon)["accept"] == 0
