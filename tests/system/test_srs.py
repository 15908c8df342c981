"""SRS with real mail servers: a forwarded message leaves with an SRS sender, and its bounce comes back to the original
sender, through the tables that the mail servers ask and through a rule of the milter."""
import os

import pytest

import sekisho
import smtp
from mta import wait_for
from outgoing import WAY
from sink import Sink

SETTINGS = """
listen     socketmap unix:{map1} mode 0666
listen     socketmap unix:{map2} mode 0666
listen     srs-forward inet:10001@127.0.0.1
listen     srs-reverse inet:10002@127.0.0.1
list       own       file:{directory}/own
list       forwarded file:{directory}/forwarded
srs        { domain srs.example.org  secret-file {directory}/srs.secret  never-rewrite own }
"""

POLICY = """
policy inbound {
  on message {
    add-recipient    "bob@away.example.test"    if any recipient is forwarded@example.org
    delete-recipient "forwarded@example.org"
    set-sender       srs                        if all recipient in forwarded
  }
}
"""

ALICE = "alice@away.example.test"
FORWARDED, BOB = "<forwarded@example.org>", "<bob@example.org>"
START = "<SRS0="


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory, postfix_server, sendmail_server):
    for name, text in (("own", "own.example.org\n"), ("forwarded", "forwarded@example.org\n"), ("srs.secret", "secretone\n")):
        with open(f"{module_directory}/{name}", "w") as f:
            f.write(text)
    os.chmod(f"{module_directory}/srs.secret", 0o600)
    settings = SETTINGS.replace("{map1}", postfix_server.map).replace("{map2}", sendmail_server.map)
    with sekisho.Daemon(module_directory, POLICY, settings=settings) as running:
        yield running


@pytest.fixture
def away(dns):
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


def left(mta, away, token, sender, recipient, service):
    """The envelope with which a message leaves."""
    replies = smtp.send(mta, sender, [recipient], smtp.message(token), service=service)
    assert replies.end and replies.end.code == 250, replies
    assert wait_for(lambda: away.find(token)), mta.tail()
    return away.envelope(token)


WAYS = [("postfix", "srs"), ("postfix", "srsmap"), ("postfix", "mx"), ("sendmail", "srs"), ("sendmail", "mx")]


@pytest.fixture(params=WAYS, ids=["-".join(way) for way in WAYS])
def way(request, postfix_server, sendmail_server):
    name, service = request.param
    return (postfix_server if name == "postfix" else sendmail_server), service


def back_through(service):
    """The service that has the map of the way back."""
    return "srs" if service == "mx" else service


def test_a_forwarded_message_has_an_srs_sender_and_its_bounce_comes_back(daemon, way, away, token):
    mta, service = way
    sender, recipients = left(mta, away, token, f"<{ALICE}>", FORWARDED, service)
    assert recipients == ["<bob@away.example.test>"]
    assert sender.startswith(START) and sender.endswith("=away.example.test=alice@srs.example.org>")
    bounce = left(mta, away, token + "bounce", "<>", sender, back_through(service))
    assert bounce == ("<>", [f"<{ALICE}>"])


def test_a_quoted_sender_comes_back_as_it_was(daemon, way, away, token):
    mta, service = way
    quoted = '<"a,b"@away.example.test>'
    sender, _ = left(mta, away, token, quoted, FORWARDED, service)
    assert sender.startswith('<"SRS0=') and sender.endswith('=away.example.test=a,b"@srs.example.org>')
    assert left(mta, away, token + "bounce", "<>", sender, back_through(service)) == ("<>", [quoted])


def test_own_senders_and_the_null_sender_stay(daemon, way, away, token):
    mta, service = way
    for number, sender in enumerate(("<me@own.example.org>", "<>", "<" + "a" * 50 + "@away.example.test>")):
        assert left(mta, away, f"{token}{number}", sender, FORWARDED, service)[0] == sender


def test_an_srs_sender_of_another_forwarder_is_shortened(daemon, way, away, token):
    mta, service = way
    first = "<SRS0=abcd=JQ=example.com=carol@away.example.test>"
    sender, _ = left(mta, away, token, first, FORWARDED, service)
    assert sender.startswith("<SRS1=") and sender.endswith("=away.example.test==abcd=JQ=example.com=carol@srs.example.org>")
    assert left(mta, away, token + "bounce", "<>", sender, back_through(service)) == ("<>", [first])


def test_a_rule_rewrites_no_sender_while_somebody_is_not_forwarded(daemon, mta, away, token):
    replies = smtp.send(mta, f"<{ALICE}>", [FORWARDED, BOB], smtp.message(token))
    assert replies.end.code == 250
    assert wait_for(lambda: away.find(token)) and away.envelope(token) == (f"<{ALICE}>", ["<bob@away.example.test>"])
    assert mta.delivered(token)


def test_a_forged_bounce_is_refused(daemon, sendmail_server, postfix_server):
    forged = "<SRS0=AAAA=JQ=away.example.test=alice@srs.example.org>"
    for server, service in ((sendmail_server, "srs"), (postfix_server, "srs"), (postfix_server, "srsmap")):
        with smtp.Client(server, service) as client:
            assert client.envelope("<>", [forged]).rcpt[0].code == 550


def test_an_open_secret_file_is_refused(daemon):
    secret = f"{daemon.directory}/srs.secret"
    os.chmod(secret, 0o644)
    try:
        done = sekisho.run("reload", "--socket", f"{daemon.directory}/control")
        assert done.returncode == 1 and "can be used by others" in done.stderr
        assert sekisho.run("check", f"{daemon.directory}/sekisho.conf").returncode == 78
    finally:
        os.chmod(secret, 0o600)
