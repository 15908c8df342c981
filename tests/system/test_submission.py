"""Mail of local users, through both mail servers: who may send, how, and with which sender."""
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
    add-header X-Login "%{auth.user} %{auth.method} %{tls.version}"
  }
}
"""

BOB = "<bob@example.org>"
ALICE = ("alice@example.org", "secret")


@pytest.fixture(scope="module", autouse=True)
def owners(module_directory):
    with open(module_directory + "/owners", "w") as f:
        f.write("alice@example.org: alice@example.org sales@example.org @shop.example.org\n")
        f.write("bob@example.org: bob@example.org\n")


def submit(mta, token, sender, login=ALICE, service="submission", tls=True, **client):
    return smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token), service=service, tls=tls, login=login, **client)


def test_without_auth_submission_is_refused(daemon, mta, token):
    replies = submit(mta, token, f"{token}@example.org", login=None)
    assert replies.mail.code == 530 and "Authentication required" in replies.mail.text
    record = daemon.record(sender=f"{token}@example.org")
    assert (record["kind"], record["rule"]) == ("submission", daemon.line("Authentication required"))
    assert record["facts"]["tls"] is True and record["facts"]["submission"] is True


def test_without_tls_submission_is_refused(daemon, mta, token):
    replies = submit(mta, token, f"{token}@example.org", tls=False)
    assert replies.mail.code == 530 and "Encryption required" in replies.mail.text
    record = daemon.record(sender=f"{token}@example.org")
    assert record["facts"]["auth.user"] == "alice@example.org" and record["facts"]["tls"] is False


def test_after_starttls_and_auth_mail_goes_through(daemon, mta, token):
    replies = submit(mta, token, "alice@example.org")
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert delivered.field("X-Login").startswith("alice@example.org PLAIN TLSv1.")
    stamp = delivered.field("Authentication-Results")
    assert "auth=pass" in stamp and "alice" not in stamp  # strangers read it: half of what a thief needs


@pytest.mark.parametrize("sender", ["sales@example.org", "ALICE@Example.ORG", "any.thing@shop.example.org"])
def test_a_login_sends_as_what_it_owns(daemon, mta, token, sender):
    replies = submit(mta, token, sender)
    assert replies.end.code == 250
    mta.delivered(token)


@pytest.mark.parametrize("sender", ["bob@example.org", "alice@example.net", "x@sub.shop.example.org"])
def test_a_login_does_not_send_as_somebody_else(daemon, mta, token, sender):
    replies = submit(mta, token, sender)
    assert replies.mail.code == 553 and f"alice@example.org may not send as {sender}" in replies.mail.text


def test_a_login_does_not_send_as_nobody(daemon, mta, token):
    replies = submit(mta, token, "")
    assert replies.mail.code == 553


def test_a_user_learns_at_once_that_a_domain_takes_no_mail(daemon, dns, mta, token):
    """RFC 7505 4.1. The other recipients get the message."""
    dns.zone("example.org MX 10 mail.example.org")
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        replies = client.envelope("<alice@example.org>", ["<bob@nullmx.example.net>", f"<bob@{token}.example.net>", BOB])
        assert [reply.code for reply in replies.rcpt] == [556, 550, 250], replies
        for reply, status, words in ((replies.rcpt[0], "5.1.10 ", "nullmx.example.net takes no mail"),
                                     (replies.rcpt[1], "5.1.2 ", f"{token}.example.net does not exist")):
            assert reply.text.startswith(status) and words in reply.text, reply


def test_smtps_is_submission(daemon, mta, token):
    replies = submit(mta, token, "alice@example.org", service="smtps", tls=False)
    assert replies.end.code == 250
    assert mta.delivered(token).field("X-Login").startswith("alice@example.org PLAIN TLSv1.")
    refused = submit(mta, token, f"{token}@example.org", service="smtps", tls=False, login=None)
    assert refused.mail.code == 530 and "Authentication required" in refused.mail.text


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


def test_the_second_helo_after_starttls_counts(daemon, mta, token):
    with smtp.Client(mta, "submission", helo="first.example.net") as client:
        client.starttls(helo="second.example.net")
        client.login(*ALICE)
        replies = client.send("<alice@example.org>", [BOB], smtp.message(token))
    assert replies.end.code == 250
    mta.delivered(token)
    record = [r for r in daemon.records() if r["helo"] == "second.example.net"][-1]
    assert record["verdict"] == "accept" and record["facts"]["tls"] is True
    assert not [r for r in daemon.records() if r["helo"] == "first.example.net"]


def test_several_messages_of_one_login_are_judged_one_by_one(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        first = client.send("<alice@example.org>", [BOB], smtp.message("first-" + token))
        second = client.send("<bob@example.org>", [BOB], smtp.message("second-" + token))
        third = client.send("<sales@example.org>", [BOB], smtp.message("third-" + token))
    assert (first.end.code, second.mail.code, third.end.code) == (250, 553, 250)
    mta.delivered("first-" + token)
    mta.delivered("third-" + token)


def test_another_login_has_its_own_addresses(daemon, mta, token):
    replies = submit(mta, token, "bob@example.org", login=("bob@example.org", "secret"))
    assert replies.end.code == 250 and mta.delivered(token)
    replies = submit(mta, token, "alice@example.org", login=("bob@example.org", "secret"))
    assert replies.mail.code == 553


def test_a_forged_auth_clause_of_a_user_is_removed(daemon, mta, token):
    text = smtp.message(token, "Authentication-Results: mx.example.org; auth=pass smtp.auth=boss@example.org")
    replies = smtp.send(mta, "<alice@example.org>", [BOB], text, service="submission", tls=True, login=ALICE)
    assert replies.end.code == 250
    assert b"boss@" not in mta.delivered(token).raw
