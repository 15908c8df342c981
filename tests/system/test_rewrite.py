"""A list of this host writes in its own name for authors whose domain asks for enforcement, and what it sends is signed by
itself; forwarders that the site trusts are exempt from SPF and DMARC. Behind both mail servers."""
import pytest

import sekisho
import smtp
import space
from outgoing import BASE, WAY, fields_of, make_key, pass_through, text_of, verify
from sink import Sink

LIST = "list@signer.example.org"
POLICY = """policy submission {
  on message {
    sign
    rewrite-from "%{from.name} via list" "list@signer.example.org"  if dmarc.policy is { quarantine reject }
  }
}
"""


@pytest.fixture
def away(dns):
    """Where mail for away.example.test goes."""
    dns.zone(*WAY, '_dmarc.strict.example.net TXT "v=DMARC1; p=reject"', '_dmarc.mild.example.net TXT "v=DMARC1; p=none"')
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module", autouse=True)
def keys(module_directory):
    make_key(module_directory)


@pytest.fixture
def lists(nameserver, directory, module_directory, keys):
    settings = f"sign signer.example.org {{ selector s1 key {module_directory}/s1.pem }}\n"
    with sekisho.Daemon(directory, POLICY, settings=settings, base=BASE) as daemon:
        yield daemon


@pytest.mark.parametrize("author, name, reply", [
    ("Bob <bob@strict.example.net>", '"Bob via list"', "Bob <bob@strict.example.net>"),
    ("bob@strict.example.net", '"via list"', "bob@strict.example.net"),
    ("\"O'Brien, Pat\" <bob@strict.example.net>", "\"O'Brien, Pat via list\"", "\"O'Brien, Pat\" <bob@strict.example.net>"),
    ("=?utf-8?Q?J=C3=BCrgen?= <j@strict.example.net>", "=?UTF-8?Q?J=C3=BCrgen_via_list?=",
     "=?utf-8?Q?J=C3=BCrgen?= <j@strict.example.net>"),
])
def test_the_list_writes_in_its_own_name_and_signs_that(lists, mta, away, token, module_directory, directory, author, name, reply):
    arrived = pass_through(mta, away, token, text_of(token, f"From: {author}"))
    assert fields_of(arrived, "From") == [f"{name} <{LIST}>"]
    assert fields_of(arrived, "Reply-To") == [reply]
    assert "d=signer.example.org" in fields_of(arrived, "DKIM-Signature")[0]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()


def test_a_reply_address_is_kept(lists, mta, away, token, module_directory, directory):
    arrived = pass_through(mta, away, token, text_of(token, "From: bob@strict.example.net", "Reply-To: desk@strict.example.net"))
    assert fields_of(arrived, "From") == [f'"via list" <{LIST}>']
    assert fields_of(arrived, "Reply-To") == ["desk@strict.example.net"]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()


def test_an_author_whose_domain_does_not_ask_for_it_stays(lists, mta, away, token):
    arrived = pass_through(mta, away, token, text_of(token, "From: Bob <bob@mild.example.net>"))
    assert fields_of(arrived, "From") == ["Bob <bob@mild.example.net>"]
    assert fields_of(arrived, "Reply-To") == fields_of(arrived, "DKIM-Signature") == []


FORWARDERS = """list trusted-forwarders file:{directory}/forwarders
"""
INBOUND = """policy inbound {
  on mail { reject 550 5.7.23 "SPF" if spf is fail and forwarder is none }
  on message {
    override trusted_forwarder "%{forwarder} %{client}" if dmarc is fail and forwarder is not none
    reject 550 5.7.26 "DMARC" if dmarc is fail and dmarc.policy is reject and forwarder is none
    log "%{forwarded.signs}" if forwarded
  }
}
"""


@pytest.mark.parametrize("entry, source, helo, by", [
    (space.BAD, space.BAD, "elsewhere.example.net", "address"),
    ("forwarder.example.net", space.BAD, "forwarder.example.net", "helo-name"),
    ("192.0.2.200", space.BAD, "elsewhere.example.net", None),
    ("other.example.net", space.BAD, "other.example.net", None),
])
def test_a_trusted_forwarder_is_exempt(dns, nameserver, directory, mta, token, entry, source, helo, by):
    dns.zone('_dmarc.fail.example.net TXT "v=DMARC1; p=reject"', f'forwarder.example.net TXT "v=spf1 ip4:{space.BAD} -all"')
    with open(f"{directory}/forwarders", "w") as f:
        f.write(entry + "\n")
    text = smtp.message(token, "X-Forwarded-To: bob@example.org", sender="x@fail.example.net")
    with sekisho.Daemon(directory, INBOUND, settings=FORWARDERS) as daemon:
        with smtp.Client(mta, source=source, helo=helo) as client:
            replies = client.send(f"<{token}@fail.example.net>", ["<bob@example.org>"], text)
        record = daemon.record(sender=f"{token}@fail.example.net")
    if not by:
        assert replies.mail.code == 550 and "5.7.23" in replies.mail.text
        return
    assert replies.end.code == 250 and mta.delivered(token), replies
    assert record["facts"]["dmarc"] == "fail" and record["facts"]["forwarder"] == by
    assert [(note["kind"], note["text"]) for note in record["notes"]] == [
        ("override", f"trusted_forwarder: {by} {source}"), ("log", "x-forwarded")]
