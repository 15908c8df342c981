"""Rules that ask all recipients, use what an expression matched, and note scores for each other, through both mail
servers."""
import smtp

POLICY = """
policy inbound {
  on mail {
    score 3 "from %{1}"                                     if sender matches /^(odd)-/
    set note "%{1}"                                         if sender matches /^([a-z]+)-/
  }
  on rcpt {
    score 2 "somebody else"                                 if recipient is not bob@example.org
    stop                                                    if recipient is postmaster@example.org
    reject 550 5.1.1 "%{score} points for %{recipient}"     if score >= 5
  }
  on message {
    reject 550 5.7.1 "%{1} is not sold here"                if header("Subject") matches /^buy (\\w+)/i
    add-header X-Port "%{port} %{daemon-name}"              if any recipient is carol@example.org
    add-header X-Note "%{var(note)}, %{score}"              if not all recipient is bob@example.org
    add-header X-From "%{from.name}, %{header.domain(Reply-To)}"   if header.domain("Reply-To") is .net
  }
}
"""


def of(token, who="plain"):
    return f"{who}-{token}@pass.example.net"


def test_any_and_all_look_at_the_recipients_that_were_accepted(daemon, mta, token):
    sender = of(token)
    text = smtp.message(token, sender=sender)
    replies = smtp.send(mta, f"<{sender}>", ["<bob@example.org>", "<carol@example.org>"], text)
    assert replies.end.code == 250
    mail = mta.delivered(token, copies=2)
    mail = mail[0] if isinstance(mail, list) else mail
    assert mail.field("X-Port").split()[0] == "25"
    assert mail.field("X-Note") == "plain, 2"
    record = daemon.record(sender=sender)
    assert record["score"] == 2 and record["vars"] == {"note": "plain"}
    assert [(s["points"], s["why"]) for s in record["scores"]] == [(2, "somebody else")]


def test_a_recipient_that_was_refused_is_not_among_them(daemon, mta, token):
    sender = of(token, "odd")
    text = smtp.message(token, "Reply-To: Bob <bob@pass.example.net>", sender=sender)
    replies = smtp.send(mta, f"<{sender}>", ["<carol@example.org>", "<bob@example.org>"], text)
    assert replies.end.code == 250
    mail = mta.delivered(token)
    assert not mail.fields("X-Port") and not mail.fields("X-Note")
    assert mail.field("X-From") == "Alice, pass.example.net"
    record = daemon.record(sender=sender)
    assert record["refused"][0]["reply"] == "550 5.1.1 5 points for carol@example.org"
    assert record["score"] == 5 and [s["points"] for s in record["scores"]] == [3, 2]


def test_a_reply_has_what_an_expression_matched(daemon, mta, token):
    text = smtp.message(token, subject="Buy pills%n")
    replies = smtp.send(mta, f"<{of(token)}>", ["<bob@example.org>"], text)
    assert replies.end.code == 550 and "pills is not sold here" in replies.end.text
