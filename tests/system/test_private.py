"""What a message of a user tells strangers: the only address of its login, and nothing of the program and the network that
it was written with. All is done before the message is signed, and the signature holds where it arrives."""
import re

import pytest

import sekisho
import smtp
from mta import wait_for
from outgoing import AUTHOR, BASE, WAY, fields_of, make_key, text_of, verify
from sink import Sink

SETTINGS = """
sign signer.example.org { selector s1 key {directory}/s1.pem }
list canonical file:{directory}/canonical
list private file:{directory}/private
"""

POLICY = """
policy submission {
  on message {
    canonical
    delete-header in private
    delete-header X-Originating-* Received
    sign
  }
}
"""


@pytest.fixture
def away(dns):
    """Where mail for away.example.test goes."""
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    make_key(module_directory)
    with open(module_directory + "/canonical", "w") as f:
        f.write(f"bob@example.org: {AUTHOR}\n")
    with open(module_directory + "/private", "w") as f:
        f.write("User-Agent\nX-Mailer\nX-PHP-Originating-Script\n")
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=BASE) as running:
        yield running


def pass_as(mta, sink, token, text, user, sender=AUTHOR, service="submission"):
    replies = smtp.send(mta, f"<{sender}>", ["<bob@away.example.test>"], text, service=service, tls=True, login=(user,))
    assert replies.end.code == 250, replies
    arrived = wait_for(lambda: sink.find(token))
    assert arrived, mta.tail()
    return arrived


@pytest.mark.parametrize("author", ["Bob <bob@example.org>", "bob@example.org, ceo@example.com", "\"Bob, by hand\" <x@y.example>"])
def test_a_login_with_one_address_has_it_in_from_and_envelope(daemon, mta, away, token, module_directory, directory, author):
    text = text_of(token, f"From: {author}", "Sender: ceo@example.com", "Reply-To: bob@example.org")
    arrived = pass_as(mta, away, token, text, "bob@example.org", sender="x@y.example")
    name = author.split("<")[0] if "<" in author else None
    assert fields_of(arrived, "From") == [f"{name}<{AUTHOR}>" if name else AUTHOR]
    assert fields_of(arrived, "Sender") == [] and fields_of(arrived, "Reply-To") == ["bob@example.org"]
    assert away.envelope(token)[0] == f"<{AUTHOR}>"
    assert verify(arrived, module_directory, directory).startswith("pass")


def test_a_login_that_is_not_in_the_map_keeps_its_addresses(daemon, mta, away, token, module_directory, directory):
    arrived = pass_as(mta, away, token, text_of(token, f"Sender: {AUTHOR}"), "alice@example.org", sender="a@signer.example.org")
    assert fields_of(arrived, "From") == [f"Alice <{AUTHOR}>"] and fields_of(arrived, "Sender") == [AUTHOR]
    assert away.envelope(token)[0] == "<a@signer.example.org>"
    assert verify(arrived, module_directory, directory).startswith("pass")


def test_fields_about_the_program_and_the_network_of_a_user_go(daemon, mta, away, token, module_directory, directory):
    text = text_of(token, "User-Agent: Mailer 1.0", "X-Originating-IP: [10.1.2.3]", "x-originating-email: [a@b.example]",
                   "X-MAILER: Other", "X-PHP-Originating-Script: 33:secret.php", "X-Originated: kept",
                   "Received: from pc.lan ([10.1.2.3]) by relay.lan with ESMTPSA id 42; Sat, 21 Nov 2026 12:00:00 +0000")
    arrived = pass_as(mta, away, token, text, "alice@example.org")
    for name in ("User-Agent", "X-Originating-IP", "X-Originating-Email", "X-Mailer", "X-PHP-Originating-Script"):
        assert fields_of(arrived, name) == [], name
    assert fields_of(arrived, "X-Originated") == ["kept"]
    assert b"10.1.2.3" not in arrived and len(fields_of(arrived, "Received")) == 1
    assert verify(arrived, module_directory, directory).startswith("pass")


def test_the_received_field_of_the_mail_server_does_not_name_the_client_of_a_user(daemon, mta, away, token, module_directory,
                                                                                 directory):
    """Mail servers do not show it to a milter. With the lines of conf/postfix-main.cf and conf/sendmail.mc they leave it out."""
    service = "private" if mta.name == "postfix" else "submission"
    arrived = pass_as(mta, away, token, text_of(token), "alice@example.org", service=service)
    received = fields_of(arrived, "Received")
    assert len(received) == 1 and received[0].startswith("by mx.example.org "), received
    assert re.search(r" id \w+", received[0]) and received[0].endswith(("+0000 (UTC)", "GMT", "+0000"))
    head = arrived.split(b"\r\n\r\n")[0]
    for secret in (b"203.0.113.5", b"mail.example.net", b"alice@example.org"):
        assert secret not in head, head
    assert verify(arrived, module_directory, directory).startswith("pass")


def test_of_a_stranger_it_names_the_client(daemon, mta, token):
    replies = smtp.send(mta, "<a@example.net>", ["<bob@example.org>"], smtp.message(token),
                        service="private" if mta.name == "postfix" else "mx")
    assert replies.end.code == 250
    assert "203.0.113.5" in mta.delivered(token).field("Received")
