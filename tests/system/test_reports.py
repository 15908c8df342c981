"""What is counted for DMARC reports, through both mail servers: rows are there after a kill, and the report of a day shows them."""
import json
import os
import subprocess
import time

import pytest

import sekisho
import signer
import smtp

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../conformance/aggregate-report.xsd")
SETTINGS = """
store lmdb:{directory}/store
dmarc-reports { from dmarc@example.org  organization "Example & Co" }
"""
POLICY = """
policy inbound {
  on message { reject 550 5.7.1 "no"  if dmarc is fail and dmarc.policy is reject }
}
"""
BOB = "<bob@example.org>"
KEY = signer.Key()
ZONE = [
    '_dmarc.bank.example TXT "v=DMARC1; p=reject; rua=mailto:r@bank.example"',
    'bank.example TXT "v=spf1 ip4:203.0.113.5 -all"',
    KEY.record("s1", "bank.example"),
]


@pytest.fixture
def daemon(nameserver, dns, directory):
    dns.zone(*ZONE)
    with sekisho.Daemon(directory, POLICY, settings=SETTINGS) as running:
        yield running


def ask(daemon, *words):
    done = sekisho.run("report", *words, "-c", daemon.file)
    assert done.returncode == 0, done.stderr
    return done.stdout


def total(daemon):
    return sum(item["messages"] for item in json.loads(ask(daemon, "list", "--json")) if item["domain"] == "bank.example")


def send(mta, token, code, source="203.0.113.5", sender="<alice@bank.example>"):
    text = smtp.message(token, sender="alice@bank.example")
    assert smtp.send(mta, sender, [BOB], text, source=source).end.code == code


def test_mail_of_strangers_becomes_rows(daemon, mta, token, tmp_path):
    send(mta, token, 250)
    send(mta, token + "2", 250)
    send(mta, token + "3", 550, source="198.51.100.7")
    daemon.records()
    assert total(daemon) == 3
    shown = json.loads(ask(daemon, "preview", "Bank.Example", "--json"))
    xml = ask(daemon, "preview", "bank.example")
    assert shown["xml"] == xml
    (tmp_path / "report.xml").write_text(xml)
    subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMA, str(tmp_path / "report.xml")], check=True,
                   capture_output=True)
    for part in ("<org_name>Example &amp; Co</org_name>", "<p>reject</p>", "<source_ip>203.0.113.5</source_ip>", "<count>2</count>",
                 "<disposition>pass</disposition>", "<source_ip>198.51.100.7</source_ip>", "<disposition>reject</disposition>"):
        assert part in xml
    assert shown["messages"] == 3 and shown["rows"] == 2 and shown["rua"] == "mailto:r@bank.example"
    assert daemon.status()["reports"]["lost"] == 0
    today, = [item for item in json.loads(ask(daemon, "list", "--json")) if item["domain"] == "bank.example"]
    assert today["state"] == "collecting" and ask(daemon, "preview", "bank.example", "--day", today["day"]) == xml
    assert f"{today['day']}\tbank.example\t3\tcollecting\n" in ask(daemon, "list")
    for words, why in ((["other.example"], "no mail of other.example was counted on that day"),
                       (["bank.example", "--day", "2026-02-31"], "a day is written as 2026-11-27"),
                       (["not a domain"], "that is not a domain")):
        refused = sekisho.run("report", "preview", *words, "-c", daemon.file)
        assert refused.returncode == 1 and why in refused.stderr
    for part in ("9", "0", "-1", "x", "ab", "0000000101", "00" * 40, "ff" * 600):
        refused = sekisho.run("report", "preview", "bank.example", "--part", part, "-c", daemon.file)
        assert refused.returncode == 1 and f"there is no part {part[:80]};" in refused.stderr and not refused.stdout
    assert sekisho.run("report", "preview").returncode == 64
    assert sekisho.run("report", "list", "x").returncode == 64


def test_what_was_stored_survives_a_kill_and_nothing_is_counted_twice(daemon, mta, token):
    for number in range(5):
        send(mta, f"{token}{number}", 250)
    daemon.records()
    deadline = time.monotonic() + 10
    while total(daemon) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    daemon.kill()
    daemon.start()
    assert total(daemon) == 5
    send(mta, token + "again", 250)
    daemon.records()
    assert total(daemon) == 6


def test_the_end_of_the_daemon_loses_nothing(daemon, mta, token):
    send(mta, token, 250)
    daemon.stop()
    daemon.start()
    assert total(daemon) == 1
