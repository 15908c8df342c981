"""Edits of header and envelope, at the next mail server: what arrives, its recipients, and its sender."""
import email
import email.policy
import email.utils
from html import unescape

import pytest

import sekisho
import smtp
from mta import wait_for
from outgoing import AUTHOR, BASE, WAY, fields_of, make_key, record_of, text_of, verify
from sink import Sink

SETTINGS = "on-conflict split\nsign signer.example.org { selector s1 key {directory}/s1.pem }\n"
POLICY = """
policy submission {
  on rcpt {
    delete-recipient                                       if recipient matches /^gone/i
    add-recipient "copy@away.example.test"                 if recipient matches /^copied/
    add-recipient "bob@away.example.test"                  if recipient matches /^twice/
  }
  on message {
    add-header X-Bottom "one" bottom                       if header("X-Do") is "bottom"
    add-header X-Bottom "two" bottom                       if header("X-Do") is "bottom"
    add-header X-Top "three"                               if header("X-Do") is "bottom"
    add-header Comments "last" bottom                      if header("X-Do") is "bottom"
    delete-header Comments matching "^drop \\\\d"          if header("X-Do") is "match"
    add-missing                                            if header("X-Do") is "missing"
    prefix-subject "[list] "                               if header("X-Do") is "subject"
    set-sender "bounces@signer.example.org"                if header("X-Do") is "sender"
    set-sender ""                                          if header("X-Do") is "null"
    redirect "carol@away.example.test"                     if header("X-Do") is "redirect"
    delete-recipient "bob@away.example.test"               if header("X-Do") is "delete"
    add-recipient "%{header(X-To)}"                        if header("X-Do") is "fact"
    footer "-- " "Grüße, %{sender}" "<p>Grüße</p>"               if header("X-Do") is "footer"
    reject 550 5.7.1 "not for %{recipient}"                if recipient matches /^strict/i
    sign
  }
}
"""


@pytest.fixture(scope="module", autouse=True)
def keys(module_directory):
    make_key(module_directory)


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory, keys):
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=BASE) as running:
        yield running


@pytest.fixture
def away(dns):
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


def send(mta, text, recipients=("bob",)):
    login = ("alice@example.org",) if mta.name == "postfix" else ("alice",)
    return smtp.send(mta, f"<{AUTHOR}>", [f"<{name}@away.example.test>" for name in recipients], text, service="submission",
                     tls=True, login=login)


@pytest.fixture
def through(daemon, mta, away, token, module_directory, directory):
    """Sends a message with these fields; what arrived, whose signature verifies."""
    def go(*fields, recipients=("bob",), leave_out=()):
        replies = send(mta, text_of(token, *fields, leave_out=leave_out), recipients)
        assert replies.end.code == 250, replies
        arrived = wait_for(lambda: away.find(token))
        assert arrived, mta.tail()
        assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
        return arrived
    return go


def names_of(text):
    return [line.split(b":")[0].decode() for line in text.split(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] not in (b" ", b"\t")]


def test_fields_at_the_bottom_come_after_all_others_in_order(through, token):
    arrived = through("X-Do: bottom", "Comments: first")
    assert fields_of(arrived, "X-Bottom") == ["one", "two"]
    assert fields_of(arrived, "Comments") == ["first", "last"]
    assert names_of(arrived)[-3:] == ["X-Bottom", "X-Bottom", "Comments"]
    assert names_of(arrived).index("X-Top") < names_of(arrived).index("Subject")


def test_only_fields_that_match_are_deleted(through):
    arrived = through("X-Do: match", "Comments: drop\r\n 1", "Comments: keep 1", "Comments: drop x", "Comments: drop 2")
    assert fields_of(arrived, "Comments") == ["keep 1", "drop x"]


@pytest.mark.parametrize("missing", [(), ("Date",), ("Message-ID",), ("Date", "Message-ID")])
def test_date_and_message_id_are_there_once_and_signed(through, token, missing):
    arrived = through("X-Do: missing", leave_out=missing)
    date, message_id = fields_of(arrived, "Date"), fields_of(arrived, "Message-ID")
    assert len(date) == len(message_id) == 1
    assert (date == ["Sat, 21 Nov 2026 12:00:00 +0000"]) == ("Date" not in missing)
    assert email.utils.parsedate_to_datetime(date[0]).utcoffset().total_seconds() == 0
    assert (message_id == [f"<{token}@signer.example.org>"]) == ("Message-ID" not in missing)
    signed = fields_of(arrived, "DKIM-Signature")[0].replace(" ", "").split("h=")[1].split(";")[0].lower().split(":")
    assert {"date", "message-id"} <= set(signed)


@pytest.mark.parametrize("subject, expected", [
    ("hello", "[list] hello"),
    ("Re: [list] hello", "Re: [list] hello"),
    ("=?utf-8?Q?=5Blist=5D_hell=C3=B6?=", "=?utf-8?Q?=5Blist=5D_hell=C3=B6?="),
    ("=?utf-8?Q?hell=C3=B6?=", "[list] =?utf-8?Q?hell=C3=B6?="),
])
def test_the_prefix_of_the_subject_is_there_once(through, subject, expected):
    assert fields_of(through("X-Do: subject", f"Subject: {subject}"), "Subject") == [expected]


@pytest.mark.parametrize("what, sender", [("sender", "<bounces@signer.example.org>"), ("null", "<>"), ("none", f"<{AUTHOR}>")])
def test_the_next_server_sees_another_sender(daemon, through, away, token, what, sender):
    record = record_of(daemon, through(f"X-Do: {what}"))
    assert away.envelope(token) == (sender, ["<bob@away.example.test>"])
    assert record["sender"] == AUTHOR
    assert record.get("new-sender") == (None if what == "none" else sender.strip("<>"))


@pytest.mark.parametrize("what, recipients, expected", [
    ("none", ["bob", "Gone", "gone.too"], ["bob"]),
    ("none", ["bob", "copied", "copied.too"], ["bob", "copied", "copied.too", "copy"]),
    ("none", ["bob", "twice"], ["bob", "twice"]),
    ("redirect", ["bob", "dave"], ["carol"]),
    ("redirect", ["Carol", "dave"], ["Carol"]),
    ("delete", ["Bob", "dave"], ["dave"]),
    ("fact", ["bob"], ["bob", "erin"]),
])
def test_the_next_server_sees_other_recipients_each_once(through, away, token, what, recipients, expected):
    through(f"X-Do: {what}", "X-To: <erin@away.example.test>", recipients=recipients)
    got = [text for text in away.got if token.encode() in text]
    assert len(got) == 1
    assert away.envelope(token)[1] == sorted(f"<{name}@away.example.test>" for name in expected)


def test_nobody_is_told_when_no_recipient_is_left(daemon, mta, away, token):
    assert send(mta, text_of(token), [f"gone.{token}"]).end.code == 250
    record = daemon.record(verdict="discard", recipients=[f"gone.{token}@away.example.test"])
    assert record["removed"] == [f"gone.{token}@away.example.test"]
    assert record["rule"] == daemon.line("delete-recipient                                       if")
    assert not away.find(token)


def test_an_address_that_a_stranger_made_up_defers_the_message(daemon, mta, away, token):
    replies = send(mta, text_of(token, "X-Do: fact", "X-To: a@b, c@d"))
    assert replies.end.code == 451 and "4.3.0" in replies.end.text
    assert not away.find(token)


# ---- footers ---------------------------------------------------------------------------------------------------------

TEXT = f"-- \nGrüße, {AUTHOR}"


def parts(*texts, kind="mixed"):
    """The body of a multipart."""
    return [f"Content-Type: multipart/{kind}; boundary=b"], "".join(f"--b\r\n{text}\r\n" for text in texts) + "--b--\r\n"


def part(body, kind="text/plain; charset=utf-8", encoding="quoted-printable"):
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"


BODIES = {
    "quoted-printable": (["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable"], "H=C3=BC\r\n"),
    "base64": (["Content-Type: text/plain; charset=iso-8859-1", "Content-Transfer-Encoding: base64"], "SPwNCg==\r\n"),
    "8bit": (["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"], "Hü\r\n"),
    "html": (["Content-Type: text/html; charset=utf-8"], "<body>Hu</body>\r\n"),
    "alternative": parts(part("H=C3=BC"), part("<p>H=C3=BC</p>", "text/html; charset=iso-8859-1"), kind="alternative"),
    "an attachment first": parts("Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nfile", part("H=C3=BC")),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_footer_is_read_where_it_arrives_and_the_signature_holds(daemon, mta, away, token, module_directory, directory, name):
    fields, body = BODIES[name]
    text = text_of(token, "X-Do: footer", "MIME-Version: 1.0", *fields, body=body)
    login = ("alice@example.org",) if mta.name == "postfix" else ("alice",)
    replies = smtp.send(mta, f"<{AUTHOR}>", ["<bob@away.example.test>"], text, service="submission", tls=True, login=login,
                        options="BODY=8BITMIME" if name == "8bit" else "")
    assert replies.end.code == 250, replies
    arrived = wait_for(lambda: away.find(token))
    assert arrived, mta.tail()
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    message = email.message_from_bytes(arrived, policy=email.policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is None or plain.get_content().replace("\r\n", "\n").rstrip("\n").endswith("\n\n" + TEXT)
    assert html is None or "<p>Grüße</p>" in unescape(html.get_content())  # 7bit: written as numbers
    assert plain or html
    assert record_of(daemon, arrived)["footer"].startswith("added to text/")
    for attachment in message.iter_attachments():
        assert attachment.get_content().strip() == "file"


def test_a_signed_message_stays_as_it_is_and_the_record_says_why(daemon, mta, away, token, module_directory, directory):
    fields, body = parts("Content-Type: text/plain\r\n\r\nHello.", part("AAAA", "application/pgp-signature", "7bit"), kind="signed")
    assert send(mta, text_of(token, "X-Do: footer", "MIME-Version: 1.0", *fields, body=body)).end.code == 250
    arrived = wait_for(lambda: away.find(token))
    assert arrived and arrived.endswith(b"\r\n\r\n" + body.encode())
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    assert record_of(daemon, arrived)["footer"] == "left out: it is signed (multipart/signed)"


def test_a_long_message_arrives_whole_with_its_footer(daemon, mta, away, token, module_directory, directory):
    lines = "".join(f"{i:070}\r\n" for i in range(40000))
    fields, body = parts(part("Hello."), part(lines, "text/x-log", "7bit"))
    replies = send(mta, text_of(token, "X-Do: footer", "MIME-Version: 1.0", *fields, body=body))
    assert replies.end.code == 250, replies
    arrived = wait_for(lambda: away.find(token))
    assert arrived and lines.encode() in arrived and b"Gr=C3=BC=C3=9Fe" in arrived
    assert verify(arrived, module_directory, directory).startswith("pass")


# ---- verdicts that differ by recipient -----------------------------------------------------------------------------------


def test_who_refuses_a_message_does_not_get_it_and_the_others_do(daemon, through, away, token):
    arrived = through(recipients=["bob", "Strict", "carol"])
    assert away.envelope(token)[1] == ["<bob@away.example.test>", "<carol@away.example.test>"]
    record = record_of(daemon, arrived)
    assert record["removed"] == ["Strict@away.example.test"] and record["verdict"] == "accept"


def test_a_message_that_all_refuse_is_refused(mta, daemon, away, token):
    replies = send(mta, text_of(token), ["strict"])
    assert replies.end.code == 550 and "not for strict@away.example.test" in replies.end.text
    assert not away.find(token)
