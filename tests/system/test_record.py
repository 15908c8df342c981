"""What the record of a message holds, through both mail servers: the case id that the client was told, and the result
and reason of each check that ran, whoever asked for it."""
import re

import pytest

import sekisho
import signer
import smtp

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.1 "refused, case %{case}"               if sender matches /^early/
  }
  on message {
    reject 550 5.7.26 "not authenticated, case %{case}"    if dmarc is fail
  }
}
"""

BOB = "<bob@example.org>"
KEY = signer.Key()


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    base = sekisho.SETTINGS.replace("{{ spf auth }}", "{{ spf dkim dmarc auth }}")
    with sekisho.Daemon(module_directory, POLICY, base=base) as running:
        yield running


@pytest.fixture(autouse=True)
def zone(dns):
    dns.zone('_dmarc.bank.example TXT "v=DMARC1; p=reject"', KEY.record("s1", "bank.example"))


def case_of(reply):
    return re.search(r"case ([0-9a-z]{12})$", reply.text.strip()).group(1)


def test_a_refusal_tells_the_case_that_the_record_has(daemon, mta, token):
    refused = smtp.send(mta, f"<early.{token}@pass.example.net>", [BOB], smtp.message(token))
    record = daemon.record(sender=f"early.{token}@pass.example.net")
    assert record["case"] == case_of(refused.mail)
    assert not any(name.startswith(("spf", "dkim", "dmarc")) for name in record["facts"]), "no check has run"


def test_the_reason_of_a_signature_that_no_rule_reads_is_in_the_record(daemon, mta, token):
    sender = f"{token}@pass.example.net"
    text = smtp.message(token, sender="a@bank.example")
    signed = text.replace(b"From:", b"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=gone; h=from;\r\n "
                          b"bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA\r\nFrom:", 1)
    refused = smtp.send(mta, f"<{sender}>", [BOB], signed)
    record = daemon.record(sender=sender)
    facts = record["facts"]
    assert record["case"] == case_of(refused.end)
    assert facts["dmarc"] == "fail" and facts["spf"] == "pass" and facts["from.domain"] == "bank.example"
    assert facts["dkim"] == "permerror" and facts["dkim.domain"] == "bank.example" and facts["dkim.reason"]
    assert facts["message-id"].startswith("<")


def test_the_cases_of_two_messages_differ(daemon, mta, token):
    senders = [f"early.{n}{token}@pass.example.net" for n in (1, 2)]
    assert len({case_of(smtp.send(mta, f"<{one}>", [BOB], smtp.message(token)).mail) for one in senders}) == 2
