"""What is signed verifies where it arrives (RFC 6376 5.3): mail of a login, through a real mail server to the next one.

Both servers rewrite fields after the milter, each in its own way. A message is signed in a form that both leave
alone and that means the same, or the record says why the signature may not hold.
"""
import random

import pytest

import sekisho
from outgoing import AUTHOR, BASE, WAY, fields_of, make_key, notes, pass_through, text_of, verify
from sink import Sink

SETTINGS = "sign signer.example.org { selector s1 key {directory}/s1.pem }\n"
POLICY = "policy submission { on message { sign } }\n"


@pytest.fixture
def away(dns):
    """Where mail for away.example.test goes."""
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    make_key(module_directory)
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=BASE) as running:
        yield running


# What was written, and what arrives; None: the same.
HOLDS = {
    "an apostrophe in a name": ("From: Pat O'Brien <alice@signer.example.org>", "\"Pat O'Brien\" <alice@signer.example.org>"),
    "a dot in a name": ("Cc: John Q. Public <john@example.net>", '"John Q. Public" <john@example.net>'),
    "a name in brackets": ("Cc: [Shop] Alice <a@example.net>", '"[Shop] Alice" <a@example.net>'),
    "an address as name": ("Cc: a@example.net <a@example.net>", '"a@example.net" <a@example.net>'),
    "the author's address as name": (f"From: {AUTHOR} <{AUTHOR}>", f'"{AUTHOR}" <{AUTHOR}>'),
    "a name in quotes": ("Cc: \"Pat O'Brien\" <a@example.net>", None),
    "quoted and bare words": ("Cc: Foo \"bar.baz\" O'Neil <a@example.net>", "Foo \"bar.baz\" \"O'Neil\" <a@example.net>"),
    "a backslash in a name": ("Cc: Foo\\.Bar <a@example.net>", '"Foo\\.Bar" <a@example.net>'),
    "an encoded word and an apostrophe": ("Cc: =?utf-8?Q?J=C3=BCrgen?= O'Neil <a@example.net>",
                                          "=?utf-8?Q?J=C3=BCrgen?= \"O'Neil\" <a@example.net>"),
    "an encoded word with a dot": ("Cc: =?utf-8?Q?J.=C3=BCrgen?= <a@example.net>", "=?utf-8?Q?J=2E=C3=BCrgen?= <a@example.net>"),
    "an encoded word with a comma": ("Cc: =?utf-8?Q?Brien,_J=C3=BCrgen?= <a@example.net>",
                                     "=?utf-8?Q?Brien=2C_J=C3=BCrgen?= <a@example.net>"),
    "a long encoded word": ("Cc: =?utf-8?Q?" + "a.b" * 19 + "?= <a@example.net>",
                            "=?utf-8?Q?" + "a=2Eb" * 12 + "a?= =?utf-8?Q?=2Eb" + "a=2Eb" * 6 + "?= <a@example.net>"),
    "a source route": ("Cc: <@relay.example:a@example.net>", "<a@example.net>"),
    "a source route and a name": ("Cc: Bob <@r.example,@s.example:a@example.net>", "Bob <a@example.net>"),
    "a list with semicolons": ("Cc: a@example.net; b@example.net", "a@example.net, b@example.net"),
    "a list of names with semicolons": ("Cc: Bob <a@example.net>; John Q. Public <b@example.net>;",
                                        'Bob <a@example.net>, "John Q. Public" <b@example.net>'),
    "a semicolon in a name": ("Cc: Sales; Europe <a@example.net>", '"Sales; Europe" <a@example.net>'),
    "an empty group": ("Cc: undisclosed-recipients:;", None),
    "a group": ("Cc: friends: Bob <a@example.net>, b@example.net;, c@example.net", None),
    "a group with an apostrophe": ("Cc: O'Brien's friends: Pat O'Brien <a@example.net>,b@example.net;",
                                   "\"O'Brien's friends\": \"Pat O'Brien\" <a@example.net>, b@example.net;"),
    "blanks in an address": ("Cc: Foo < a @ example . net >", "Foo <a@example.net>"),
    "comments in an address": ("Cc: Foo <a(x)@example.net>,b@example(y).net", "Foo <a@example.net> (x), b@example.net (y)"),
    "comments": ("Cc: (x.y) \"Foo\" (a'b) <a@example.net> (c, d)", None),
    "a dot after the domain": ("Cc: Bob <a@example.net.>", "Bob <a@example.net>"),
    "a list without blanks": ("Cc: ,a@example.net,,b@example.net ,c@example.net,", "a@example.net, b@example.net, c@example.net"),
    "an address literal": ("Cc: Bob <a@[IPv6:2001:db8::1]>, c@[192.0.2.1]", None),
    "a quoted local part": ("Cc: Bob <\"a b, c\"@example.net>", None),
    "UTF-8": ("Cc: J\u00fcrgen O'Neil <a@example.net>", "\"J\u00fcrgen O'Neil\" <a@example.net>"),
    "many": ("Cc: " + ",".join(f"J. {i} <a{i}@example.net>" for i in range(80)),
             ", ".join(f'"J. {i}" <a{i}@example.net>' for i in range(80))),
    "other address fields": ("Reply-To: Pat O'Brien <alice@signer.example.org>", "\"Pat O'Brien\" <alice@signer.example.org>"),
    "the sender": ("Sender: Pat O'Brien <alice@signer.example.org>", "\"Pat O'Brien\" <alice@signer.example.org>"),
}


@pytest.mark.parametrize("name", HOLDS)
def test_address_fields_arrive_as_they_were_signed(daemon, mta, away, token, module_directory, directory, name):
    line, expected = HOLDS[name]
    if name == "UTF-8" and mta.name == "postfix":
        pytest.skip("Postfix wants SMTPUTF8 of the next server")
    arrived = pass_through(mta, away, token, text_of(token, line))
    field, value = line.split(": ", 1)
    assert fields_of(arrived, field) == [expected or value]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    assert [note.split(":")[0] for note in notes(daemon, arrived)] == ["signed"]


@pytest.mark.parametrize("line, why", [
    ("Cc: bob", "Cc has an address without a domain"),
    ("Cc: Bob <bob>, a@example.net", "Cc has an address without a domain"),
    ("Cc: a@localhost", "Cc has an address without a domain"),
    ("Reply-To: Bob <<a@example.net>>", "Reply-To has an address that is not well-formed"),
    ("Cc: Alice Smith", "Cc has an address"),
    ("Cc: " + "N" * 250 + " <a@example.net>", "Cc has an address that, with its name, is longer"),
    ("References: <" + "x" * 1100 + ">", "References has a word that is too long for one line"),
])
def test_the_record_says_why_a_signature_may_break(daemon, mta, away, token, line, why):
    arrived = pass_through(mta, away, token, text_of(token, line))
    assert len(fields_of(arrived, "DKIM-Signature")) == 1
    assert [note for note in notes(daemon, arrived) if note.startswith("the signature may break: " + why)]


# Pieces of a field and whole shapes; what they make is often malformed.
PIECES = ["Bob", "O'Brien", "J.", "[x]", "=?utf-8?Q?J=C3=BCrgen?=", "=?utf-8?Q?a.b,c'd?=", '"a, b"', '"a\\"b"', "(d, 'e')", "<a@example.net>",
          "<@r.example:a@example.net>", "d@example.net", "e.f@example.net.", '"g h"@example.net', ",", ", ", ";", ":", " ", "\r\n ", "@", ".", "\\x"]
NAMES = ["O'Brien", "Dr. Bob O'Neil, Jr", "a@example.net", 'Bob "the b" S', "=?utf-8?Q?a.b,c'd?= x.y", "x:y", "A; B", "M. (x) N", '"x".y', "A\\.B"]
BOXES = ["a@example.net", '"a b"@example.net', "@r.example:a@example.net", " a @ example.net", "a@[192.0.2.1]", "bob", "a(x)@example.net", "x!a"]
SHAPES = ["{n} <{a}>", "{n} <{a}>, {n} <{a}>", "{a}, {n} <{a}>", "{n} <{a}>; {n} <{a}>", "{n}: {a}, {n} <{a}>;", "{n}<{a}>", "({n}){a}({n})",
          '"{n}" <{a}>', "{n} ({n}) <{a}>"]


def made_up(chance):
    value = chance.choice(SHAPES)
    if chance.random() < 0.3:
        return "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 8))).strip() or "x@example.net"
    for mark, choices in ("{n}", NAMES), ("{a}", BOXES):
        while mark in value:
            value = value.replace(mark, chance.choice(choices), 1)
    return value


def test_whatever_an_address_field_holds_it_verifies_or_the_record_says_why(daemon, mta, away, token, module_directory, directory):
    chance = random.Random(20261127)
    for number in range(100):
        name, value = chance.choice(["Cc", "Reply-To", "To"]), made_up(chance)
        arrived = pass_through(mta, away, f"{token}{number:03}", text_of(f"{token}{number:03}", f"{name}: {value}"))
        if not any(note.startswith("the signature may break") for note in notes(daemon, arrived)):
            assert verify(arrived, module_directory, directory).startswith("pass"), (value, fields_of(arrived, name))


LONG = {
    "references": "References: " + " ".join(f"<{'A' * 60}{i:02}@signer.example.org>" for i in range(14)),
    "references without an end": "References: " + " ".join(f"<{'A' * 60}{i:02}@signer.example.org>" for i in range(80)),
    "a subject": "Subject: " + "word " * 300,
    "989 octets": "Subject: " + "x" * 491 + " " + "y" * 488,
    "990 octets": "Subject: " + "x" * 491 + " " + "y" * 489,
    "998 octets": "Subject: " + "x" * 491 + " " + "y" * 497,
    "999 octets": "Subject: " + "x" * 491 + " " + "y" * 498,
    "a list of addresses": "To: " + ", ".join(f"a{i}@example.net" for i in range(100)),
    "blanks": "Subject: a" + " " * 1200 + "b",
    "a folded line": "References: <a@b>\r\n " + " ".join(f"<{'A' * 60}{i:02}@signer.example.org>" for i in range(14)) + "\r\n <c@d>",
}


@pytest.mark.parametrize("name", LONG)
def test_long_lines_are_folded_before_they_are_signed(daemon, mta, away, token, module_directory, directory, name):
    arrived = pass_through(mta, away, token, text_of(token, LONG[name]))
    field, value = LONG[name].split(": ", 1)
    assert fields_of(arrived, field) == [" ".join(value.split())]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    assert [note.split(":")[0] for note in notes(daemon, arrived)] == ["signed"]


@pytest.mark.parametrize("length", [989, 990, 991, 998, 999, 3000])
def test_a_body_line_that_is_divided_is_noted(daemon, mta, away, token, module_directory, directory, length):
    body = "one\r\n" + "x" * length + "\r\nthree\r\n"
    arrived = pass_through(mta, away, token, text_of(token, body=body))
    holds = arrived.endswith(body.encode())
    assert holds == (length <= (998 if mta.name == "postfix" else 990))
    assert ("pass" in verify(arrived, module_directory, directory)) == holds
    noted = [note for note in notes(daemon, arrived) if "the body has lines" in note]
    assert len(noted) == (length > 990)


def test_eight_bits_to_a_seven_bit_server_are_noted(daemon, mta, dns, token, module_directory, directory):
    mime = ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
    dns.zone(*WAY)
    with Sink(eight=False) as sink:
        arrived = pass_through(mta, sink, token, text_of(token, *mime, body="Gr\u00fc\u00dfe\r\n"))
    assert "fail" in verify(arrived, module_directory, directory)
    assert [note for note in notes(daemon, arrived) if "the body has 8-bit text" in note]
