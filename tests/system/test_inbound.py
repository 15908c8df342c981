"""Mail from outside, through both mail servers: what SPF says decides, and every action does what it says."""
import json
import random
import shutil
import subprocess

import pytest

import nameserver
import sekisho
import smtp
import space

SETTINGS = """
list blocked file:{directory}/blocked
record { facts all }
"""

POLICY = """
policy inbound {
  on connect {
    reject 554 5.7.1 "connect: %{client} is not welcome"        if client in blocked
  }
  on helo {
    reject 550 5.7.1 "helo: %{helo} is refused"                 if helo matches /^refused/
    defer  450 4.7.1 "helo: %{helo} comes later"                if helo matches /^later/
  }
  on mail {
    accept                                                      if sender matches /^accepted@/
    reject 550 5.7.23 "SPF: %{spf.explanation}"                 if spf is fail
    defer  451 4.4.3 "SPF: temporary DNS failure"               if spf is temperror
    reject 550 5.7.1 "mail: one" "two is 100%% sure" "three %{sender}"  if sender matches /^lines@/
    defer  450 4.7.1 "mail: later"                              if sender matches /^later@/
    discard                                                     if sender matches /^discarded@/
    quarantine "mail says so"                                   if sender matches /^held@/
    add-header X-Null "yes"                                     if sender is null
  }
  on rcpt {
    accept                                                      if recipient matches /^postmaster@/
    reject 550 5.1.1 "rcpt: nobody is %{recipient}"             if recipient matches /^nobody@/
    defer  450 4.2.1 "rcpt: %{recipient} is busy"               if recipient matches /^busy@/
  }
  on message {
    reject 550 5.7.1 "message: %{header(Subject)}"              if header("X-Do") is "reject"
    defer  451 4.7.1 "message: later"                           if header("X-Do") is "defer"
    discard                                                     if header("X-Do") is "discard"
    quarantine "the header says so"                             if header("X-Do") is "quarantine"
    add-header     X-Seen    "%{header(Subject)}; spf=%{spf}"   if header("X-Do") is "edit"
    delete-header  X-Remove                                     if header("X-Do") is "edit"
    replace-header X-Replace "the new value"                    if header("X-Do") is "edit"
    prefix-subject "[checked] "                                 if header("X-Do") is "edit"
    log "noted %{header(Subject)}"                              if header("X-Do") is "log"
    try reject 550 5.7.1 "would have"                           if header("X-Do") is "try"
    prefix-subject "[suspicious] "                              if spf is { softfail neutral }
  }
}
"""

BOB = "<bob@example.org>"


@pytest.fixture(scope="module", autouse=True)
def block_list(module_directory):
    with open(module_directory + "/blocked", "w") as f:
        f.write("192.0.2.26/32   # the address of our Sendmail, so that nobody else is hit\n")


def do(mta, token, what, **options):
    """A message that asks for something by its X-Do."""
    return smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, f"X-Do: {what}", **options))


# ---- SPF -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", ["pass", "softfail", "neutral", "none", "permerror"])
def test_the_result_of_spf_is_on_top_of_what_is_delivered(daemon, mta, token, result):
    sender = f"alice@{result}.example.net"
    replies = smtp.send(mta, f"<{sender}>", [BOB], smtp.message(token))
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    stamp = delivered.field("Authentication-Results")
    assert stamp.startswith("mx.example.org;")
    assert f"spf={result}" in stamp and f"smtp.mailfrom={sender}" in stamp
    assert "spf=pass" in stamp and "smtp.helo=mail.example.net" in stamp
    mta_wrote = ("return-path", "x-original-to", "delivered-to")
    assert [name for name in delivered.names() if name.lower() not in mta_wrote][0] == "Authentication-Results"
    assert (delivered.field("Subject") == "[suspicious] hello") == (result in ("softfail", "neutral"))
    record = daemon.record(queue_id=queue_id(delivered))
    assert record["verdict"] == "accept" and record["facts"]["spf"] == result
    assert record["facts"]["spf.helo"] == "pass"


def queue_id(delivered):
    """The queue id as the Received line of our own server tells it."""
    words = delivered.fields("Received")[0].split()
    return words[words.index("id") + 1].rstrip(";")


def test_a_forged_sender_is_refused_with_the_words_of_its_domain(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@fail.example.net>", [BOB], smtp.message(token))
    assert replies.mail.code == 550 and "5.7.23" in replies.mail.text
    assert "SPF: 203.0.113.5 is not one of fail.example.net, 100% sure" in replies.mail.text
    record = daemon.record(sender=f"{token}@fail.example.net")
    assert (record["verdict"], record["stage"], record["kind"]) == ("reject", "mail", "inbound")
    assert record["rule"] == daemon.line("SPF: %{spf.explanation}")
    assert record["reply"] == "550 5.7.23 SPF: 203.0.113.5 is not one of fail.example.net, 100% sure"
    assert record["facts"]["spf"] == "fail" and record["client"] == "203.0.113.5" and record["helo"] == "mail.example.net"


def test_a_client_from_elsewhere_does_not_pass(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.mail.code == 550 and "SPF" in replies.mail.text
    assert daemon.record(sender=f"{token}@pass.example.net")["client"] == space.BAD


def test_temporary_dns_trouble_defers(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@temperror.example.net>", [BOB], smtp.message(token))
    assert replies.mail.code == 451 and "4.4.3" in replies.mail.text
    assert daemon.record(sender=f"{token}@temperror.example.net")["verdict"] == "defer"


def test_the_null_sender_is_checked_by_the_helo_name(daemon, mta, token):
    replies = smtp.send(mta, "<>", [BOB], smtp.message(token))
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert delivered.field("X-Null") == "yes"
    assert "spf=pass" in delivered.field("Authentication-Results")
    record = daemon.record(queue_id=queue_id(delivered))
    assert record["sender"] == "" and record["facts"]["spf.domain"] == "mail.example.net"


def test_the_null_sender_of_a_forged_helo_fails(daemon, mta, token):
    replies = smtp.send(mta, "<>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.mail.code == 550 and "5.7.23" in replies.mail.text


# ---- verdicts at each stage -----------------------------------------------------------------------------


def test_a_refusal_at_connect_is_answered_at_mail(daemon, mta, token):
    if mta.name == "postfix":
        with smtp.Client(mta, source="127.0.0.1") as client:
            client.xclient(addr="192.0.2.26", name="[UNAVAILABLE]")
            replies = client.send(f"<{token}@pass.example.net>", [BOB], smtp.message(token))
    else:
        replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token), source="192.0.2.26")
    assert replies.mail.code == 554 and "connect: 192.0.2.26 is not welcome" in replies.mail.text
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert (record["verdict"], record["stage"]) == ("reject", "connect")
    assert record["rule"] == daemon.line("is not welcome")


@pytest.mark.parametrize(
    "helo, code, verdict", [("refused.example.net", 550, "reject"), ("later.example.net", 450, "defer")]
)
def test_a_refusal_at_helo_is_answered_at_mail(daemon, mta, token, helo, code, verdict):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token), helo=helo)
    assert replies.mail.code == code and f"helo: {helo}" in replies.mail.text
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert (record["verdict"], record["stage"], record["helo"]) == (verdict, "helo", helo)


def test_a_reply_of_several_lines_arrives_whole(daemon, mta, token):
    with smtp.Client(mta) as client:
        reply = client.envelope("<lines@pass.example.net>", [BOB]).mail
    lines = reply.text.split("\n")
    assert reply.code == 550 and len(lines) == 3
    assert lines[0].startswith("5.7.1") and lines[0].endswith("mail: one")
    assert lines[1].endswith("two is 100% sure")
    assert lines[2].endswith("three lines@pass.example.net")


def test_mail_is_deferred(daemon, mta, token):
    replies = smtp.send(mta, "<later@pass.example.net>", [BOB], smtp.message(token))
    assert replies.mail.code == 450 and "mail: later" in replies.mail.text


def test_one_recipient_is_refused_and_another_gets_the_message(daemon, mta, token):
    recipients = ["<nobody@example.org>", "<busy@example.org>", BOB]
    replies = smtp.send(mta, f"<{token}@pass.example.net>", recipients, smtp.message(token))
    assert [reply.code for reply in replies.rcpt] == [550, 450, 250]
    assert "rcpt: nobody is nobody@example.org" in replies.rcpt[0].text
    assert "rcpt: busy@example.org is busy" in replies.rcpt[1].text
    assert replies.end.code == 250
    mta.delivered(token)
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["verdict"] == "accept"
    assert record["recipients"] == ["nobody@example.org", "busy@example.org", "bob@example.org"]
    nobody, busy = record["refused"]
    assert nobody == {"recipient": "nobody@example.org", "verdict": "reject", "rule": daemon.line("rcpt: nobody is"),
                      "reply": "550 5.1.1 rcpt: nobody is nobody@example.org"}
    assert busy["recipient"] == "busy@example.org" and busy["verdict"] == "defer"


def test_a_session_whose_only_recipient_is_refused_leaves_a_record(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", ["<nobody@example.org>"], smtp.message(token))
    assert replies.rcpt[0].code == 550
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["refused"][0]["verdict"] == "reject"


@pytest.mark.parametrize("what, code, text, rule", [("reject", 550, "message: hello", "message: %{header(Subject)}"),
                                                    ("defer", 451, "message: later", "message: later")])
def test_a_message_is_refused_at_its_end(daemon, mta, token, what, code, text, rule):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB], smtp.message(token, f"X-Do: {what}"))
    assert replies.end.code == code and text in replies.end.text
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert (record["verdict"], record["stage"], record["rule"]) == (what, "message", daemon.line(rule))
    assert record["queue-id"] and mta.queued(record["queue-id"])


@pytest.mark.parametrize("sender, field", [("discarded", "X-Other: 1"), ("other", "X-Do: discard")])
def test_a_discarded_message_is_taken_and_not_delivered(daemon, mta, token, sender, field):
    with smtp.Client(mta) as client:
        replies = client.send(f"<{sender}@pass.example.net>", [BOB], smtp.message("gone-" + token, field))
        assert replies.end.code == 250
        client.send("<alice@pass.example.net>", [BOB], smtp.message("next-" + token))
    mta.delivered("next-" + token)
    assert not mta.find("gone-" + token)


@pytest.mark.parametrize("sender, field, reason", [("held", "X-Other: 1", "mail says so"),
                                                   ("other", "X-Do: quarantine", "the header says so")])
def test_a_message_in_quarantine_is_held_and_not_delivered(daemon, mta, token, sender, field, reason):
    replies = smtp.send(mta, f"<{sender}@pass.example.net>", [BOB], smtp.message(token, field))
    assert replies.end.code == 250
    held = mta.held(token)
    assert held and b"Authentication-Results: mx.example.org" in held
    if mta.name == "sendmail":
        assert f"q{reason}".encode() in held
    assert not mta.find(token)


def test_a_later_refusal_wins_over_quarantine(daemon, mta, token):
    replies = smtp.send(mta, "<held@pass.example.net>", [BOB], smtp.message(token, "X-Do: reject"))
    assert replies.end.code == 550


def test_accept_ends_the_verdicts_but_not_the_stamp(daemon, mta, token):
    replies = smtp.send(mta, "<accepted@fail.example.net>", ["<nobody@example.org>"], smtp.message(token, "X-Do: reject"))
    assert replies.end.code == 250
    assert "spf=fail" in mta.delivered(token).field("Authentication-Results")


def test_accepting_one_recipient_does_not_accept_the_message(daemon, mta, token):
    replies = smtp.send(mta, "<alice@pass.example.net>", ["<postmaster@example.org>"], smtp.message(token, "X-Do: reject"))
    assert replies.rcpt[0].code == 250 and replies.end.code == 550


# ---- edits and notes -------------------------------------------------------------------------------------


def test_header_edits_are_made_and_nothing_else_changes(daemon, mta, token):
    fields = ["X-Do: edit", "X-Remove: one", "X-Keep: kept", "X-Replace: old", "x-remove: two\r\n folded",
              "X-Remove: three"]
    body = "Line one.\r\n.dot\r\n\r\n  spaces  \r\n"
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, *fields, body=body))
    assert replies.end.code == 250
    delivered = mta.delivered(token)
    assert delivered.fields("X-Remove") == []
    assert delivered.fields("X-Replace") == ["the new value"]
    assert delivered.field("X-Keep") == "kept"
    assert delivered.field("Subject") == "[checked] hello"
    assert delivered.field("X-Seen") == "hello; spf=pass"
    assert delivered.body() == body.replace("\r\n", "\n").encode()


def test_every_byte_of_other_fields_stays(daemon, mta, token):
    odd = ["X-Odd:no space", "X-Tab:\tone tab", "X-Two:  two spaces", "X-Fold: a\r\n\tb\r\n   c", "x-CASE: Kept",
           "X-Long: " + "z" * 500]
    replies = do(mta, token, "edit", subject="a\r\n folded subject")
    assert replies.end.code == 250
    assert b"\nSubject: [checked] a\n folded subject\n" in mta.delivered(token).raw
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message("odd" + token, *odd, "X-Do: edit"))
    assert replies.end.code == 250
    raw = mta.delivered("odd" + token).raw
    for field in odd:
        assert b"\n" + field.replace("\r\n", "\n").encode() + b"\n" in raw


def test_deletions_among_many_fields_hit_the_right_ones(daemon, mta, token):
    """Indexes shift in the mail server while we delete; whatever the order, the right fields go."""
    dice = random.Random(5322)
    with smtp.Client(mta) as client:
        for number in range(10):
            fields = []
            for n in range(dice.randrange(5, 40)):
                name = dice.choice(["X-Remove", "x-remove", "X-Keep", "Authentication-Results", "X-Other"])
                site = dice.choice(["mx.example.org", "mx.example.com"])
                fields.append(f"{name}: {site}; {name.lower()}{n}")
            text = smtp.message(f"{token}-{number}", "X-Do: edit", *fields)
            assert client.send("<alice@pass.example.net>", [BOB], text).end.code == 250
            raw = mta.delivered(f"{token}-{number}").raw.decode()
            kept = [line for line in raw.split("\n") if line in fields]
            forged = "Authentication-Results: mx.example.org"
            assert kept == [f for f in fields if not f.lower().startswith("x-remove") and not f.startswith(forged)]


def test_replace_header_adds_a_field_that_is_missing_or_leaves_the_message(daemon, mta, token):
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, "X-Do: edit"))
    assert replies.end.code == 250
    assert mta.delivered(token).fields("X-Replace") == ["the new value"]


def test_what_comes_from_outside_cannot_add_a_line_to_an_edit(daemon, mta, token):
    subject = "=?utf-8?q?a=0D=0AX-Evil:_yes?=\r\n X-Evil: yes"
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, "X-Do: edit", subject=subject))
    assert replies.end.code == 250
    assert mta.delivered(token).fields("X-Evil") == []


def test_log_leaves_a_note_in_the_record(daemon, mta, token):
    do(mta, token, "log")
    record = daemon.record(queue_id=queue_id(mta.delivered(token)))
    assert record["verdict"] == "accept"
    assert record["notes"] == [{"kind": "log", "text": "noted hello", "rule": daemon.line('log "noted')}]


def test_try_only_says_what_would_have_been(daemon, mta, token):
    replies = do(mta, token, "try")
    assert replies.end.code == 250
    record = daemon.record(queue_id=queue_id(mta.delivered(token)))
    assert record["verdict"] == "accept"
    note, = record["notes"]
    assert note["kind"] == "would" and "reject 550 5.7.1" in note["text"] and note["rule"] == daemon.line("try reject")


# ---- the record ------------------------------------------------------------------------------------------


def test_the_record_tells_the_whole_story(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@pass.example.net>", [BOB, "<carol@example.org>"], smtp.message(token))
    assert replies.end.code == 250
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["client"] == "203.0.113.5" and record["client.name"] == "mail.example.net"
    assert record["helo"] == "mail.example.net" and record["kind"] == "inbound"
    assert record["recipients"] == ["bob@example.org", "carol@example.org"]
    assert record["queue-id"] == queue_id(mta.delivered(token, copies=2))
    facts = record["facts"]
    assert facts["spf"] == "pass" and facts["spf.domain"] == "pass.example.net"
    assert facts["client.ptr"] == "mail.example.net"
    assert facts["sender.domain.mx"] == "ok" and facts["submission"] is False and facts["auth"] is False


@pytest.mark.parametrize("sender", ["pass", "fail", "softfail", "temperror"])
def test_explain_says_what_the_daemon_does(daemon, mta, token, sender):
    """The same message, the same policy, the same zone; once through the mail server and once without any."""
    text = smtp.message(token, "X-Do: log")
    smtp.send(mta, f"<{token}@{sender}.example.net>", [BOB], text)
    record = daemon.record(sender=f"{token}@{sender}.example.net")
    done = sekisho.run("explain", "--json", "-c", daemon.file, "--zone", nameserver.ZONE, "--client", space.GOOD,
                       "--client-name", "mail.example.net", "--helo", "mail.example.net",
                       "--sender", f"<{token}@{sender}.example.net>", "--recipient", BOB, "-", input=text.decode())
    said = json.loads(done.stdout)
    assert (said["verdict"], said["rule"], said["reply"]) == (record["verdict"], record["rule"], record["reply"])
    assert said["facts"]["spf"] == record["facts"]["spf"]
    if record["stage"] == "mail":  # no more was told of it than its sender
        assert said["facts"]["from.count"] is None
    else:
        assert said["facts"]["from.count"] == 1 and said["facts"]["size"] > 0


@pytest.mark.skipif(not shutil.which("swaks"), reason="swaks is not installed")
def test_swaks_gets_a_message_through(daemon, mta, token):
    done = subprocess.run(["swaks", "--server", mta.address, "--local-interface", space.GOOD, "--helo", "mail.example.net",
                           "--from", "alice@pass.example.net", "--to", "bob@example.org,carol@example.org",
                           "--header", f"Subject: {token}", "--tls"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "spf=pass" in mta.delivered(token, copies=2).field("Authentication-Results")
