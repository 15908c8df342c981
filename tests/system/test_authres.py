"""Authentication-Results: forged fields that bear our name are removed, all of them, and others stay."""
import re

import pytest

import miltc
import smtp

POLICY = """
policy inbound {
}
"""

BOB = "<bob@example.org>"

FORGED = [
    "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=forged.example",
    "AUTHENTICATION-RESULTS: MX.Example.ORG; dkim=pass header.d=forged.example",
    "authentication-results: (a comment) mx.example.org (another) 1; dmarc=pass header.from=forged.example",
    "Authentication-Results:\r\n\tmx.example.org;\r\n\tspf=pass smtp.mailfrom=forged.example",
    "Authentication-Results: \"mx.example.org\"; spf=pass smtp.mailfrom=forged.example",
    "Authentication-Results:mx.example.org; none (forged.example)",
    "Authentication-Results: (nested (comment \\) ) here) mx.example.org; auth=pass smtp.auth=forged.example",
]

# Obsolete, and read by many (RFC 5322 4.5.2).
BLANK_BEFORE_THE_COLON = [
    "Authentication-Results : mx.example.org; dmarc=pass header.from=forged.example",
    "Authentication-Results\t: mx.example.org; dmarc=pass header.from=forged.example",
]

FOREIGN = [
    "Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=honest.example",
    "Authentication-Results: not-mx.example.org; spf=pass smtp.mailfrom=honest.example",
    "X-Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=honest.example",
    "ARC-Authentication-Results: i=1; mx.example.org; spf=pass smtp.mailfrom=honest.example",
]


def outside_of_quotes(value):
    return re.sub(r'"(\\.|[^"\\])*"', "", value)


def stamps(delivered):
    return delivered.fields("Authentication-Results")


@pytest.mark.parametrize("field", FORGED + BLANK_BEFORE_THE_COLON)
def test_a_forged_field_is_removed(daemon, mta, token, field):
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, field))
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert b"forged.example" not in delivered.raw
    assert len(stamps(delivered)) == 1 and "spf=pass" in stamps(delivered)[0]


@pytest.mark.parametrize("missing", ["nothing", "body", "skip"])
def test_a_forged_field_is_removed_when_the_body_comes_with_the_end(daemon, missing):
    """An MTA that must send the body is told to skip it; said of the last piece, that would be the answer to the end."""
    without = {"nothing": 0, "body": miltc.NO_COMMAND["body"], "skip": miltc.NO_COMMAND["body"] | miltc.SKIP}
    with miltc.Milter() as m:
        m.negotiate(protocol=miltc.ALL_PROTOCOL & ~without[missing])
        m.connect("mail.example.net", "203.0.113.5")
        m.helo("mail.example.net")
        m.mail("<alice@pass.example.net>")
        m.rcpt(BOB)
        m.header("Authentication-Results", " mx.example.org; spf=pass smtp.mailfrom=forged.example")
        m.eoh()
        assert m.end(b"Hello.\r\n").what == "continue"
        assert ("change", 1, "Authentication-Results", "") in m.edits()


def test_all_forged_fields_are_removed_and_foreign_ones_stay(daemon, mta, token):
    mixed = [line for pair in zip(FORGED, FOREIGN * 2) for line in pair] + FORGED
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, *mixed))
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert b"forged.example" not in delivered.raw
    assert delivered.raw.count(b"honest.example") == 7
    assert [s.split(";")[0] for s in stamps(delivered)] == ["mx.example.org", "mx.example.com", "not-mx.example.org",
                                                           "mx.example.com", "not-mx.example.org"]


def test_foreign_fields_are_not_touched(daemon, mta, token):
    odd = "Authentication-Results:  mx.example.com;\r\n\t  spf=pass   (odd  blanks)\r\n   smtp.mailfrom=honest.example"
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, odd))
    assert replies.end.code == 250
    assert odd.replace("\r\n", "\n").encode() in mta.delivered(token).raw


def test_a_sender_cannot_forge_a_clause_by_its_address(daemon, mta, token):
    sender = '"x; dkim=pass header.d=bank.example"@pass.example.net'
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token))
    if replies.mail.code >= 400:
        pytest.skip(f"{mta.name} does not let such an address in: {replies.mail.text}")
    stamp, = stamps(mta.delivered(token))
    assert "dkim=pass" not in stamp and "smtp.mailfrom=@pass.example.net" in stamp


def test_a_helo_name_cannot_forge_a_clause(daemon, mta, token):
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token), helo="x;dkim=pass")
    if replies.end is None:
        pytest.skip(f"{mta.name} does not let such a HELO in")
    assert "dkim=pass" not in outside_of_quotes(stamps(mta.delivered(token))[0])
