"""Settings that change what the daemon does beside the rules, each with a real mail server."""
import smtplib
import subprocess
import time

import pytest

import sekisho
import smtp
import space
from mta import wait_for

BOB = "<bob@example.org>"
REFUSE = 'policy inbound { on mail { reject 550 5.7.1 "refused by the rule"   if sender matches /^refused/ } }\n'
PLAIN = sekisho.SETTINGS.replace("{{ spf auth }}", "off")


def test_submission_may_be_known_by_the_name_of_the_service(mta, directory, token):
    base = sekisho.SETTINGS.replace("{{ port 587 465 }}", '{{ daemon-name "ORIGINATING" "MSA" }}')
    policy = 'policy submission { on mail { reject 530 5.7.0 "Authentication required"   if not auth } }\n'
    with sekisho.Daemon(directory, policy, base=base) as daemon:
        replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token), service="submission")
        assert replies.mail.code == 530
        assert daemon.record(sender=f"{token}@pass.example.net")["kind"] == "submission"
        replies = smtp.send(mta, f"<x{token}@pass.example.net>", [BOB], smtp.message(token), service="smtps")
        assert replies.end.code == 250, "the name of this service was not given"
        assert daemon.record(sender=f"x{token}@pass.example.net")["kind"] == "inbound"


def test_in_report_mode_nothing_happens_to_mail(mta, directory, token):
    policy = REFUSE + 'policy local { }\n'
    with sekisho.Daemon(directory, policy, settings="\nmode report\n") as daemon:
        replies = smtp.send(mta, f"<refused-{token}@pass.example.net>", [BOB], smtp.message(token))
        assert replies.end.code == 250
        mta.delivered(token)
        record = daemon.record(sender=f"refused-{token}@pass.example.net")
        assert record["verdict"] == "accept" and record["notes"][0]["kind"] == "would"


def test_received_spf_is_written_when_asked_for(mta, directory, token):
    with sekisho.Daemon(directory, REFUSE, settings="\nreceived-spf yes\n"):
        smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, "Received-SPF: pass (forged)"))
        delivered = mta.delivered(token)
    mine = [value for value in delivered.fields("Received-SPF") if "forged" not in value]
    assert len(mine) == 1 and mine[0].lower().startswith("pass")
    assert "client-ip=203.0.113.5" in mine[0].replace('"', "") and "alice@pass.example.net" in mine[0]


def test_authentication_results_may_be_off(mta, directory, token):
    with sekisho.Daemon(directory, REFUSE, base=PLAIN):
        text = smtp.message(token, "Authentication-Results: mx.example.org; spf=pass (kept)")
        smtp.send(mta, "<alice@pass.example.net>", [BOB], text)
        assert mta.delivered(token).fields("Authentication-Results") == ["mx.example.org; spf=pass (kept)"]


def test_without_rules_everything_goes_through(mta, directory, token):
    with sekisho.Daemon(directory, "policy inbound { }\n", base=PLAIN) as daemon:
        with smtp.Client(mta) as client:
            for number in range(3):
                text = smtp.message(f"{number}-{token}")
                assert client.send(f"<{number}-{token}@fail.example.net>", [BOB], text).end.code == 250
        for number in range(3):
            mta.delivered(f"{number}-{token}")
            assert daemon.record(sender=f"{number}-{token}@fail.example.net")["verdict"] == "accept"


def test_a_long_explanation_is_cut_to_a_reply(mta, directory, dns, token):
    dns.zone(f'{token}.example.net TXT "v=spf1 exp=e.{token}.example.net -all"',
             f"e.{token}.example.net TXT " + " ".join(['"' + "very long " * 20 + '"'] * 20))
    policy = 'policy inbound { on mail { reject 550 5.7.23 "SPF: %{spf.explanation}"   if spf is fail } }\n'
    with sekisho.Daemon(directory, policy):
        replies = smtp.send(mta, f"<alice@{token}.example.net>", [BOB], smtp.message(token))
    assert replies.mail.code == 550 and "SPF: very long very long" in replies.mail.text
    ours = replies.mail.text
    if mta.name == "sendmail":
        ours = ours.partition("... ")[2]  # it puts the sender before it
    assert all(len(line) <= 508 for line in ours.split("\n"))


def test_an_explanation_with_odd_bytes_makes_no_odd_reply(mta, directory, dns, token):
    dns.zone(f'{token}.example.net TXT "v=spf1 exp=e.{token}.example.net -all"',
             f'e.{token}.example.net TXT "a\\013\\010250 ok \\255 b"')
    policy = 'policy inbound { on mail { reject 550 5.7.23 "SPF: %{spf.explanation}"   if spf is fail } }\n'
    with sekisho.Daemon(directory, policy):
        with smtp.Client(mta) as client:
            reply = client.envelope(f"<alice@{token}.example.net>", []).mail
            assert reply.code == 550 and reply.text.isascii() and "\n250" not in reply.text
            assert client.command("NOOP").code == 250


def test_a_reply_may_have_32_lines(mta, directory):
    lines = " ".join(f'"line {number}"' for number in range(32))
    with sekisho.Daemon(directory, "policy inbound { on mail { reject 550 5.7.1 (%s) } }\n".replace("(%s)", lines)):
        with smtp.Client(mta) as client:
            replied = client.envelope("<alice@pass.example.net>", []).mail.text.split("\n")
    assert len(replied) == 32 and replied[31].endswith("line 31")


def test_a_reply_is_ascii_whatever_the_policy_says(mta, directory):
    policy = 'policy inbound { on mail { reject 550 5.7.1 "nicht für dich" } }\n'
    daemon = sekisho.Daemon(directory, policy, start=False)
    if sekisho.run("check", daemon.file).returncode != 0:
        return  # it is refused when it is read
    daemon.start()
    with smtp.Client(mta) as client:
        reply = client.envelope("<alice@pass.example.net>", []).mail
    daemon.stop()
    assert reply.code == 550 and reply.text.isascii() and "nicht f" in reply.text


def test_the_size_of_a_message_is_known_at_its_end(mta, directory, token):
    policy = 'policy inbound { on message { reject 552 5.3.4 "%{size} is too much"   if size > 100000 } }\n'
    with sekisho.Daemon(directory, policy) as daemon:
        with smtp.Client(mta) as client:
            body = "x" * 70 + "\r\n"
            small = client.send(f"<small-{token}@pass.example.net>", [BOB], smtp.message("small" + token, body=body))
            large = client.send(f"<large-{token}@pass.example.net>", [BOB], smtp.message(token, body=body * 2000))
        assert (small.end.code, large.end.code) == (250, 552)
        mta.delivered("small" + token)
        assert 100000 < daemon.record(sender=f"large-{token}@pass.example.net")["facts"]["size"] < 200000


def test_many_sessions_at_once_lose_nothing(mta, directory, token):
    """smtp-source of Postfix: 200 messages by 8 clients, with reloads in between."""
    source = "/usr/sbin/smtp-source"
    with sekisho.Daemon(directory, REFUSE) as daemon:
        try:
            load = subprocess.Popen([source, "-s", "8", "-m", "200", "-l", "2000", "-f", "load@pass.example.net",
                                     "-t", "load@example.org", "-S", token, f"{mta.address}:25"],
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except FileNotFoundError:
            pytest.skip("smtp-source is not installed (package postfix)")
        while load.poll() is None:
            assert daemon.reload()[0] == 0
            time.sleep(0.05)
        assert load.returncode == 0, load.stdout.read()
        assert wait_for(lambda: len(daemon.records()) == 200)
        assert {r["verdict"] for r in daemon.records()} == {"accept"}
        assert len({r["queue-id"] for r in daemon.records()}) == 200
        assert wait_for(lambda: len(mta.find(token)) == 200, seconds=30, every=0.3)


def test_log_off_writes_nothing(mta, directory, token):
    base = sekisho.SETTINGS.replace("file:{directory}/record", "off")
    with sekisho.Daemon(directory, REFUSE, base=base) as daemon:
        assert smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token), source=space.GOOD).end.code == 250
        assert daemon.records() == [] and token not in daemon.errors()

# ---- replies that end the session


@pytest.mark.parametrize("action", ["reject 521 5.7.1", "defer 421 4.7.0", "reject 550 5.7.1", "defer 451 4.7.1"])
def test_some_codes_end_the_session_and_with_it_the_other_recipients(mta, directory, token, action):
    """421 with both servers, 521 with Postfix alone; the manual says so at reject and defer."""
    ends = "421" in action or ("521" in action and mta.name == "postfix")
    policy = f'policy inbound {{ on rcpt {{ {action} "gone"  if recipient is nobody@example.org }} }}\n'
    with sekisho.Daemon(directory, policy), smtp.Client(mta) as client:
        replies = client.envelope(f"<{token}@pass.example.net>", [BOB, "<nobody@example.org>"])
        assert replies.rcpt[0].code == 250 and replies.rcpt[1].code == int(action.split()[1])
        if ends:
            with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
                client.command("NOOP")
        else:
            assert client.command("DATA").code == 354
            assert client.finish(smtp.message(token)).code == 250
