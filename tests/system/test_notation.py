"""An address is judged as the mail server reads it, however the client writes it."""
import pytest

import miltc
import sekisho
import smtp
import space

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.23 "SPF"                          if spf is fail
    defer  451 4.4.3 "DNS"                           if spf is temperror
  }
  on rcpt {
    reject 550 5.7.1 "closed"                        if recipient is bob@example.org
  }
}
"""

# What both mail servers deliver, or would deliver, as the address: bang paths, percent, quotes, comments, blanks,
# display names, brackets, backslashes, routes, and combinations.
FORMS = ["<{u}@{d}>", "{u}@{d}", "<{d}!{u}>", "<{u}%{d}>", '<"{u}@{d}">', "<{u}@ {d}>", "<{u} @{d}>", "< {u}@{d} >",
         "<{u}@{d}(x)>", "<{u}(x)@{d}>", "<(x){u}@{d}>", "<{u}@(x){d}>", "{U}<{u}@{d}>", '"{U}"<{u}@{d}>', "<<{u}@{d}>>",
         "<{u}@{d}.>", '<"{u}"@{d}>', '<{u}@"{d}">', "<\\{u}@{d}>", "<{u}@{d}>X", "<@relay.example.com:{u}@{d}>",
         "<@relay.example.com:{d}!{u}>", "<{u}%{d}@example.org>", "<{d}!{u}@example.org>",
         '<"{u}@{d}"@example.org>', "<{u}@{D}>", "<{U}@{d}>", "<;{u}@{d}>", "<{u}@{d};>", "<{u}@{d},>"]


def form(text, user, domain):
    return text.format(u=user, d=domain, U=user.capitalize(), D=domain.upper())


def ask(mta, sender, recipient, token):
    with smtp.Client(mta, source=space.BAD, helo="mail.example.net") as client:
        return client.send(sender, [recipient], smtp.message(token))


@pytest.fixture
def judging(nameserver, dns, directory):
    dns.zone('good.example TXT "v=spf1 ip4:192.0.2.77 -all"', 'other.example TXT "v=spf1 +all"')
    with sekisho.Daemon(directory, POLICY) as daemon:
        yield daemon


def returned(mta, token):
    """The sender as it was delivered, without brackets."""
    return mta.delivered(token).field("Return-Path").strip("<> ").lower()


def test_a_sender_is_judged_however_it_is_written(judging, mta, token):
    for number, text in enumerate(FORMS):
        sender = form(text, "boss", "good.example")
        replies = ask(mta, sender, "<carol@example.org>", f"{token}{number}")
        if replies.last.code < 400:  # then it is somebody else's mail
            assert returned(mta, f"{token}{number}") != "boss@good.example", sender
            assert "%" in sender or "!" in sender or '"' in sender, sender


def test_a_recipient_is_judged_however_it_is_written(judging, mta, token):
    for text in FORMS + ["<{u}>", "{u}", '<"{u}">']:
        recipient = form(text, "bob", "example.org")
        replies = ask(mta, "<a@other.example>", recipient, token)
        assert replies.last.code >= 400, (recipient, [(r["recipients"], r.get("notes")) for r in judging.records()[-1:]])


def test_other_mail_is_taken(judging, mta, token):
    replies = ask(mta, "<Some.One+tag@other.example>", "<Carol@example.org>", token)
    assert replies.last.code == 250
    record = judging.record(sender="Some.One+tag@other.example")
    assert record["recipients"] == ["Carol@example.org"] and "notes" not in record


def test_postmaster_needs_no_domain(judging, mta, token):
    with smtp.Client(mta, source=space.BAD, helo="mail.example.net") as client:
        replies = client.envelope("<a@other.example>", ["<postmaster>"])
    assert replies.rcpt[0].code == 250


def test_the_record_has_both_the_text_and_the_address(judging, postfix_server, token):
    ask(postfix_server, "<good.example!boss>", "<carol@example.org>", token)
    record = judging.record(sender="boss@good.example")
    assert record["verdict"] == "reject" and record["facts"]["spf"] == "fail"
    assert "good.example!boss" in record["notes"][0]["text"]


def test_what_is_unclear_is_refused_when_the_mail_server_does_not_say_what_it_made(judging):
    with miltc.Milter() as m:
        m.greet()
        for sender in ("<good.example!boss>", "<boss@good.example(x)>", "Boss <boss@good.example>"):
            assert m.mail(sender).text.startswith("553 5.1.7"), sender
        assert m.mail("<a@other.example>").what == "continue"
        for recipient in ("<example.org!bob>", "<bob%example.org>", "<bob%example.org@example.net>", "<bob>"):
            assert m.rcpt(recipient).text.startswith("553 5.1.3"), recipient
        m.macros("rcpt", rcpt_addr="bob@example.org")
        assert m.rcpt("<example.org!bob>").text.startswith("550 5.7.1")
        m.quit()
