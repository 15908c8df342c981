"""Mail of a login, signed, on its way to the next mail server (sink.py): for the tests of signing."""
import re

import sekisho
import smtp
from mta import wait_for

AUTHOR = "alice@signer.example.org"
FROM = f"From: Alice <{AUTHOR}>"
WAY = "away.example.test MX 10 sink.example.test", "sink.example.test A 198.51.100.7"  # zone lines
BASE = sekisho.SETTINGS.replace("{{ spf auth }}", "off")


def make_key(directory):
    """Makes directory/s1.pem, and directory/zone that publishes it."""
    done = sekisho.run("genkey", "signer.example.org", "s1", "--out", f"{directory}/s1.pem")
    assert done.returncode == 0, done.stderr
    with open(f"{directory}/zone", "w") as f:
        f.write(done.stdout)


def text_of(token, *fields, body="Hello.\r\n", leave_out=()):
    """A message with these fields; the usual ones are added where they are missing."""
    usual = [FROM, "To: Bob <bob@away.example.test>", "Subject: hello", "Date: Sat, 21 Nov 2026 12:00:00 +0000",
             f"Message-ID: <{token}@signer.example.org>"]
    named = {line.split(":")[0].lower() for line in fields} | {name.lower() for name in leave_out}
    lines = list(fields) + [line for line in usual if line.split(":")[0].lower() not in named] + [f"X-Token: {token}"]
    return ("".join(line + "\r\n" for line in lines) + "\r\n" + body).encode()


def pass_through(mta, sink, token, text):
    """The message as the next server got it."""
    login = ("alice@example.org",) if mta.name == "postfix" else ("alice",)
    options = "BODY=8BITMIME" if any(byte > 127 for byte in text) else ""
    replies = smtp.send(mta, f"<{AUTHOR}>", ["<bob@away.example.test>"], text, service="submission", tls=True, login=login,
                        options=options)
    assert replies.end.code == 250, replies
    arrived = wait_for(lambda: sink.find(token))
    assert arrived, mta.tail()
    return arrived


def fields_of(text, name):
    """The values of all fields of that name, each on one line."""
    head = text.split(b"\r\n\r\n")[0].decode("utf-8", "replace")
    found = [line.split(":", 1)[1] for line in re.split(r"\r\n(?![ \t])", head) if line.split(":")[0].lower() == name.lower()]
    return [" ".join(value.split()) for value in found]


def verify(text, keys, directory):
    """What `sekisho verify` says of it, without the path: \"pass ...\". `keys` is where make_key was told to work."""
    with open(f"{directory}/arrived", "wb") as f:
        f.write(text)
    return sekisho.run("verify", "--zone", f"{keys}/zone", f"{directory}/arrived").stdout.removeprefix(f"{directory}/arrived: ")


def record_of(daemon, arrived):
    """The record of the message that arrived."""
    return daemon.record(queue_id=re.search(r" id (\w+)", fields_of(arrived, "Received")[-1]).group(1))


def notes(daemon, arrived):
    """The texts of the notes in it."""
    return [note["text"] for note in record_of(daemon, arrived).get("notes", [])]
