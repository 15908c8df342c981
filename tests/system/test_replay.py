"""Another policy over the history; and what goes wrong with its file costs records, never mail."""
import json
import os
import time

import pytest

import sekisho
import smtp
from test_history import BOB, POLICY, why


# ---- replay ---------------------------------------------------------------------------------------------


def replayed(daemon, policy, **options):
    path = daemon.directory + "/new.conf"
    with open(path, "w") as f:
        f.write(policy)
    done = sekisho.run("replay", path, "--json", "-c", daemon.file, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def fresh(nameserver, directory):
    """A daemon with a history of its own."""
    with sekisho.Daemon(directory, POLICY, settings=f"history sqlite:{directory}/history.db\n") as running:
        yield running


def test_another_policy_is_judged_over_what_was_recorded(fresh, postfix_server, token):
    for name in ("early.a", "b", "c"):
        smtp.send(postfix_server, f"<{name}{token}@pass.example.net>", [BOB], smtp.message(token))
    why(fresh, "--sender", f"c{token}@pass.example.net")
    old = replayed(fresh, POLICY)
    assert old["judged"] == 3 and old["then"] == old["now"] and not old["rules"] and not old["examples"]
    new = replayed(fresh, f"""
policy inbound {{
  on message {{
    reject 550 5.7.1 "b"  if sender is "b{token}@pass.example.net"
    quarantine "c"        if header("X-Unread") is "x" and spf is pass
  }}
}}
""")
    # of c it is not known whether it had the field; the first, now not refused at MAIL, never got any further
    assert new["judged"] == 1 and new["not-judged"] == 2
    assert new["missing"] == [{"fact": "header", "count": 1}, {"fact": "recipient", "count": 1}]
    assert new["then"]["accept"] == 1 and new["now"]["reject"] == 1
    assert new["examples"][0]["sender"] == f"b{token}@pass.example.net" and new["examples"][0]["now"] == "reject"
    assert new["rules"][0]["rule"].endswith("new.conf:4") and new["rules"][0]["count"] == 1


UNKNOWN = """
list recent dynamic:30m
limit few { key client  count recipients  hard 1  per 1h }
policy inbound {
  on mail { reject 550 5.7.1 "recent"  if sender is "listed@pass.example.net" and client in recent }
  on rcpt { defer 452 4.5.3 "too many"  if limit("few") is over }
}
"""


def test_what_the_record_cannot_tell_is_counted_as_not_judged(nameserver, postfix_server, directory, token):
    settings = f"history sqlite:{directory}/history.db\nstore memory:\n"
    with sekisho.Daemon(directory, UNKNOWN, settings=settings) as daemon:
        two = smtp.send(postfix_server, "<two@pass.example.net>", [BOB, "<carol@example.org>"], smtp.message(token))
        assert [reply.code for reply in two.rcpt] == [250, 452]
        smtp.send(postfix_server, "<listed@pass.example.net>", ["<dave@example.org>"], smtp.message(token))
        why(daemon, "--sender", "listed@pass.example.net")
        found = replayed(daemon, settings + UNKNOWN)
    assert found["judged"] == 0 and found["not-judged"] == 2 and not found["examples"]
    assert sorted(one["fact"] for one in found["missing"]) == ["limit", "recent"]


def test_the_policy_is_known_again_by_a_relative_path(nameserver, postfix_server, directory, token):
    policy = 'policy inbound { on mail { reject 550 5.7.1 "no"  if sender is "no@pass.example.net" } }\n'
    with sekisho.Daemon(directory, policy, settings=f"history sqlite:{directory}/history.db\n") as daemon:
        smtp.send(postfix_server, "<no@pass.example.net>", [BOB], smtp.message(token))
        why(daemon, "--sender", "no@pass.example.net")
        done = sekisho.run("why", "--sender", "no@pass.example.net", "-c", os.path.basename(daemon.file), cwd=directory)
    assert done.returncode == 0 and "true: decides" in done.stdout and "has changed since" not in done.stdout


def test_a_policy_with_errors_and_a_file_without_history_are_said(fresh, directory):
    with open(f"{directory}/bad.conf", "w") as f:
        f.write("policy inbound { on mail { reject 550 \"x\" if spf is fial } }\n")
    done = sekisho.run("replay", f"{directory}/bad.conf", "-c", fresh.file)
    assert done.returncode == 78 and "fial" in done.stderr
    with open(f"{directory}/none.conf", "w") as f:
        f.write("policy inbound { on mail { accept } }\n")
    done = sekisho.run("why", "x", "-c", f"{directory}/none.conf")
    assert done.returncode == 78 and "keeps no history" in done.stderr


# ---- what goes wrong ---------------------------------------------------------------------------------------


def test_a_history_that_cannot_be_written_costs_no_mail(nameserver, postfix_server, directory, token):
    os.makedirs(f"{directory}/history.db")  # a directory is in the way
    with sekisho.Daemon(directory, POLICY, settings=f"history sqlite:{directory}/history.db\n") as daemon:
        assert smtp.send(postfix_server, f"<{token}@pass.example.net>", [BOB], smtp.message(token)).end.code == 250
        daemon.record(sender=f"{token}@pass.example.net")
        for _ in range(80):
            if any("history:" in line.get("message", "") for line in daemon.messages()):
                break
            time.sleep(0.1)
        assert any("mail is not affected" in line.get("message", "") for line in daemon.messages())
        assert daemon.status()["history"]["failures"] > 0


def test_an_address_is_erased(fresh, postfix_server, token):
    smtp.send(postfix_server, f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    why(fresh, "--sender", f"{token}@pass.example.net")
    done = sekisho.run("history", "erase", "--address", f"{token}@pass.example.net", "-c", fresh.file)
    assert done.returncode == 0 and done.stdout == "1 record erased\n"
    assert sekisho.run("why", "--sender", f"{token}@pass.example.net", "-c", fresh.file).returncode == 1
    smtp.send(postfix_server, f"<x{token}@pass.example.net>", [BOB], smtp.message(token))
    why(fresh, "--sender", f"x{token}@pass.example.net")


@pytest.mark.parametrize("mode", ["hashed", "off"])
def test_a_history_without_addresses_has_none(nameserver, postfix_server, directory, token, mode):
    settings = f"history sqlite:{directory}/history.db addresses {mode}\n"
    with sekisho.Daemon(directory, POLICY, settings=settings) as daemon:
        smtp.send(postfix_server, f"<early.{token}@pass.example.net>", [BOB], smtp.message(token))
        smtp.send(postfix_server, f"<{token}@pass.example.net>", [BOB], smtp.message(token))
        case = daemon.record(sender=f"{token}@pass.example.net")["case"]
        story = why(daemon, case)
        assert token + "@pass" not in story and "bob@" not in story and "alice@" not in story
        assert sekisho.run("why", "-c", daemon.file, "--sender",
                           f"{token}@pass.example.net").returncode == (0 if mode == "hashed" else 1)
    with open(f"{directory}/history.db", "rb") as f:
        text = f.read()
    assert b"bob@" not in text and token.encode() + b"@pass" not in text


def test_after_kill_the_history_is_whole(nameserver, postfix_server, directory, token):
    with sekisho.Daemon(directory, POLICY, settings=f"history sqlite:{directory}/history.db\n") as daemon:
        for n in range(5):
            smtp.send(postfix_server, f"<{n}{token}@pass.example.net>", [BOB], smtp.message(token))
        why(daemon, "--sender", f"4{token}@pass.example.net")
        daemon.kill()
        done = sekisho.run("history", "show", "-c", daemon.file)
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 5
        daemon.start()
        smtp.send(postfix_server, f"<5{token}@pass.example.net>", [BOB], smtp.message(token))
        why(daemon, "--sender", f"5{token}@pass.example.net")
