"""The history: every message is in it after the answer, and `sekisho why` tells its story."""
import json
import re
import time

import pytest

import sekisho
import smtp

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.1 "refused, case %{case}"               if sender matches /^early/
  }
  on message {
    reject 550 5.7.26 "not authenticated, case %{case}"    if header("X-Do") is "refuse" and spf is pass
    add-header X-Seen "yes"                                if spf is pass
  }
}
"""

BOB = "<bob@example.org>"


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    settings = f"history sqlite:{module_directory}/history.db\n"
    with sekisho.Daemon(module_directory, POLICY, settings=settings) as running:
        yield running


def case_of(reply):
    return re.search(r"case ([0-9a-z]{12})", reply.text).group(1)


def why(daemon, *arguments, code=0):
    """The story, once it is written."""
    for _ in range(50):
        done = sekisho.run("why", "-c", daemon.file, *arguments)
        if done.returncode == code:
            return done.stdout
        time.sleep(0.1)
    raise AssertionError(f"sekisho why {arguments}: {done.returncode} {done.stdout} {done.stderr}")


def test_the_case_of_a_refusal_leads_to_its_story(daemon, mta, token):
    refused = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token, "X-Do: refuse"))
    story = why(daemon, case_of(refused.end))
    assert f"sender       {token}@pass.example.net" in story and "client       203.0.113.5" in story
    assert re.search(r"decided by +\S+:\d+", story) and "550 5.7.26 not authenticated" in story
    assert 'header("X-Do") = refuse' in story and "spf = pass" in story and "true: decides" in story
    assert "pass.example.net TXT  v=spf1" in story


def test_an_accepted_message_is_found_by_its_people_and_its_queue_id(daemon, mta, token):
    smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    told = json.loads(why(daemon, "--sender", f"{token}@pass.example.net", "--json"))
    assert told["verdict"] == "accept" and told["facts"]["spf"] == "pass"
    assert any(rule["effect"] == "edit" and rule["values"] == {"spf": "pass"} for rule in told["rules"])
    assert json.loads(why(daemon, told["queue-id"], "--json"))["case"] == told["case"]
    assert told["case"] in why(daemon, "--recipient", "bob@example.org", "--all")
    assert told["case"] in why(daemon, "--client", "203.0.113.5", "--since", "1h", "--all")


def test_a_message_that_is_not_there_is_a_no(daemon):
    assert sekisho.run("why", "-c", daemon.file, "000000000000").returncode == 1
    assert sekisho.run("why", "-c", daemon.file, "' OR 1=1 --").returncode == 1
    assert sekisho.run("why", "-c", daemon.file, "--sender", "x" * 65000).returncode == 1
