"""Mail that comes through a relay of the site is judged by the address that the relay received it from; both engines of SPF;
name servers that strip signatures are noticed. The relay is a Postfix that hands on to itself."""
import json
import subprocess

import pytest

import sekisho
import smtp
import space
from mta import wait_for

SETTINGS = """
list relays file:{directory}/relays
spf { engine compare }
record { facts all }
"""

POLICY = """
policy inbound {
  on mail    { reject 550 5.7.23 "at once: %{spf.explanation}"        if spf is fail }
  on message { reject 550 5.7.23 "at the end: %{spf.explanation}"     if spf is fail }
}
"""

PERMISSIVE = sekisho.SETTINGS.replace("dnssec off", "dnssec permissive")
BOB = "<bob@example.org>"


@pytest.fixture(scope="module", autouse=True)
def relays(module_directory):
    with open(module_directory + "/relays", "w") as f:
        f.write(space.POSTFIX + "\n")


@pytest.fixture(autouse=True)
def program_has_libspf2():
    if subprocess.run([sekisho.PROGRAM, "lookup", "--engine", "libspf2", "--zone", "/dev/null", "spf", "::1", "a.b"],
                      capture_output=True).returncode == 64:
        pytest.skip("the program was built without libspf2")


def hand_in(postfix, sender, token, source=space.GOOD, helo="mail.example.net"):
    with smtp.Client(postfix, service="relay", source=source, helo=helo) as client:
        return client.send(sender, [BOB], smtp.message(token))


def test_mail_through_a_relay_passes_by_the_address_the_relay_has_it_from(daemon, postfix_server, token):
    assert hand_in(postfix_server, "<alice@pass.example.net>", token).end.code == 250
    delivered = postfix_server.delivered(token)
    stamp = delivered.field("Authentication-Results")
    assert "spf=pass smtp.mailfrom=alice@pass.example.net" in stamp and "smtp.helo=mail.example.net" in stamp
    record = daemon.record(client=space.POSTFIX, sender="alice@pass.example.net")
    assert record["kind"] == "inbound" and record["facts"]["spf.client"] == space.GOOD
    assert record["facts"]["spf.helo"] == "pass" and record["facts"]["spf.disagreement"] is None


def test_mail_through_a_relay_that_fails_is_refused_at_its_end(daemon, postfix_server, token):
    sender = f"{token}@pass.example.net"
    assert hand_in(postfix_server, f"<{sender}>", token, source=space.BAD).end.code == 250
    record = daemon.record(sender=sender)
    assert (record["verdict"], record["stage"]) == ("reject", "message")
    assert record["facts"]["spf"] == "fail" and record["facts"]["spf.client"] == space.BAD


# The last two: where Postfix cuts the line of its Received field, in the address, and in the name before it.
@pytest.mark.parametrize("helo", ["a+b", "a/b", "x$y", "a:b", "pc!x", "from", "a(b", 'a"b', "[203.0.113.5]",
                                  "a" * (998 - len("Received: from ") - len(" (unknown [203.")),
                                  "a" * (998 - len("Received: from ") - len(" (unk"))])
def test_what_the_client_says_in_helo_does_not_switch_the_check_off(daemon, postfix_server, token, helo):
    sender = f"{token}@pass.example.net"
    assert hand_in(postfix_server, f"<{sender}>", token, source=space.BAD, helo=helo).end.code == 250
    record = daemon.record(sender=sender)
    assert (record["verdict"], record["facts"]["spf.client"]) == ("reject", space.BAD)


def test_what_comes_without_the_relay_is_refused_at_mail(daemon, postfix_server, token):
    replies = smtp.send(postfix_server, f"<{token}@pass.example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.mail.code == 550 and "at once" in replies.mail.text


def test_the_status_counts_what_the_engines_disagree_on(daemon):
    done = sekisho.run("status", "-c", daemon.file, "--json")
    assert json.loads(done.stdout)["spf"] == {"disagreements": 0}
    assert "disagreements 0" in sekisho.run("status", "-c", daemon.file).stdout


def test_name_servers_that_strip_signatures_are_noticed_and_said(nameserver, directory):
    with sekisho.Daemon(directory, POLICY, listen="inet:8895@127.0.0.1", base=PERMISSIVE) as running:
        def said():
            with open(running.record_file) as f:
                return any("strip DNSSEC signatures" in line and '"warning"' in line for line in f)
        assert wait_for(said, seconds=15), "nothing is said of it in the log"
        assert "strip DNSSEC signatures" in sekisho.run("status", "-c", running.file).stdout
