"""Mail of local users, through any mail server: who may send, how, and with which sender. The cases of test_submission.py and
test_exim_submission.py, which have the fixtures `mta` and `daemon`; the daemon has this POLICY and the list of owners."""
import pytest

import smtp

SETTINGS = """
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
  on rcpt {
    reject 556 5.1.10 "%{recipient.domain} takes no mail"             if recipient.domain.mx is null
    reject 550 5.1.2  "%{recipient.domain} does not exist"            if recipient.domain.mx is none
  }
  on message {
    reject 553 5.7.1  "%{auth.user} may not write as %{from}"         if not (from owned by auth.user)
    add-header X-Login "%{auth.user} %{auth.method} %{tls.version}"
  }
}
"""

BOB = "<bob@example.org>"
ALICE = ("alice@example.org", "secret")


def write_owners(directory):
    with open(directory + "/owners", "w") as f:
        f.write("alice@example.org: alice@example.org sales@example.org @shop.example.org\n")
        f.write("bob@example.org: bob@example.org\n")


def submit(mta, token, sender, login=ALICE, service="submission", tls=True, author=None, fields=(), **client):
    text = smtp.message(token, *fields, sender=author or sender or "alice@example.org")
    return smtp.send(mta, f"<{sender}>", [BOB], text, service=service, tls=tls, login=login, **client)


def test_without_auth_submission_is_refused(daemon, mta, token):
    replies = submit(mta, token, f"{token}@example.org", login=None)
    assert replies.mail.code == 530 and "5.7.0 Authentication required" in replies.mail.text
    record = daemon.record(sender=f"{token}@example.org")
    assert (record["kind"], record["rule"]) == ("submission", daemon.line("Authentication required"))
    assert record["facts"]["tls"] is True and record["facts"]["submission"] is True


def test_without_tls_submission_is_refused(daemon, mta, token):
    replies = submit(mta, token, f"{token}@example.org", tls=False)
    assert replies.mail.code == 530 and "5.7.10 Encryption required" in replies.mail.text
    record = daemon.record(sender=f"{token}@example.org")
    assert record["facts"]["auth.user"] == "alice@example.org" and record["facts"]["tls"] is False


@pytest.mark.parametrize("service, tls", [("submission", True), ("smtps", False)])
def test_after_auth_mail_goes_through(daemon, mta, token, service, tls):
    replies = submit(mta, token, "alice@example.org", service=service, tls=tls)
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert delivered.field("X-Login").lower().startswith("alice@example.org plain tlsv1.")
    stamp = delivered.field("Authentication-Results")
    assert "auth=pass" in stamp and "alice" not in stamp  # strangers read it: half of what a thief needs


def test_smtps_is_submission(daemon, mta, token):
    refused = submit(mta, token, f"{token}@example.org", service="smtps", tls=False, login=None)
    assert refused.mail.code == 530 and "5.7.0 Authentication required" in refused.mail.text


@pytest.mark.parametrize("sender", ["sales@example.org", "ALICE@Example.ORG", "any.thing@shop.example.org"])
def test_a_login_sends_as_what_it_owns(daemon, mta, token, sender):
    replies = submit(mta, token, sender)
    assert replies.end.code == 250
    mta.delivered(token)


@pytest.mark.parametrize("sender", ["bob@example.org", "alice@example.net", "x@sub.shop.example.org", ""])
def test_a_login_does_not_send_as_somebody_else(daemon, mta, token, sender):
    replies = submit(mta, token, sender)
    assert replies.mail.code == 553 and replies.mail.text.startswith("5.7.1 ")  # Sendmail writes the sender after that
    assert replies.mail.text.endswith(f"alice@example.org may not send as {sender}".strip())


def test_a_login_does_not_write_as_somebody_else(daemon, mta, token):
    """With Exim the login, which only the questions before DATA and the header User tell, is known when the message comes."""
    replies = submit(mta, token, "alice@example.org", author="boss@example.org")
    assert replies.end.code == 553 and "5.7.1 alice@example.org may not write as boss@example.org" in replies.end.text
    assert not mta.find(token)


def test_another_login_has_its_own_addresses(daemon, mta, token):
    replies = submit(mta, token, "bob@example.org", login=("bob@example.org", "secret"))
    assert replies.end.code == 250 and mta.delivered(token)
    replies = submit(mta, token, "alice@example.org", login=("bob@example.org", "secret"))
    assert replies.mail.code == 553


def test_auth_on_the_mx_port_is_submission(daemon, mta, token):
    replies = submit(mta, token, "alice@example.org", service="mx")
    assert replies.end.code == 250
    mta.delivered(token)
    refused = submit(mta, token, f"{token}@fail.example.net", service="mx")
    assert refused.mail.code == 553 and "may not send as" in refused.mail.text
    assert daemon.record(sender=f"{token}@fail.example.net")["kind"] == "submission"


def test_without_auth_the_mx_port_is_inbound(daemon, mta, token):
    replies = submit(mta, token, f"{token}@fail.example.net", service="mx", login=None)
    assert replies.mail.code == 550 and "SPF" in replies.mail.text
    assert daemon.record(sender=f"{token}@fail.example.net")["kind"] == "inbound"


def test_no_inbound_rule_hits_a_user(daemon, mta, token):
    """SPF of alice's address would fail from her client's address."""
    replies = submit(mta, token, "alice@example.org")
    assert replies.end.code == 250 and mta.delivered(token)


def test_several_messages_of_one_login_are_judged_one_by_one(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        first = client.send("<alice@example.org>", [BOB], smtp.message("first-" + token, sender="alice@example.org"))
        second = client.send("<bob@example.org>", [BOB], smtp.message("second-" + token))
        third = client.send("<sales@example.org>", [BOB], smtp.message("third-" + token, sender="sales@example.org"))
    assert (first.end.code, second.mail.code, third.end.code) == (250, 553, 250)
    mta.delivered("first-" + token)
    mta.delivered("third-" + token)


def test_a_forged_auth_clause_of_a_user_is_removed(daemon, mta, token):
    forged = "Authentication-Results: mx.example.org; auth=pass smtp.auth=boss@example.org"
    assert submit(mta, token, "alice@example.org", fields=(forged,)).end.code == 250
    assert b"boss@" not in mta.delivered(token).raw
