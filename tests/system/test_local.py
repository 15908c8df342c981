"""Mail of this host and of trusted networks has a policy of its own; no inbound rule hits it."""
import smtp
import space

SETTINGS = """
record { facts all }
"""

POLICY = """
policy inbound {
  on mail { reject 550 5.7.23 "inbound" }
}
policy submission {
  on mail { reject 530 5.7.0 "submission" }
}
policy local {
  on mail {
    reject 550 5.7.1 "not even from here"       if sender matches /^refused/
  }
  on message {
    add-header X-Local "yes"
  }
}
"""

BOB = "<bob@example.org>"


def test_the_sendmail_command_is_local(daemon, postfix_server, token):
    done = postfix_server.sendmail(smtp.message(token), "-f", f"{token}@fail.example.net", "bob@example.org")
    assert done.returncode == 0
    assert postfix_server.delivered(token).field("X-Local") == "yes"
    record = daemon.record(sender=f"{token}@fail.example.net")
    assert record["kind"] == "local" and record["facts"]["local"] is True
    assert record["recipients"] == ["bob@example.org"] and record["queue-id"]


def test_the_sendmail_command_with_the_null_sender_is_local(daemon, postfix_server, token):
    done = postfix_server.sendmail(smtp.message(token), "-f", "<>", "bob@example.org")
    assert done.returncode == 0
    assert postfix_server.delivered(token).field("X-Local") == "yes"


def test_smtp_on_standard_input_of_postfix_is_local(daemon, postfix_server, token):
    lines = ["EHLO localhost", f"MAIL FROM:<{token}@fail.example.net>", "RCPT TO:<bob@example.org>", "DATA",
             f"Subject: {token}", "", "hello", ".", "QUIT", ""]
    done = postfix_server.sendmail("\r\n".join(lines).encode(), "-bs")
    assert b"354" in done.stdout, done.stdout
    assert postfix_server.delivered(token).field("X-Local") == "yes"
    assert daemon.record(sender=f"{token}@fail.example.net")["kind"] == "local"


def test_sendmail_bs_without_an_address_is_local(daemon, sendmail_server, token):
    replies = sendmail_server.talk("EHLO localhost", f"MAIL FROM:<{token}@fail.example.net>", "RCPT TO:<bob@example.org>",
                                   "DATA", f"Subject: {token}\r\n\r\nhello\r\n.", "QUIT")
    assert [r[:3] for r in replies] == ["220", "250", "250", "250", "354", "250", "221"], replies
    assert sendmail_server.delivered(token).field("X-Local") == "yes"
    record = daemon.record(sender=f"{token}@fail.example.net")
    assert record["kind"] == "local" and record["facts"]["local"] is True
    assert record["client"] is None


def test_sendmail_bs_is_refused_like_everybody(daemon, sendmail_server, token):
    replies = sendmail_server.talk("EHLO localhost", f"MAIL FROM:<refused-{token}@example.org>", "QUIT")
    assert replies[2].startswith("550") and "not even from here" in replies[2]


def test_a_trusted_network_is_local(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@fail.example.net>", [BOB], smtp.message(token), source=space.TRUSTED)
    assert replies.end.code == 250
    assert mta.delivered(token).field("X-Local") == "yes"
    record = daemon.record(sender=f"{token}@fail.example.net")
    assert record["kind"] == "local" and record["facts"]["trusted"] is True and record["facts"]["local"] is True


def test_a_trusted_network_on_the_submission_port_is_submission(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@example.org>", [BOB], smtp.message(token), source=space.TRUSTED,
                        service="submission")
    assert replies.mail.code == 530


def test_the_rest_is_inbound(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    assert replies.mail.code == 550 and "inbound" in replies.mail.text


def test_the_loopback_address_is_trusted_here(daemon, postfix_server, token):
    replies = smtp.send(postfix_server, f"<{token}@fail.example.net>", [BOB], smtp.message(token), source="127.0.0.1")
    assert replies.end.code == 250
    assert postfix_server.delivered(token).field("X-Local") == "yes"
