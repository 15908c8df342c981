"""Strangers and Exim: a client by SMTP, a program of the host that submits, and an answer of the filter that is cut."""
import os
import socket
import threading

import pytest

import sekisho
import smtp

ENGINES = sekisho.ENGINES[:1]  # no milter here: once is enough

SETTINGS = """
listen     policy unix:{policy} mode 0666
listen     rspamc unix:{rspamc} mode 0666
record { facts all }
"""

POLICY = """
policy inbound    { on message { add-header X-Copy "%{header(Subject)}" } }
policy local      { on message { add-header X-Kind "local" } }
policy submission { on message { add-header X-Kind "submission" } }
"""

BOB = "<bob@example.org>"
EXPANDS = "${run{/bin/true}}${sg{a}{a}{EXPANDED}}$sender_helo_name"


@pytest.fixture
def daemon(nameserver, directory, exim_server):
    settings = SETTINGS.replace("{policy}", exim_server.policy).replace("{rspamc}", exim_server.rspamc)
    with sekisho.Daemon(directory, POLICY, settings=settings) as running:
        yield running


def send(exim, token, subject="hello", sender="<alice@pass.example.net>", to=(BOB,), fields=(), **client):
    return smtp.send(exim, sender, list(to), smtp.message(token, *fields, subject=subject), **client)


def test_exim_expands_nothing_that_a_client_says(daemon, exim_server, token):
    replies = send(exim_server, token, sender=f'<"{EXPANDS}"@pass.example.net>', to=(f'<"{EXPANDS} x"@example.org>',),
                   subject=EXPANDS, fields=(f"X-A: {EXPANDS}",))
    assert replies.end.code == 250, replies
    arrived = exim_server.delivered(token)
    assert arrived.field("X-Copy") == arrived.field("Subject") == EXPANDS and b" EXPANDED" not in arrived.raw
    record = daemon.record(verdict="accept")
    assert record["sender"] == f'"{EXPANDS}"@pass.example.net' and record["recipients"] == [f'"{EXPANDS} x"@example.org']


def test_no_value_becomes_another_field(daemon, exim_server, token):
    lines = "\r\n Add: X-Evil: 1\r\n\tAppend: X-Evil: 2\r\n Remove: Subject\r\n :at_start:X-Evil: 3\r\n Reply: 550 no\r\n Size: 0"
    fields = ("Authentication-Results: mx.example.org; spf=pass" + lines, "Authentication-Results: other.example" + lines)
    assert send(exim_server, token, subject="hello" + lines, fields=fields).end.code == 250
    arrived = exim_server.delivered(token)
    assert "X-Evil" not in arrived.names() and arrived.names().count("Subject") == 1 and "X-Copy" in arrived.names()
    assert arrived.names().count("Authentication-Results") == 2, "ours, and that of the other host"


@pytest.mark.parametrize("sender, recipient", [
    ('"a\nUser: boss@example.org\nIP: 203.0.113.5\nX: y"@pass.example.net', "bob@example.org"),
    ('"a>\nUser: boss@example.org\nFrom: <y"@pass.example.net', "bob@example.org"),
    ('"a\n\nb"@pass.example.net', "bob@example.org"),
    ("alice@pass.example.net", '"a\nUser: boss@example.org\nX: y"@example.org'),
    ("alice@pass.example.net", '"a\n\nFrom: boss@example.org\n\nb"@example.org')])
def test_a_program_of_the_host_is_nobody_else(daemon, exim_server, token, sender, recipient):
    """Exim writes the line ends of a quoted local part into the head of its request, and into the mbox."""
    refused = exim_server.sendmail(smtp.message(token), "-f", sender, recipient)
    assert refused.returncode != 0 and not exim_server.find(token)
    assert exim_server.sendmail(smtp.message(token), "-f", "alice@pass.example.net", "bob@example.org").returncode == 0
    assert exim_server.delivered(token).field("X-Kind") == "local"
    assert {record["kind"] for record in daemon.records()} == {"local"}, "one may be Exim's own note about the refusal"


def test_more_recipients_than_the_spam_condition_can_send_come_in_another_transaction(daemon, exim_server, token):
    with smtp.Client(exim_server) as client:
        for begin, end in ((0, 1000), (1000, 1010)):
            client.command("MAIL FROM:<alice@pass.example.net>")
            client.raw(b"".join(b"RCPT TO:<bob-%s%06d@example.org>\r\n" % (b"x" * 50, n) for n in range(begin, end + 1)))
            codes = [client.answer().code for _ in range(begin, end + 1)]
            assert codes == ([250] * 1000 + [452] if begin == 0 else [250] * 11)
            assert client.command("DATA").code == 354
            assert client.finish(smtp.message(f"{begin}-{token}")).code == 250
    assert [record["verdict"] for record in daemon.records()] == ["accept", "accept"]


CHANGES = b"Remove: X-Old\r\nAppend: X-Last: 1\r\nAdd: X-First: a\r\n\tb\r\nAdd: X-Second: c\r\n"
SIZE = b"Size: %d\r\n" % len(CHANGES)  # Exim has a line end and a blank for each CR and LF
PASSED = b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / 1.00 / 1.00\r\nAction: no action\r\n" + SIZE + CHANGES


class Answers:
    """In the place of the rspamc door: reads a request, and gives a part of an answer. The policy door agrees."""

    def __init__(self, exim):
        self.answer = b""
        self.sockets = []
        for path, serve in ((exim.policy, self.agree), (exim.rspamc, self.say)):
            if os.path.exists(path):
                os.unlink(path)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            os.chmod(path, 0o666)
            listener.listen()
            self.sockets.append((path, listener))
            threading.Thread(target=self.run, args=(listener, serve), daemon=True).start()

    def run(self, listener, serve):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                serve(client)

    def agree(self, client):
        client.recv(65536)
        client.sendall(b"action=DUNNO\n\n")

    def say(self, client):
        request = b""
        while not request.endswith(b"\nHello.\n"):
            request += client.recv(65536)
        client.sendall(self.answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for path, listener in self.sockets:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            os.unlink(path)


def test_an_answer_that_is_cut_lets_nothing_through(nameserver, exim_server, token):
    with Answers(exim_server) as door, smtp.Client(exim_server) as client:
        complete = PASSED.rindex(b"\r\n")
        for cut in [*range(0, complete, 3), complete - 1]:
            door.answer = PASSED[:cut]
            assert client.send("<alice@pass.example.net>", [BOB], smtp.message(token)).end.code == 451, PASSED[:cut]
        for wrong in (PASSED.replace(b"no action", b"add header"), PASSED.replace(b"RSPAMD", b"SPAMD"),
                      PASSED.replace(SIZE, b""), PASSED + b"more\r\n"):
            door.answer = wrong
            assert client.send("<alice@pass.example.net>", [BOB], smtp.message(token)).end.code == 451, wrong
        assert not exim_server.find(token)
        door.answer = PASSED
        assert client.send("<alice@pass.example.net>", [BOB], smtp.message(token, "X-Old: 1")).end.code == 250
    arrived = exim_server.delivered(token)
    assert arrived.names().index("X-First") < arrived.names().index("Received") and "X-Old" not in arrived.names()
    assert arrived.field("X-Second") == "c" and arrived.names()[-1] == "X-Last"
