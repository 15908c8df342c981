"""Who may submit, how, and as whom, through both mail servers, with Cyrus SASL and with Dovecot's: each way around it fails.

What the policy decides by is what the mail server verified; what the client only says about itself counts for nothing.
"""
import smtplib

import pytest

import sekisho
import smtp
import space
from dovecot import Dovecot

# Port 2528 of Postfix asks Dovecot for logins.
BASE = sekisho.SETTINGS.replace("port 587 465", "port 587 465 2528")

SETTINGS = """
list owners file:{directory}/owners
list canonical file:{directory}/canonical
record { facts all }
"""

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.23 "SPF: %{spf.explanation}"                    if spf is fail
  }
  on message {
    reject 550 5.7.26 "DMARC"                                      if dmarc is fail
  }
}
policy submission {
  on mail {
    reject 530 5.7.10 "Encryption required"                        if not tls
    reject 530 5.7.10 "TLS 1.3 required"                           if tls.version < TLSv1.3 and sender is modern@example.org
    reject 530 5.7.0 "Authentication required"                     if not auth
    reject 504 5.5.4 "The mechanism %{auth.method} is too weak"    if auth.method is { LOGIN CRAM-MD5 }
    reject 553 5.7.1 "%{auth.user} may not send as %{sender}"      if not (sender owned by auth.user)
  }
  on message {
    reject 553 5.7.1 "%{auth.user} may not write as %{from}"       if not (from owned by auth.user)
    reject 553 5.7.1 "%{auth.user} may not send for %{originators}"  if not (originators owned by auth.user)
  }
}
policy local {
  on message { add-header X-Local "yes" }
}
"""

BOB = "<bob@example.org>"
NOT_BOB = "alice@example.org may not send as bob@example.org"  # after 5.7.1, and with Sendmail after the address
ALICE = ("alice@example.org", "secret")
SUBMISSION = ["submission", "smtps"]


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    with open(module_directory + "/owners", "w") as f:
        f.write("alice@example.org: alice@example.org modern@example.org sales@example.org\nbob@example.org: bob@example.org\n")
    with open(module_directory + "/canonical", "w") as f:
        f.write("nobody: nobody@example.org\n")
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=BASE) as running:
        yield running


@pytest.fixture(scope="module")
def dovecot(postfix_server):
    reason = Dovecot.why_not()
    if reason:
        pytest.skip(reason)
    running = Dovecot(postfix_server.d)
    yield running
    running.stop()


@pytest.fixture(params=["submission", "smtps", "mx", "dovecot"])
def way(request, mta):
    """A service for users, and how a client encrypts there."""
    if request.param == "dovecot":
        if mta.name != "postfix":
            pytest.skip("Sendmail has no Dovecot SASL")
        request.getfixturevalue("dovecot")
    return {"service": request.param, "tls": request.param != "smtps"}


def text(token, *fields, **options):
    return smtp.message(token, *fields, **dict({"sender": "alice@example.org"}, **options))


# ---- who, and how ------------------------------------------------------------------------------


def test_a_login_over_tls_passes_everywhere(daemon, mta, way, token):
    replies = smtp.send(mta, "<alice@example.org>", [BOB], text(token), login=ALICE, **way)
    assert replies.end.code == 250, replies
    stamp = mta.delivered(token).field("Authentication-Results")
    assert "auth=pass" in stamp and "alice" not in stamp
    record = [r for r in daemon.records() if r.get("facts", {}).get("message-id") == f"<{token}@example.net>"]
    assert [(r["kind"], r["facts"]["auth.user"]) for r in record] == [("submission", "alice@example.org")]


def test_without_a_login_nothing_is_submitted(daemon, mta, way, token):
    if way["service"] == "mx":
        pytest.skip("there it is mail from outside")
    replies = smtp.send(mta, f"<{token}@example.org>", [BOB], text(token), **way)
    assert replies.mail.code == 530 and replies.mail.text == "5.7.0 Authentication required"


def test_without_tls_nothing_is_submitted(daemon, mta, way, token):
    if way["service"] == "smtps":
        pytest.skip("there it is always encrypted")
    replies = smtp.send(mta, "<alice@example.org>", [BOB], text(token), service=way["service"], login=ALICE)
    assert replies.mail.code == 530 and replies.mail.text == "5.7.10 Encryption required"


@pytest.mark.parametrize("service", SUBMISSION)
def test_an_old_version_of_tls_is_refused(daemon, mta, token, service):
    for newest, expected in (("TLSv1_2", "5.7.10 TLS 1.3 required"), ("TLSv1_3", None)):
        client = smtp.Client(mta, service, tls=service != "smtps", login=ALICE, context=smtp.unsafe_context(newest=newest))
        with client:
            replies = client.send("<modern@example.org>", [BOB], text(token))
        assert (replies.end.code == 250) if expected is None else (replies.mail.text == expected), replies


@pytest.mark.parametrize("service", SUBMISSION)
def test_a_weak_mechanism_is_refused(daemon, mta, token, service):
    with smtp.Client(mta, service, tls=service != "smtps") as client:
        client.smtp.user, client.smtp.password = ALICE
        assert client.smtp.auth("LOGIN", client.smtp.auth_login)[0] == 235
        replies = client.send("<alice@example.org>", [BOB], text(token))
    assert replies.mail == (504, "5.5.4 The mechanism LOGIN is too weak")


@pytest.mark.parametrize("service", SUBMISSION)
def test_a_client_certificate_is_not_a_login(daemon, mta, token, service):
    context = smtp.unsafe_context()
    context.load_cert_chain(mta.d + "/conf/cert.pem", mta.d + "/conf/key.pem")
    with smtp.Client(mta, service, tls=service != "smtps", context=context) as client:
        replies = client.send(f"<{token}@example.org>", [BOB], text(token))
    assert replies.mail == (530, "5.7.0 Authentication required")
    assert daemon.record(sender=f"{token}@example.org")["facts"]["auth"] is False


def test_what_the_client_says_of_the_author_is_not_a_login(daemon, mta, token):
    """The parameter AUTH= of MAIL (RFC 4954 5)."""
    refused = smtp.send(mta, f"<{token}@example.org>", [BOB], text(token), options="AUTH=alice@example.org",
                        service="submission", tls=True)
    assert refused.mail == (530, "5.7.0 Authentication required")
    refused = smtp.send(mta, "<bob@example.org>", [BOB], text(token), options="AUTH=bob@example.org", service="submission",
                        tls=True, login=ALICE)
    assert refused.mail.code == 553 and NOT_BOB in refused.mail.text
    taken = smtp.send(mta, "<alice@example.org>", [BOB], text(token), options="AUTH=<>", service="submission", tls=True,
                      login=ALICE)
    assert taken.end.code == 250, taken


def test_a_user_on_the_mx_port_meets_no_rule_for_strangers(daemon, mta, token):
    """Neither SPF nor DMARC: both fail for this client and author."""
    user = smtp.send(mta, "<alice@example.org>", [BOB], text(token), service="mx", tls=True, login=ALICE, source=space.BAD)
    assert user.end.code == 250, user
    stranger = smtp.send(mta, f"<{token}@fail.example.net>", [BOB], text(token), service="mx", tls=True, source=space.BAD)
    assert stranger.mail.code == 550 and "SPF" in stranger.mail.text


def test_a_trusted_network_is_local_without_a_login_and_a_user_with_one(daemon, mta, token):
    local = smtp.send(mta, "<anybody@fail.example.net>", [BOB], text(token + "1"), source=space.TRUSTED)
    assert local.end.code == 250 and mta.delivered(token + "1").field("X-Local") == "yes"
    user = smtp.send(mta, "<bob@example.org>", [BOB], text(token + "2"), source=space.TRUSTED, tls=True, login=ALICE)
    assert user.mail.code == 553 and NOT_BOB in user.mail.text
    port = smtp.send(mta, "<anybody@fail.example.net>", [BOB], text(token + "3"), source=space.TRUSTED, service="submission",
                     tls=True)
    assert port.mail == (530, "5.7.0 Authentication required")


# ---- as whom -----------------------------------------------------------------------------------

CEO = "5.7.1 alice@example.org may not write as ceo@example.com"
AUTHORS = {
    "another author": (["From: ceo@example.com"], CEO),
    "two From fields": (["From: alice@example.org", "From: ceo@example.com"], CEO),
    "two From fields, the other way": (["From: ceo@example.com", "From: alice@example.org"], CEO),
    "From in capitals": (["From: alice@example.org", "FROM: ceo@example.com"], CEO),
    "two authors": (["From: Alice <alice@example.org>, Boss <ceo@example.com>"], CEO),
    "a group": (["From: Board: alice@example.org, ceo@example.com;"], CEO),
    "a comment like an address": (["From: ceo@example.com (alice@example.org)"], CEO),
    "a comment in an address": (["From: ceo(<alice@example.org>)@example.com"], CEO),
    "a name like an address": (['From: "alice@example.org" <ceo@example.com>'], CEO),
    "a source route": (["From: <@example.org:ceo@example.com>"], CEO),
    "case of others": (["From: <CEO@Example.COM>"], "5.7.1 alice@example.org may not write as CEO@Example.COM"),
    "a subdomain": (["From: <alice@mail.example.org>"], "5.7.1 alice@example.org may not write as alice@mail.example.org"),
    "an encoded word": (["From: =?utf-8?q?ceo=40example=2Ecom?= <alice@example.org>"], None),
    "an encoded address": (["From: =?utf-8?q?alice=40example=2Eorg?="], "5.7.1 alice@example.org may not write as "),
    "a foreign Sender": (["From: alice@example.org", "Sender: ceo@example.com"],
                         "5.7.1 alice@example.org may not send for ceo@example.com"),
    "a second Sender": (["From: alice@example.org", "Sender: alice@example.org", "Sender: ceo@example.com"],
                        "5.7.1 alice@example.org may not send for ceo@example.com"),
    "resent by another": (["From: alice@example.org", "Resent-From: ceo@example.com"],
                          "5.7.1 alice@example.org may not send for ceo@example.com"),
    "resent for another": (["From: alice@example.org", "Resent-From: alice@example.org", "Resent-Sender: ceo@example.com"],
                           "5.7.1 alice@example.org may not send for ceo@example.com"),
    "her own addresses": (["From: ALICE@Example.org, \"Sales, Inc.\" <sales@example.org>", "Sender: alice@EXAMPLE.ORG"], None),
    "her own in a comment": (["From: (ceo@example.com) Alice <alice@example.org> (ceo@example.com)"], None),
    "answers elsewhere": (["From: alice@example.org", "Reply-To: ceo@example.com"], None),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_an_author_is_the_logins_own(daemon, mta, token, name):
    fields, expected = AUTHORS[name]
    lines = fields + ["To: bob@example.org", "Subject: x", f"Message-ID: <{token}@example.org>",
                      "Date: Sat, 21 Nov 2026 12:00:00 +0000"]
    message = ("".join(line + "\r\n" for line in lines) + "\r\nHello.\r\n").encode()
    replies = smtp.send(mta, "<alice@example.org>", [BOB], message, service="submission", tls=True, login=ALICE)
    if expected is None:
        assert replies.end.code == 250, replies
    else:
        assert replies.end.code == 553 and replies.end.text.startswith(expected), replies


def test_xclient_of_a_stranger_gives_no_login(daemon, postfix_server, token):
    with smtp.Client(postfix_server, "submission", tls=True) as client:
        assert client.command("XCLIENT LOGIN=alice@example.org").code >= 500
        replies = client.send("<alice@example.org>", [BOB], text(token))
    assert replies.mail == (530, "5.7.0 Authentication required")


def test_rset_ends_a_message_and_not_the_login(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        assert client.command("MAIL FROM:<alice@example.org>").code == 250
        assert client.command("RSET").code == 250
        refused = client.send("<bob@example.org>", [BOB], text(token, sender="bob@example.org"))
        taken = client.send("<alice@example.org>", [BOB], text(token))
    assert refused.mail.code == 553 and NOT_BOB in refused.mail.text
    assert taken.end.code == 250, taken


def test_who_logs_in_stays_who_it_is(daemon, mta, token):
    """A second AUTH is refused, and every message of the session is judged."""
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        first = client.send("<alice@example.org>", [BOB], text(token + "1"))
        assert client.command("AUTH PLAIN AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=").code == 503  # bob@example.org, secret
        second = client.send("<bob@example.org>", [BOB], text(token + "2", sender="bob@example.org"))
        third = client.send("<alice@example.org>", [BOB], text(token + "3", sender="bob@example.org"))
    assert first.end.code == 250, first
    assert second.mail.code == 553 and NOT_BOB in second.mail.text
    assert third.end == (553, "5.7.1 alice@example.org may not write as bob@example.org")


def test_a_failed_login_is_none(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("alice@example.org", "wrong")
        replies = client.send("<alice@example.org>", [BOB], text(token))
    assert replies.mail == (530, "5.7.0 Authentication required")
