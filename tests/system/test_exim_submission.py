"""Mail of local users through Exim, which asks the policy door and the rspamc door: who may send, how, and with which sender.
What test_submission.py asks of the milter, as far as Exim tells it."""
import pytest

import sekisho
import smtp

ENGINES = sekisho.ENGINES[:1]  # no milter here: once is enough

SETTINGS = """
listen     policy unix:{policy} mode 0666
listen     rspamc unix:{rspamc} mode 0666
list owners file:{directory}/owners
record { facts all }
"""

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.23 "SPF: %{spf.explanation}"                       if spf is fail
  }
}
policy submission {
  on mail {
    reject 530 5.7.0  "Authentication required"                       if not auth
    reject 530 5.7.10 "Encryption required"                           if not tls
    reject 553 5.7.1  "%{auth.user} may not send as %{sender}"        if not (sender owned by auth.user)
  }
  on message {
    reject 553 5.7.1  "%{auth.user} may not write as %{from}"         if not (from owned by auth.user)
    add-header X-Login "%{auth.user} %{auth.method} %{tls.version}"
  }
}
"""

BOB = "<bob@example.org>"
ALICE = ("alice@example.org", "secret")


@pytest.fixture(scope="module")
def gate(nameserver, module_directory, exim_server):
    with open(module_directory + "/owners", "w") as f:
        f.write("alice@example.org: alice@example.org sales@example.org @shop.example.org\n")
        f.write("bob@example.org: bob@example.org\n")
    settings = SETTINGS.replace("{policy}", exim_server.policy).replace("{rspamc}", exim_server.rspamc)
    with sekisho.Daemon(module_directory, POLICY, settings=settings) as running:
        yield running


def submit(exim, token, sender, login=ALICE, service="submission", tls=True, author=None, fields=(), **client):
    text = smtp.message(token, *fields, sender=author or sender or "alice@example.org")
    return smtp.send(exim, f"<{sender}>", [BOB], text, service=service, tls=tls, login=login, **client)


def test_without_auth_submission_is_refused(gate, exim_server, token):
    replies = submit(exim_server, token, f"{token}@example.org", login=None)
    assert replies.mail == (530, "5.7.0 Authentication required")
    record = gate.record(sender=f"{token}@example.org")
    assert (record["kind"], record["rule"]) == ("submission", gate.line("Authentication required"))
    assert record["facts"]["tls"] is True and record["facts"]["submission"] is True


def test_without_tls_submission_is_refused(gate, exim_server, token):
    replies = submit(exim_server, token, f"{token}@example.org", tls=False)
    assert replies.mail == (530, "5.7.10 Encryption required")
    record = gate.record(sender=f"{token}@example.org")
    assert record["facts"]["auth.user"] == "alice@example.org" and record["facts"]["tls"] is False


@pytest.mark.parametrize("service, tls", [("submission", True), ("smtps", False)])
def test_after_auth_mail_goes_through(gate, exim_server, token, service, tls):
    replies = submit(exim_server, token, "alice@example.org", service=service, tls=tls)
    assert replies.end.code == 250
    delivered = exim_server.delivered(token)
    assert delivered.field("X-Login").startswith("alice@example.org plain TLSv1.")
    stamp = delivered.field("Authentication-Results")
    assert "auth=pass" in stamp and "alice" not in stamp


@pytest.mark.parametrize("sender", ["sales@example.org", "ALICE@Example.ORG", "any.thing@shop.example.org"])
def test_a_login_sends_as_what_it_owns(gate, exim_server, token, sender):
    assert submit(exim_server, token, sender).end.code == 250
    exim_server.delivered(token)


@pytest.mark.parametrize("sender", ["bob@example.org", "alice@example.net", "x@sub.shop.example.org", ""])
def test_a_login_does_not_send_as_somebody_else(gate, exim_server, token, sender):
    replies = submit(exim_server, token, sender)
    assert replies.mail.code == 553 and replies.mail.text == f"5.7.1 alice@example.org may not send as {sender}".strip()


def test_a_login_does_not_write_as_somebody_else(gate, exim_server, token):
    """The login, which only the questions before DATA and the header User tell, is known when the message comes."""
    replies = submit(exim_server, token, "alice@example.org", author="boss@example.org")
    assert replies.end == (553, "5.7.1 alice@example.org may not write as boss@example.org")
    assert not exim_server.find(token)


def test_another_login_has_its_own_addresses(gate, exim_server, token):
    bob = ("bob@example.org", "secret")
    assert submit(exim_server, token, "bob@example.org", login=bob).end.code == 250
    assert submit(exim_server, token, "alice@example.org", login=bob).mail.code == 553
    exim_server.delivered(token)


def test_auth_on_the_mx_port_is_submission(gate, exim_server, token):
    assert submit(exim_server, token, "alice@example.org", service="mx").end.code == 250
    exim_server.delivered(token)
    refused = submit(exim_server, token, f"{token}@fail.example.net", service="mx")
    assert refused.mail.code == 553 and gate.record(sender=f"{token}@fail.example.net")["kind"] == "submission"


def test_without_auth_the_mx_port_is_inbound(gate, exim_server, token):
    replies = submit(exim_server, token, f"{token}@fail.example.net", service="mx", login=None)
    assert replies.mail.code == 550 and replies.mail.text.startswith("5.7.23 SPF: ")
    assert gate.record(sender=f"{token}@fail.example.net")["kind"] == "inbound"


def test_several_messages_of_one_login_are_judged_one_by_one(gate, exim_server, token):
    with smtp.Client(exim_server, "submission", tls=True, login=ALICE) as client:
        first = client.send("<alice@example.org>", [BOB], smtp.message("first-" + token, sender="alice@example.org"))
        second = client.send("<bob@example.org>", [BOB], smtp.message("second-" + token))
        third = client.send("<sales@example.org>", [BOB], smtp.message("third-" + token, sender="sales@example.org"))
    assert (first.end.code, second.mail.code, third.end.code) == (250, 553, 250)
    exim_server.delivered("first-" + token)
    exim_server.delivered("third-" + token)


def test_a_forged_auth_clause_of_a_user_is_removed(gate, exim_server, token):
    forged = "Authentication-Results: mx.example.org; auth=pass smtp.auth=boss@example.org"
    assert submit(exim_server, token, "alice@example.org", fields=(forged,)).end.code == 250
    assert b"boss@" not in exim_server.delivered(token).raw
