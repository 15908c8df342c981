"""notify: notes go out once, by the site's own mail server, never about themselves; and a mail server that does not take
them holds up nobody."""
import socket
import threading
import time

import pytest

import miltc
import sekisho
import smtp
from mta import wait_for

STORE = "store lmdb:{directory}/store\n"
LIMIT = "limit hourly { key auth.user  count messages  soft 2  hard 6  per 1h }\n"
ALICE = ("alice@example.org", "secret")


def mailer(address, port=25):
    return f"mailer inet:{port}@{address} from sekisho@example.org\n"


def rules(token):
    return f"""
policy submission {{
  on mail {{
    notify "bob@example.org" "%{{auth.user}} has sent %{{limit.count("hourly")}} messages, note-{token}" once 1h
      if limit("hourly") is soft
    notify "%{{auth.user}}" "You have sent more than usual; is it you? note-{token}" once 1h if limit("hourly") is soft
    try notify "bob@example.org" "never note-{token}"
    defer 450 4.7.1 "later" if limit("hourly") is over
  }}
}}
"""


def submit(mta, token):
    return smtp.send(mta, "<alice@example.org>", ["<bob@example.org>"], smtp.message(token), service="submission",
                     tls=True, login=ALICE)


def test_user_and_administrator_get_one_note_each(nameserver, directory, mta, token):
    with sekisho.Daemon(directory, rules(token), settings=STORE + LIMIT + mailer(mta.address)) as daemon:
        for number in range(4):
            assert submit(mta, f"{number}-{token[::-1]}").end.code == 250
        assert wait_for(lambda: daemon.status()["mailer"]["sent"] == 2), daemon.status()["mailer"]
        daemon.stop()
        daemon.start()  # what was said is not said again
        assert submit(mta, f"5-{token[::-1]}").end.code == 250
        mta.delivered(f"note-{token}", copies=2)
        time.sleep(1)
        notes = mta.find(f"note-{token}")
        assert daemon.status()["mailer"]["sent"] == 0
    assert len(notes) == 2
    for note in notes:
        assert note.field("Auto-Submitted") == "auto-generated" and note.field("From") == "sekisho@example.org"
        assert note.field("Return-Path") in ("<>", "<MAILER-DAEMON>")  # as Sendmail says it
        assert note.field("Message-ID").startswith("<sekisho-note.")
    to = {note.field("To"): note for note in notes}
    assert set(to) == {"alice@example.org", "bob@example.org"}
    assert to["bob@example.org"].field("Subject").startswith("alice@example.org has sent 3 messages")
    assert b"is it you?" in to["alice@example.org"].body()
    said = [note["text"] for r in daemon.records() for note in r.get("notes", []) if note["kind"] == "notify"]
    assert [text.split(":")[0] for text in said[:2]] == ["to bob@example.org", "to alice@example.org"]
    assert all("because it was sent before" in text for text in said[2:]) and len(said) == 6


def test_a_note_causes_no_note(nameserver, directory, mta, token):
    """A rule for all mail, whose text is another one each time: at MAIL, and with the header."""
    policy = f"""
policy submission {{
  on mail {{ notify "bob@example.org" "note-{token} %{{sender}}/%{{client}}" }}
}}
policy local {{
  on mail {{ notify "bob@example.org" "note-{token} local %{{sender}}/%{{client}}" }}
  on message {{ notify "bob@example.org" "note-{token} local %{{header(Message-ID)}}" }}
}}
policy inbound {{
  on mail {{ notify "bob@example.org" "note-{token} inbound %{{sender}}/%{{client}}" }}
  on message {{ notify "bob@example.org" "note-{token} inbound %{{header(Message-ID)}}" }}
}}
"""
    with sekisho.Daemon(directory, policy, settings=STORE + mailer(mta.address)) as daemon:
        assert submit(mta, token[::-1]).end.code == 250
        mta.delivered(f"note-{token}")
        time.sleep(2)
        assert len(mta.find(f"note-{token}")) == 1
        own = [note["text"] for r in daemon.records() for note in r.get("notes", []) if "of our own" in note["text"]]
        assert len(own) == 2, "at MAIL and at the end"
        note = mta.find(f"note-{token}")[0]
        with miltc.Milter() as m:  # it comes back from elsewhere, as a forwarder sends it
            m.greet("203.0.113.77")
            m.message("<>", ["<bob@example.org>"], [("Message-ID", " " + note.field("Message-ID"))])
            m.quit()
        with miltc.Milter() as m:  # a user cannot hide behind it
            m.greet("203.0.113.77")
            m.message("<alice@example.org>", ["<bob@example.org>"], [("Message-ID", " " + note.field("Message-ID"))])
            m.quit()
        assert wait_for(lambda: daemon.status()["mailer"]["sent"] >= 2)
        texts = [[note["text"] for note in r["notes"]] for r in daemon.records()[-8:] if r["client"] == "203.0.113.77"]
        assert len(texts) == 2
        assert all("of our own" in text for text in texts[0]), texts
        assert all(text.startswith("to bob") for text in texts[1]), texts


def send_to_daemon(user):
    with miltc.Milter() as m:
        m.greet()
        m.macros("mail", auth_authen=user, auth_type="PLAIN")
        began = time.monotonic()
        answer = m.message(f"<{user}@example.org>")
        m.quit()
    assert time.monotonic() - began < 5, "nothing waits for the mailer"
    return answer


EACH = """
policy submission {
  on mail { notify "bob@example.org" "%{auth.user} is here" }
}
"""


def lines(daemon, text):
    with open(daemon.record_file) as f:
        return [line for line in f if text in line]


def serve(talk):
    """A mail server on a free port of 127.0.0.1 that talks like this."""
    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return server


def refuse(connection):
    with connection, connection.makefile("rb") as stream:
        connection.sendall(b"220 x\r\n")
        for line in stream:
            connection.sendall(b"550 5.1.1 no such user\r\n" if line.startswith(b"RCPT") else b"250 ok\r\n")


def hang(connection):
    time.sleep(60)


def drip(connection):
    try:
        for _ in range(600):
            connection.sendall(b"220-x\r\n")
            time.sleep(0.1)
    except OSError:
        pass


@pytest.mark.parametrize("talk, counted", [(None, "failures"), (refuse, "refused"), (hang, "waiting"), (drip, "waiting")])
def test_a_mail_server_that_does_not_take_notes_holds_up_nobody(nameserver, directory, talk, counted):
    server = serve(talk) if talk else None
    port = server.getsockname()[1] if server else 9
    with sekisho.Daemon(directory, EACH, settings=STORE + mailer("127.0.0.1", port)) as daemon:
        for number in range(20):
            assert send_to_daemon(f"user{number}").what == "continue"
        assert wait_for(lambda: daemon.status()["mailer"][counted] > 0)
        shown = sekisho.run("status", "--socket", f"{directory}/control").stdout
        assert f"mailer     inet:{port}@127.0.0.1\n" in shown
        if counted != "waiting":
            assert wait_for(lambda: lines(daemon, "mailer inet:"))
            time.sleep(3)
            assert len(lines(daemon, "mailer inet:")) == 1, "one line a minute"
        began = time.monotonic()
        daemon.stop()
        assert time.monotonic() - began < 8
    if server:
        server.close()


def test_of_many_sessions_at_once_one_sends_it(nameserver, directory, token):
    policy = f'policy submission {{\n  on mail {{ notify "bob@example.org" "{token}" }}\n}}\n'
    with sekisho.Daemon(directory, policy, settings=STORE + mailer("127.0.0.1", 9)) as daemon:
        threads = [threading.Thread(target=send_to_daemon, args=("alice",)) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        texts = [note["text"] for r in daemon.records() for note in r["notes"]]
    assert len(texts) == 32 and texts.count(f"to bob@example.org: {token}") == 1


def test_a_note_waits_for_a_mail_server_that_comes_back(nameserver, directory):
    got = []

    def take(connection):
        with connection, connection.makefile("rb") as stream:
            connection.sendall(b"220 x\r\n")
            for line in stream:
                got.append(line)
                connection.sendall(b"354 go\r\n" if line.startswith(b"DATA") else b"250 ok\r\n")
                while line.startswith(b"DATA") and got[-1] != b".\r\n":
                    got.append(stream.readline())
                if got[-1] == b".\r\n":
                    connection.sendall(b"250 taken\r\n")
    probe = socket.create_server(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    with sekisho.Daemon(directory, EACH, settings=STORE + mailer("127.0.0.1", port)) as daemon:
        assert send_to_daemon("alice").what == "continue"
        assert wait_for(lambda: daemon.status()["mailer"]["failures"] == 1)
        server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=lambda: take(server.accept()[0]), daemon=True).start()
        assert wait_for(lambda: daemon.status()["mailer"]["sent"] == 1, seconds=15)
        assert wait_for(lambda: lines(daemon, "works again"))
        server.close()
    assert b"MAIL FROM:<>" in b"".join(got) and b"RCPT TO:<bob@example.org>\r\n" in got
    assert b"alice is here\r\n" in got


def test_what_was_lost_may_be_said_again(nameserver, directory, token):
    """The mail server is down when the daemon ends: the note is not taken for sent."""
    with sekisho.Daemon(directory, EACH, settings=STORE + mailer("127.0.0.1", 9)) as daemon:
        assert send_to_daemon("alice").what == "continue"
        assert wait_for(lambda: daemon.status()["mailer"]["failures"] == 1)
        daemon.stop()
        daemon.start()
        assert send_to_daemon("alice").what == "continue"
        texts = [note["text"] for r in daemon.records() for note in r["notes"]]
    assert texts == ["to bob@example.org: alice is here"] * 2
