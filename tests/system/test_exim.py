"""Exim, which has no milter: the policy door before DATA and the rspamc door at DATA, with the shipped conf/exim.conf."""
import pytest

import sekisho
import smtp
import space

ENGINES = sekisho.ENGINES[:1]  # no milter here: once is enough

SETTINGS = """
listen     policy unix:{policy} mode 0666
listen     rspamc unix:{rspamc} mode 0666
store      lmdb:{directory}/store
"""

POLICY = """
policy inbound {
  on mail    { reject 550 5.7.1 "refused by its sender"               if sender is refused@pass.example.net }
  on rcpt    { reject 550 5.1.1 "no %{recipient}"                     if recipient is nobody@example.org
               defer 450 4.7.1 "later"                                if recipient is later@example.org }
  on message { reject 550 5.7.26 "first line" "second 100%% $line {x}" if header(Subject) is "refuse"
               defer 451 4.7.1 "come again"                           if header(Subject) is "defer"
               discard                                                if header(Subject) is "discard"
               add-header X-Seen "%{queue-id}"
             }
}
"""

BOB = "<bob@example.org>"


@pytest.fixture
def daemon(nameserver, directory, exim_server):
    settings = SETTINGS.replace("{policy}", exim_server.policy).replace("{rspamc}", exim_server.rspamc)
    with sekisho.Daemon(directory, POLICY, settings=settings) as running:
        yield running


def send(exim, token, subject="hello", sender="<alice@pass.example.net>", to=(BOB,), fields=(), **client):
    return smtp.send(exim, sender, list(to), smtp.message(token, *fields, subject=subject), **client)


def test_mail_is_judged_and_delivered(daemon, exim_server, token):
    assert send(exim_server, token).end.code == 250
    arrived = exim_server.delivered(token)
    assert arrived.field("Authentication-Results").startswith("mx.example.org; spf=pass")
    assert arrived.names().index("Authentication-Results") < arrived.names().index("Received"), "ours is on top"
    record = daemon.record(sender="alice@pass.example.net", verdict="accept")
    assert record["client"] == space.GOOD and record["helo"] == "mail.example.net"
    assert record["queue-id"] == arrived.field("X-Seen") and record["queue-id"] in arrived.field("Received")
    assert len(daemon.records()) == 1, "what was asked before DATA is part of it"


def test_each_verdict_reaches_the_client(daemon, exim_server, token):
    refused = send(exim_server, token, "refuse").end
    assert refused == (550, "5.7.26 first line\n5.7.26 second 100% $line {x}")
    assert send(exim_server, token, "defer").end == (451, "4.7.1 come again")
    assert send(exim_server, token, "discard").end.code == 250
    assert not exim_server.find(token)
    for verdict in ("reject", "defer", "discard"):
        assert daemon.record(verdict=verdict, stage="message")["queue-id"]
    assert send(exim_server, token, sender="<refused@pass.example.net>").mail == (550, "5.7.1 refused by its sender")
    replies = send(exim_server, token, to=("<nobody@example.org>", "<later@example.org>", BOB))
    assert replies.rcpt[:2] == [(550, "5.1.1 no nobody@example.org"), (450, "4.7.1 later")]
    assert replies.end.code == 250 and exim_server.delivered(token)
    record = daemon.record(verdict="accept")
    assert [one["recipient"] for one in record["refused"]] == ["nobody@example.org", "later@example.org"]


def test_without_the_daemon_nothing_passes(daemon, exim_server, token):
    daemon.stop()
    assert send(exim_server, token).mail.code == 451
    daemon.start()
    with smtp.Client(exim_server) as client:
        client.envelope("<alice@pass.example.net>", [BOB])
        assert client.command("DATA").code == 354
        daemon.stop()
        assert client.finish(smtp.message(token)).code == 451
    daemon.start()
    assert send(exim_server, token).end.code == 250
    assert exim_server.delivered(token)
