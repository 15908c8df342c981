"""Recipients that the mail server or a rule refuses are counted on the connection."""
import pytest

import smtp

POLICY = """
policy inbound {
  on rcpt {
    reject 550 5.1.1 "by a rule"                       if recipient is ruled@example.org
    defer 451 4.7.1 "%{refused.recipients} refused"    if refused.recipients > 2
  }
  on message {
    add-header X-Refused "%{refused.recipients}"
    add-header X-Form "%{helo.form}"
  }
}
"""

BOB = "<bob@example.org>"
# Postfix refuses to relay, and tells of it; Sendmail tells of users that it does not know, and of nothing else.
REFUSED = {"postfix": "<x%d@relay.example.com>", "sendmail": "<unknown.%d@example.org>"}
UNTOLD = "<x%d@relay.example.com>"


@pytest.fixture(autouse=True)
def running(daemon):
    return daemon


def test_recipients_that_a_rule_refuses_are_counted(mta, token):
    with smtp.Client(mta) as client:
        replies = client.envelope(f"<{token}@example.net>", ["<ruled@example.org>", "<ruled@example.org>", BOB])
        assert [reply.code // 100 for reply in replies.rcpt] == [5, 5, 2], replies
        client.command("RSET")
        assert client.send(f"<{token}@example.net>", [BOB], smtp.message(token)).end.code == 250
    assert mta.delivered(token).field("X-Refused").strip() == "2"


def test_recipients_that_the_mail_server_refuses_are_counted(mta, token):
    with smtp.Client(mta) as client:
        replies = client.envelope(f"<{token}@example.net>", [REFUSED[mta.name] % n for n in range(3)] + [BOB])
        assert replies.rcpt[0].code >= 500 and "3 refused" in replies.rcpt[3].text, replies
        assert replies.rcpt[3].code == 451


def test_sendmail_does_not_tell_of_relaying_that_it_refuses(mta, token):
    """So sekisho.conf(5) says, and the fact then counts less than the client tried."""
    if mta.name != "sendmail":
        pytest.skip("Postfix tells of all that it refuses")
    with smtp.Client(mta) as client:
        replies = client.envelope(f"<{token}@example.net>", [UNTOLD % n for n in range(3)] + [BOB])
        assert [reply.code // 100 for reply in replies.rcpt] == [5, 5, 5, 2], replies


def test_the_address_that_the_client_connected_to_is_our_own(mta, token):
    with smtp.Client(mta, helo=f"[{mta.address}]") as client:
        assert client.send(f"<{token}@example.net>", [BOB], smtp.message(token)).end.code == 250
    assert mta.delivered(token).field("X-Form").strip() == "own-address"
