"""DMARC through both mail servers: mail that proves its author passes, other mail gets what the domain asks for."""
import time

import pytest

import sekisho
import signer
import smtp

SETTINGS = """
record { facts all }
list forwarders file:{directory}/forwarders
"""

POLICY = """
policy inbound {
  on message {
    reject 550 5.7.1 "From: one author, please"                           if not from.valid or from.count > 1
    override trusted_forwarder "%{client}"                                if dmarc is fail and client in forwarders
    reject 550 5.7.26 "DMARC: %{from.domain} refuses what is not its own" if dmarc is fail and dmarc.policy is reject
                                                                          and not (client in forwarders)
    quarantine "DMARC"                                                    if dmarc is fail and dmarc.policy is quarantine
    defer 451 4.4.3 "DMARC: try again"                                    if dmarc is temperror
                                                                          and (spf is { pass temperror } or dkim is { pass temperror })
  }
}
"""

BOB = "<bob@example.org>"
OURS = "mx.example.org"
KEY = signer.Key()

# 203.0.113.5, where smtp.send comes from, may send for bank.example and for elsewhere.example.
ZONE = [
    '_dmarc.bank.example TXT "v=DMARC1; p=reject; sp=quarantine; np=reject"',
    'bank.example TXT "v=spf1 ip4:203.0.113.5 -all"',
    'www.bank.example A 192.0.2.80',
    'mail.bank.example TXT "v=spf1 ip4:203.0.113.5 -all"',
    'elsewhere.example TXT "v=spf1 ip4:203.0.113.5 -all"',
    '_dmarc.silent.example TXT SERVFAIL',
    'silent.example TXT "v=spf1 ip4:203.0.113.5 -all"',
    KEY.record("s1", "bank.example"),
    KEY.record("s1", "elsewhere.example"),
]


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    with open(f"{module_directory}/forwarders", "w") as f:
        f.write("198.51.100.7\n")
    base = sekisho.SETTINGS.replace("{{ spf auth }}", "{{ spf dkim dmarc auth }}")
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=base) as running:
        yield running


@pytest.fixture(autouse=True)
def zone(dns):
    dns.zone(*ZONE)


def facts(daemon, sender):
    return daemon.record(sender=sender)["facts"]


def ours(delivered):
    """Our Authentication-Results, on one line."""
    field, = [f for f in delivered.fields("Authentication-Results") if f.startswith(OURS)]
    return " ".join(field.split())


def test_spf_alone_aligns(daemon, mta, token):
    sender = f"{token}@bank.example"
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token, sender="alice@bank.example"))
    assert replies.end.code == 250
    found = facts(daemon, sender)
    assert (found["dmarc"], found["dmarc.aligned"], found["dmarc.org"]) == ("pass", "spf", "bank.example")
    assert "dmarc=pass header.from=bank.example policy.dmarc=reject" in ours(mta.delivered(token))


def test_dkim_alone_aligns(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    text = KEY.sign(smtp.message(token, sender="alice@bank.example"), "s1", "bank.example")
    replies = smtp.send(mta, f"<{sender}>", [BOB], text)
    assert replies.end.code == 250, replies
    found = facts(daemon, sender)
    assert (found["dmarc"], found["dmarc.aligned"], found["dkim"]) == ("pass", "dkim", "pass")
    assert "dmarc=pass header.from=bank.example" in ours(mta.delivered(token))


def test_both_align(daemon, mta, token):
    sender = f"{token}@mail.bank.example"
    text = KEY.sign(smtp.message(token, sender="alice@bank.example"), "s1", "bank.example")
    replies = smtp.send(mta, f"<{sender}>", [BOB], text)
    assert replies.end.code == 250, replies
    assert facts(daemon, sender)["dmarc.aligned"] == "both"


def test_what_passes_for_another_domain_does_not_help(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    text = KEY.sign(smtp.message(token, sender="alice@bank.example"), "s1", "elsewhere.example")
    replies = smtp.send(mta, f"<{sender}>", [BOB], text)
    assert replies.end.code == 550 and "5.7.26" in replies.end.text and "bank.example" in replies.end.text
    found = facts(daemon, sender)
    assert (found["spf"], found["dkim"], found["dmarc"]) == ("pass", "pass", "fail")


def test_a_signature_that_was_broken_does_not_help(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    text = KEY.sign(smtp.message(token, sender="alice@bank.example"), "s1", "bank.example")
    replies = smtp.send(mta, f"<{sender}>", [BOB], text.replace(b"Hello.", b"Pay now."))
    assert replies.end.code == 550 and "5.7.26" in replies.end.text
    assert facts(daemon, sender)["dkim"] == "fail"


def test_a_subdomain_has_the_policy_for_subdomains(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token, sender="alice@www.bank.example"))
    assert replies.end.code == 250
    assert daemon.record(sender=sender)["verdict"] == "quarantine"
    assert facts(daemon, sender)["dmarc.domain"] == "bank.example"
    assert mta.held(token)


def test_a_subdomain_that_does_not_exist_is_refused(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token, sender="alice@never.bank.example"))
    assert replies.end.code == 550 and "never.bank.example" in replies.end.text


def test_the_null_sender_is_judged_by_its_helo_name(daemon, mta, token):
    text = smtp.message(token, sender="postmaster@bank.example")
    assert smtp.send(mta, "<>", [BOB], text, helo="mail.bank.example").end.code == 250
    assert "dmarc=pass header.from=bank.example" in ours(mta.delivered(token))
    assert smtp.send(mta, "<>", [BOB], text, helo="mail.elsewhere.example").end.code == 550


def test_two_from_fields_are_refused(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    text = smtp.message(token, "From: alice@elsewhere.example", sender="alice@bank.example")
    replies = smtp.send(mta, f"<{sender}>", [BOB], text)
    assert replies.end is None or replies.end.code == 550, replies
    found = facts(daemon, sender)
    assert found["from.valid"] is False and found["dmarc"] != "pass"


def test_two_authors_are_refused_and_judged_by_the_stricter(daemon, mta, token):
    sender = f"{token}@elsewhere.example"
    text = smtp.message(token).replace(b"From: Alice <alice@pass.example.net>",
                                       b"From: <a@elsewhere.example>, <b@bank.example>")
    replies = smtp.send(mta, f"<{sender}>", [BOB], text)
    assert replies.end.code == 550 and "5.7.1 " in replies.end.text
    found = facts(daemon, sender)
    assert (found["from.count"], found["dmarc"], found["dmarc.policy"]) == (2, "fail", "reject")


def test_a_forged_result_is_removed(daemon, mta, token):
    forged = f"Authentication-Results: {OURS}; dmarc=pass header.from=forged.example"
    replies = smtp.send(mta, f"<{token}@elsewhere.example>", [BOB],
                        smtp.message(token, forged, sender="alice@elsewhere.example"))
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert b"forged.example" not in delivered.raw
    assert "dmarc=none header.from=elsewhere.example" in ours(delivered)


def test_no_answer_defers_what_could_have_passed(daemon, mta, token):
    sender = f"{token}@silent.example"
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token, sender="alice@silent.example"))
    assert replies.end.code == 451 and "DMARC" in replies.end.text
    assert facts(daemon, sender)["dmarc"] == "temperror"


def test_a_trusted_forwarder_is_let_through_and_recorded(daemon, mta, token):
    sender = f"{token}@bank.example"
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token, sender="alice@bank.example"),
                        source="198.51.100.7", helo="forwarder.example")
    assert replies.end.code == 250
    record = daemon.record(sender=sender)
    assert record["facts"]["dmarc"] == "fail"
    note, = [n for n in record["notes"] if n["kind"] == "override"]
    assert note["text"] == "trusted_forwarder: 198.51.100.7"


def test_the_walk_is_asked_once_for_many_messages(daemon, mta, token, dns):
    domain = f"once-{token}.example"
    dns.zone(f'_dmarc.{domain} TXT "v=DMARC1; p=none"', f'{domain} TXT "v=spf1 ip4:203.0.113.5 -all"')
    for i in range(3):
        sender = f"{token}{i}@{domain}"
        assert smtp.send(mta, f"<{sender}>", [BOB], smtp.message(f"{token}{i}", sender=f"a@{domain}")).end.code == 250
        assert facts(daemon, sender)["dmarc"] == "pass"
    assert dns.asked(f"_dmarc.{domain}", "TXT") == 1


def test_the_names_of_a_walk_are_asked_at_once(daemon, mta, token, dns):
    names = ["a.b.c.late.example", "b.c.late.example", "c.late.example", "late.example"]
    dns.zone('_dmarc.late.example TXT "v=DMARC1; p=none"', 'late.example TXT "v=spf1 ip4:203.0.113.5 -all"')
    dns.fault(*[f"_dmarc.{name} TXT slow=1" for name in names])
    sender = f"{token}@late.example"
    with smtp.Client(mta) as client:
        client.envelope(f"<{sender}>", [BOB])
        client.command("DATA")
        began = time.monotonic()
        reply = client.finish(smtp.message(token, sender="alice@a.b.c.late.example"))
        took = time.monotonic() - began
    assert reply.code == 250 and facts(daemon, sender)["dmarc"] == "pass"
    assert took < 3, f"four answers that take 1 s each took {took:.1f} s"
