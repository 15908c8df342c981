"""The odd ways of a session: XCLIENT, RSET, several messages, IPv6, SMTPUTF8, addresses in every notation."""
import pytest

import smtp
import space

SETTINGS = """
record { facts all }
"""

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.23 "SPF: %{spf.explanation}"          if spf is fail
  }
  on message {
    add-header X-Sender "%{sender} of %{sender.domain} from %{client}"
    reject 550 5.7.1 "no subject"                        if header.count("Subject") = 0
  }
}
policy submission {
  on mail {
    reject 553 5.7.1 "as %{auth.user}"                   if sender matches /^refused/
  }
  on message {
    add-header X-Kind "submission %{auth.user}"
  }
}
"""

BOB = "<bob@example.org>"


def xclient(postfix_server, **attributes):
    client = smtp.Client(postfix_server, source="127.0.0.1")
    client.xclient(**attributes)
    return client


# ---- XCLIENT of Postfix


def test_xclient_gives_the_address_of_another_client(daemon, postfix_server, token):
    with xclient(postfix_server, addr=space.BAD, name="mail.example.com", port="4711") as client:
        replies = client.send(f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    assert replies.mail.code == 550
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert (record["client"], record["client.name"]) == (space.BAD, "mail.example.com")
    assert record["facts"]["client.port"] == 4711


def test_xclient_gives_an_ipv6_address(daemon, postfix_server, token):
    with xclient(postfix_server, addr="IPV6:2001:db8::5", name="mail.example.net") as client:
        replies = client.send(f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    assert replies.end.code == 250
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["client"] == "2001:db8::5" and record["facts"]["spf"] == "pass"


def test_xclient_gives_a_login(daemon, postfix_server, token):
    with xclient(postfix_server, addr=space.BAD, login="carol@example.org") as client:
        replies = client.send(f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    assert replies.end.code == 250
    assert postfix_server.delivered(token).field("X-Kind") == "submission carol@example.org"
    assert daemon.record(sender=f"{token}@pass.example.net")["kind"] == "submission"


# ---- several messages in one session


def test_each_message_of_a_session_has_its_own_verdict(daemon, mta, token):
    with smtp.Client(mta) as client:
        verdicts = []
        for number, sender in enumerate(["pass", "fail", "pass", "none", "fail", "pass"]):
            replies = client.send(f"<{token}{number}@{sender}.example.net>", [BOB], smtp.message(f"{token}-{number}"))
            verdicts.append(replies.last.code)
    assert verdicts == [250, 550, 250, 250, 550, 250]
    for number, domain in ((0, "pass"), (2, "pass"), (3, "none"), (5, "pass")):
        delivered = mta.delivered(f"{token}-{number}")
        domain += ".example.net"
        assert delivered.field("X-Sender") == f"{token}{number}@{domain} of {domain} from 203.0.113.5"
        assert len(delivered.fields("Authentication-Results")) == 1
    ids = [daemon.record(sender=f"{token}{number}@pass.example.net")["queue-id"] for number in (0, 2, 5)]
    assert len(set(ids)) == 3


def test_rset_ends_a_message_and_nothing_of_it_stays(daemon, mta, token):
    with smtp.Client(mta) as client:
        assert client.envelope(f"<a-{token}@pass.example.net>", ["<alice@example.org>"]).rcpt[0].code == 250
        assert client.command("RSET").code == 250
        assert client.envelope(f"<b-{token}@pass.example.net>", []).mail.code == 250
        assert client.command("RSET").code == 250
        replies = client.send(f"<c-{token}@pass.example.net>", [BOB], smtp.message(token))
    assert replies.end.code == 250
    assert mta.delivered(token).field("X-Sender").startswith(f"c-{token}@")
    assert daemon.record(sender=f"c-{token}@pass.example.net")["recipients"] == ["bob@example.org"]
    assert daemon.record(sender=f"a-{token}@pass.example.net")["verdict"] == "aborted"


def test_a_client_that_goes_in_the_middle_leaves_a_record(daemon, mta, token):
    client = smtp.Client(mta)
    client.envelope(f"<{token}@pass.example.net>", [BOB])
    client.smtp.close()
    assert daemon.record(sender=f"{token}@pass.example.net")["verdict"] == "aborted"


def test_a_second_helo_counts(daemon, mta, token):
    with smtp.Client(mta, helo="first.example.net") as client:
        assert client.command("EHLO second.example.net").code == 250
        client.send(f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    assert daemon.record(sender=f"{token}@pass.example.net")["helo"] == "second.example.net"


def test_helo_may_be_missing(daemon, mta, token):
    with smtp.Client(mta, ehlo=False) as client:
        replies = client.send(f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    if replies.mail.code == 503:
        pytest.skip(f"{mta.name} insists on HELO")
    assert replies.end.code == 250
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["helo"] is None and record["facts"]["spf.helo"] == "none"


def test_pipelined_commands_are_answered_in_order(daemon, mta, token):
    with smtp.Client(mta) as client:
        lines = [f"MAIL FROM:<{token}@fail.example.net>", f"RCPT TO:{BOB}", "RSET",
                 f"MAIL FROM:<{token}@pass.example.net>", f"RCPT TO:{BOB}", "DATA", ""]
        client.raw("\r\n".join(lines).encode())
        codes = [client.answer().code for _ in range(6)]
        assert codes[0] == 550 and codes[2:] == [250, 250, 250, 354]
        assert client.finish(smtp.message(token)).code == 250
    mta.delivered(token)


def test_a_message_in_chunks_is_judged(daemon, postfix_server, token):
    with smtp.Client(postfix_server) as client:
        client.envelope(f"<{token}@pass.example.net>", [BOB])
        text = smtp.message(token)
        client.raw(f"BDAT {len(text)}\r\n".encode() + text)
        assert client.answer().code == 250
        client.raw(b"BDAT 6 LAST\r\nmore\r\n")
        assert client.answer().code == 250
    assert postfix_server.delivered(token).body().endswith(b"more\n")
    assert daemon.record(sender=f"{token}@pass.example.net")["verdict"] == "accept"


def test_a_client_whose_name_does_not_lead_back_has_no_name(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@none.example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.end.code == 250
    record = daemon.record(sender=f"{token}@none.example.net")
    assert record["client.name"] is None and record["facts"]["client.ptr"] is None


# ---- addresses in every notation


SENDERS = ["{t}@pass.example.net", "<{t}@PASS.Example.NET>", "<@relay.example.com:{t}@pass.example.net>",
           '<"{t}"@pass.example.net>', "<{t}+tag@pass.example.net>"]
RECIPIENTS = ["bob@example.org", "<@relay.example.com:bob@example.org>", '<"bob"@example.org>', "<BOB@EXAMPLE.ORG>"]


@pytest.mark.parametrize("sender", SENDERS)
def test_the_sender_is_read_in_every_form(daemon, mta, token, sender):
    replies = smtp.send(mta, sender.format(t=token), [BOB], smtp.message(token))
    if replies.mail.code == 501:
        pytest.skip(f"{mta.name} does not take this form: {replies.mail.text}")
    assert replies.end.code == 250, replies
    stamp = mta.delivered(token).field("Authentication-Results")
    assert "spf=pass" in stamp and token in stamp
    record = [r for r in daemon.records() if token in r["sender"]][-1]
    assert record["facts"]["sender.domain"] == "pass.example.net"


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_the_recipient_is_read_in_every_form(daemon, mta, token, recipient):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [recipient], smtp.message(token))
    if replies.rcpt[0].code >= 500:
        pytest.skip(f"{mta.name} does not take this form: {replies.rcpt[0].text}")
    assert replies.end.code == 250
    address = daemon.record(sender=f"{token}@pass.example.net")["recipients"][0]
    assert address.replace('"', "").lower() == "bob@example.org"


def test_a_sender_without_a_domain_has_that_of_the_mail_server_or_no_spf(daemon, mta, token):
    """Postfix makes token@example.org of it, and would deliver it as that: its SPF does not let strangers send."""
    replies = smtp.send(mta, f"<{token}>", [BOB], smtp.message(token))
    if mta.name == "postfix":
        assert replies.mail.code == 550
        assert daemon.record(sender=f"{token}@example.org")["facts"]["spf"] == "fail"
        return
    assert replies.end.code == 250
    stamp = mta.delivered(token).field("Authentication-Results")
    assert "spf=none" in stamp or "spf=" not in stamp.replace("smtp.helo", "").split("smtp.helo")[0]


def test_parameters_do_not_belong_to_addresses(daemon, mta, token):
    with smtp.Client(mta) as client:
        bob = BOB + " NOTIFY=NEVER ORCPT=rfc822;robert@example.com"
        replies = client.send(f"<{token}@pass.example.net>", [bob], smtp.message(token),
                              options="SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=x")
    assert replies.end.code == 250
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["verdict"] == "accept" and record["recipients"] == ["bob@example.org"]


# ---- networks and alphabets


def test_a_client_with_ipv6_passes(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token), source=space.GOOD6)
    assert replies.end.code == 250
    assert mta.delivered(token).field("X-Sender").endswith("from 2001:db8::5")
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["client"] == "2001:db8::5" and record["facts"]["spf"] == "pass" and record["facts"]["spf.helo"] == "pass"
    assert record["facts"]["client.ptr"] == "mail.example.net"


def test_an_ipv4_client_of_an_ipv6_socket_passes(daemon, sendmail_server, token):
    replies = smtp.send(sendmail_server, f"<{token}@pass.example.net>", [BOB], smtp.message(token), service="mapped")
    assert replies.end.code == 250
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["client"] == space.GOOD and record["facts"]["spf"] == "pass"


def test_an_international_sender_is_checked_by_its_a_label(daemon, postfix_server, token):
    replies = smtp.send(postfix_server, f"<jürgen-{token}@exämple.net>", [BOB], smtp.message(token), options="SMTPUTF8")
    assert replies.end.code == 250
    record = daemon.record(sender=f"jürgen-{token}@exämple.net")
    assert record["facts"]["sender.domain"] == "xn--exmple-cua.net" and record["facts"]["spf"] == "pass"
    assert "jürgen" in postfix_server.delivered(token).raw.decode("utf-8")


def test_a_message_with_8_bit_header_goes_through(daemon, mta, token):
    text = smtp.message(token).replace(b"Subject: hello", b"Subject: \xff\xfe gr\xfc\xdfe")
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], text, options="BODY=8BITMIME")
    assert replies.end.code == 250
    assert b"gr\xfc\xdfe" in mta.delivered(token).raw
    assert daemon.record(sender=f"{token}@pass.example.net")["verdict"] == "accept"


def test_a_message_without_header_is_judged(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], b"\r\nonly a body\r\n")
    assert replies.end.code == 550 and "no subject" in replies.end.text


def test_a_large_message_goes_through(daemon, mta, token):
    body = ("x" * 70 + "\r\n") * 30000
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token, body=body))
    assert replies.end.code == 250
    assert len(mta.delivered(token).body()) == len(body.replace("\r\n", "\n"))


def test_a_large_header_is_kept_whole(daemon, mta, token):
    field = "X-Large: " + "\r\n ".join(["y" * 70] * 250)
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token, field))
    assert replies.end.code == 250
    assert mta.delivered(token).raw.count(b"y" * 70) == 250
