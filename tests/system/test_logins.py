"""What a login sends: counted over sessions, servers and a kill, listed by a verb; and the example that freezes accounts."""
import json
import os
import re
import time

import pytest

import miltc
import sekisho
import smtp

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../conf/examples/stolen-account.conf")
STORE = "store lmdb:{directory}/store\n"
POLICY = """
policy submission {
  on rcpt { reject 550 5.1.1 "nobody"  if recipient is nobody@example.org }
}
"""
ALICE, BOB = ("alice@example.org", "secret"), ("bob@example.org", "secret")


@pytest.fixture
def daemon(nameserver, directory):
    with sekisho.Daemon(directory, POLICY, settings=STORE) as running:
        yield running


def logins(daemon, *words):
    done = sekisho.run("logins", *words, "--json", "-c", daemon.file)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def send(login, recipients=("<bob@example.org>",), client="203.0.113.5"):
    with miltc.Milter() as m:
        m.greet(client)
        m.macros("mail", auth_authen=login, auth_type="PLAIN")
        answer = m.message(f"<{login}>", list(recipients))
        m.quit()
    return answer


def test_the_logins_that_send_the_most_are_listed(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        many = ["<bob@example.org>"] * 3 + ["<nobody@example.org>"]
        assert client.send("<alice@example.org>", many, smtp.message(token)).end.code == 250
    with smtp.Client(mta, "submission", tls=True, login=BOB) as client:
        assert client.send("<bob@example.org>", ["<alice@example.org>"], smtp.message("2" + token)).end.code == 250
    daemon.records()
    assert logins(daemon) == [
        {"login": "alice@example.org", "recent": 3, "recipients": 3, "refused": 1, "networks": 1},
        {"login": "bob@example.org", "recent": 1, "recipients": 1, "refused": 0, "networks": 1}]
    assert [login["login"] for login in logins(daemon, "--day", "--most", "1")] == ["alice@example.org"]
    shown = sekisho.run("logins", "--socket", f"{daemon.directory}/control")
    assert shown.stdout.startswith("alice@example.org\t3 in 5 minutes\t3 in a day\t1 refused\t1 network\n")
    assert sekisho.run("logins", "--most", "0", "-c", daemon.file).returncode == 64
    assert sekisho.run("logins", "--socket", f"{daemon.directory}/none").returncode == 69


def test_what_a_login_sent_survives_a_kill(daemon):
    for number in range(5):
        assert send("alice@example.org", client=f"203.0.{number}.5").what == "continue"
    time.sleep(1.1)  # the manual promises that what is older than a second is kept
    daemon.kill()
    daemon.start()
    assert logins(daemon)[0] == {"login": "alice@example.org", "recent": 5, "recipients": 5, "refused": 0, "networks": 5}


def test_without_a_store_the_verb_says_so(nameserver, directory):
    with sekisho.Daemon(directory, "policy inbound {\n}\n") as daemon:
        done = sekisho.run("logins", "-c", daemon.file)
        assert done.returncode == 1 and "no store is open" in done.stderr


def test_the_example_freezes_an_account_and_says_why(nameserver, directory):
    """One password, used from ever more networks; then one that writes to many who do not exist."""
    with open(EXAMPLE) as f:
        rules = f.read()
    rules = rules[rules.index("# No account sends more"):rules.index("# ---- tests")]
    rules = re.sub(r"\n.*if not tls", "", rules)  # miltc has no TLS
    with sekisho.Daemon(directory, rules, settings=STORE) as daemon:
        for number in range(8):
            assert send("alice", client=f"203.0.{number}.5").what == "continue"
        assert "Frozen: 9 networks used this login" in send("alice", client="203.0.99.5").text
        assert "Frozen: 9 networks" in send("alice", client="203.0.1.5").text, "for all networks, until somebody looks"
        assert send("bob").what == "continue"
        done = sekisho.run("store", "delete", "login:networks:alice", "-c", daemon.file)
        assert done.returncode == 0 and send("alice", client="203.0.1.5").what == "continue"

        recipients = [f"<{i}@example.net>" for i in range(120)]
        with miltc.Milter() as m:
            m.greet("203.0.1.5")
            m.macros("mail", auth_authen="carol", auth_type="PLAIN")
            m.mail("<carol@example.org>")
            answers = [m.rcpt(recipient) for recipient in recipients]
            m.end()
            m.quit()
        assert [a.what for a in answers].count("continue") == 49
        assert "Frozen: 5 times as many recipients as ever" in answers[-1].text
        frozen = send("carol", client="203.0.1.5")
        assert "Frozen: 71 refusals in a day" in frozen.text, "after the burst is over, too"
