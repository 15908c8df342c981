"""Exim, which has no milter: the policy door before DATA and the rspamc door at DATA, with the shipped conf/exim.conf.

What is signed is verified where it was delivered, by dkimpy; what is hostile comes to the socket without Exim.
"""
import os
import re
import signal
import socket
import threading

import pytest

import sekisho
import signer
import smtp
import space
from mta import wait_for

dkim = pytest.importorskip("dkim")

ENGINES = sekisho.ENGINES[:1]  # no milter here: once is enough

SETTINGS = """
listen     policy unix:{policy} mode 0666
listen     rspamc unix:{rspamc} mode 0666
store      lmdb:{directory}/store
list       bad dynamic:1h
limit      few { key sender  count messages  hard 2  per 1h }
sign       example.org { selector s1 key {directory}/s1.pem }
"""

POLICY = """
policy inbound {
  on connect { reject 554 5.7.1 "listed"                              if client in bad }
  on mail    { reject 550 5.7.1 "refused by its sender"               if sender is refused@pass.example.net
               reject 550 5.7.1 "one" "two"                           if sender is lines@pass.example.net
               quarantine "held"                                      if sender is held@pass.example.net
               discard                                                if sender is dropped@pass.example.net }
  on rcpt    { reject 550 5.1.1 "no %{recipient}"                     if recipient is nobody@example.org
               defer 450 4.7.1 "later"                                if recipient is later@example.org
               defer 450 4.7.1 "too many"                             if sender is few@pass.example.net and limit("few") is over }
  on message { reject 550 5.7.26 "first line" "second 100%% $line {x} ${y}" if header(Subject) is "refuse"
               defer 451 4.7.1 "come again"                           if header(Subject) is "defer"
               discard                                                if header(Subject) is "discard"
               reject 550 5.7.1 "DMARC"                               if dmarc is fail and header(Subject) is "dmarc"
               add-header X-Facts "%{dkim} %{dmarc} %{arc} %{tls.version} %{client.port} %{port} %{client.name} %{size}"
               delete-header X-Spam matching "^yes"
               replace-header X-Status "new %{queue-id}"              if header(X-Status) is "old"
               prefix-subject "[list] "                               if header(List-Id) is not ""
               add-header X-Bottom "last"                bottom       if header(Subject) is "bottom"
               add-header X-Long "%{header(X-Long)} and a text that is long enough to be folded somewhere, which is what relaxed is for"
               arc-seal example.org                                   if header(List-Id) is not "" }
}
policy submission {
  on message { sign
               add-header X-User "%{auth.user} %{auth.method} %{tls.version} %{port}" }
}
policy local { on message { sign } }
"""

BOB = "<bob@example.org>"
ALICE = "<alice@pass.example.net>"


@pytest.fixture
def key(directory, dns):
    """The key of example.org: {name: record}, and published."""
    done = sekisho.run("genkey", "example.org", "s1", "--out", f"{directory}/s1.pem")
    assert done.returncode == 0, done.stderr
    line = done.stdout.strip()
    dns.zone(line.replace(". IN TXT", " TXT"))
    return {line.split()[0].rstrip("."): "".join(line.split('"')[1::2])}


@pytest.fixture
def daemon(nameserver, directory, exim_server, key):
    settings = SETTINGS.replace("{policy}", exim_server.policy).replace("{rspamc}", exim_server.rspamc)
    base = sekisho.SETTINGS.replace("{{ spf auth }}", "{{ spf dkim dmarc arc auth }}")
    with sekisho.Daemon(directory, POLICY, settings=settings, base=base) as running:
        yield running


def send(exim, token, subject="hello", sender=ALICE, to=(BOB,), fields=(), text=None, **client):
    text = text or smtp.message(token, *fields, subject=subject)
    return smtp.send(exim, sender, list(to), text, options="BODY=8BITMIME" if any(b > 127 for b in text) else "", **client)


def wire(delivered):
    """As it would go on: CRLF, without the fields of the delivery."""
    text = re.sub(rb"(?<!\r)\n", b"\r\n", delivered.raw)
    return re.sub(rb"\A(?:(?:Return-path|Envelope-to|Delivery-date): [^\r]*\r\n)+", b"", text)


def dnsfunc(records):
    return lambda name, timeout=5: records.get((name if isinstance(name, str) else name.decode()).rstrip("."), "").encode() or None


def verified(delivered, records):
    return dkim.verify(wire(delivered), dnsfunc=dnsfunc(records))


# ---- verdicts


def test_mail_is_judged_and_delivered(daemon, exim_server, token):
    assert send(exim_server, token).end.code == 250
    arrived = exim_server.delivered(token)
    assert arrived.field("Authentication-Results").startswith("mx.example.org; spf=pass")
    assert arrived.names().index("Authentication-Results") < arrived.names().index("Received"), "ours is on top"
    record = daemon.record(sender="alice@pass.example.net", verdict="accept")
    assert record["client"] == space.GOOD and record["helo"] == "mail.example.net"
    assert record["queue-id"] and record["queue-id"] in arrived.field("Received")
    assert len(daemon.records()) == 1, "what was asked before DATA is part of it"


def test_each_verdict_reaches_the_client(daemon, exim_server, token):
    refused = send(exim_server, token, "refuse").end
    assert refused == (550, "5.7.26 first line\n5.7.26 second 100% $line {x} ${y}")
    assert send(exim_server, token, "defer").end == (451, "4.7.1 come again")
    assert send(exim_server, token, "discard").end.code == 250
    assert not exim_server.find(token)
    for verdict in ("reject", "defer", "discard"):
        assert daemon.record(verdict=verdict, stage="message")["queue-id"]
    assert send(exim_server, token, sender="<refused@pass.example.net>").mail == (550, "5.7.1 refused by its sender")
    assert send(exim_server, token, sender="<lines@pass.example.net>").mail == (550, "5.7.1 one\n5.7.1 two")
    replies = send(exim_server, token, to=("<nobody@example.org>", "<later@example.org>", BOB))
    assert replies.rcpt[:2] == [(550, "5.1.1 no nobody@example.org"), (450, "4.7.1 later")]
    assert replies.end.code == 250 and exim_server.delivered(token)
    record = daemon.record(verdict="accept")
    assert [one["recipient"] for one in record["refused"]] == ["nobody@example.org", "later@example.org"]


def test_what_is_decided_at_mail_and_cannot_be_said_there_is_done_at_the_end(daemon, exim_server, token):
    assert send(exim_server, token, sender="<dropped@pass.example.net>").end.code == 250
    daemon.record(verdict="discard")
    held = send(exim_server, token, sender="<held@pass.example.net>").end
    assert held == (451, "4.3.0 Temporary failure of the mail filter"), "Exim cannot hold a message"
    assert daemon.record(sender="held@pass.example.net")["told"] == "edits-failed"
    assert not exim_server.find(token)


def test_a_list_blocks_a_client(daemon, exim_server, token):
    done = sekisho.run("list", "add", "bad", space.GOOD, "--socket", f"{daemon.directory}/control")
    assert done.returncode == 0, done.stderr
    assert send(exim_server, token).mail == (554, "5.7.1 listed")
    assert send(exim_server, token, source=space.BAD).end.code == 250


# ---- one session through two doors


def test_a_limit_counts_once_and_the_connection_is_known(daemon, exim_server, token):
    for _ in range(2):
        assert send(exim_server, token, sender="<few@pass.example.net>", tls=True).end.code == 250
    assert send(exim_server, token, sender="<few@pass.example.net>").rcpt == [(450, "4.7.1 too many")]
    dkim_result, dmarc, arc, tls, port, ours, name, size = exim_server.delivered(token, 2).field("X-Facts").split(" ")
    assert tls.startswith("TLS") and int(port) > 0 and ours == "25" and name == "mail.example.net"
    assert int(size) == len(smtp.message(token)) - 2, "without the empty line, and nothing of the mbox"


def test_without_questions_before_data_all_is_decided_there(daemon, exim_server, token):
    """A recipient that an ACL accepts before it asks; here: no question at all, by a program of this host."""
    done = exim_server.sendmail(smtp.message(token).replace(b"\r\n", b"\n"), "-f", "alice@example.org", "bob@example.org")
    assert done.returncode == 0, done.stderr
    assert exim_server.delivered(token)
    assert daemon.record(sender="alice@example.org")["kind"] == "local"


# ---- changes


def test_fields_are_removed_replaced_and_added(daemon, exim_server, token):
    fields = ("Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=evil.example",
              "Authentication-Results: (a(b)c) other.example; dkim=pass header.d=one.example",
              "authentication-results: mx.example.org 1; dmarc=pass",
              "Authentication-Results: third.example;\r\n\tspf=none",
              "X-Spam: yes", "X-Spam: no", "X-SPAM: yes, again", "X-Status: old")
    assert send(exim_server, token, "bottom", fields=fields).end.code == 250
    arrived = exim_server.delivered(token)
    results = arrived.fields("Authentication-Results")
    assert results[0].startswith("mx.example.org; spf=pass smtp.mailfrom=alice@pass.example.net")
    assert results[1:] == ["(a(b)c) other.example; dkim=pass header.d=one.example", "third.example; spf=none"]
    assert arrived.fields("X-Spam") == ["no"]
    assert arrived.field("X-Status") == "new " + daemon.record(verdict="accept")["queue-id"]
    assert arrived.names()[-1] == "X-Bottom"
    assert len(arrived.fields("Received")) == 1


def test_changes_that_do_not_fit_defer_the_message(daemon, exim_server, token):
    fields = ["X-Spam: yes"] + [f"X-Spam: no {'x' * 900} {i}" for i in range(9)]
    assert send(exim_server, token, fields=fields).end == (451, "4.3.0 Temporary failure of the mail filter")
    assert daemon.record(verdict="defer")["told"] == "edits-failed"
    assert not exim_server.find(token)


def test_signatures_of_others_are_judged_and_stay_valid(daemon, exim_server, dns, token):
    other = signer.Key()
    line = other.record("s1", "pass.example.net")
    dns.zone(line, '_dmarc.pass.example.net TXT "v=DMARC1; p=reject"')
    records = {"s1._domainkey.pass.example.net": "".join(line.split('"')[1::2])}
    body = ".\r\n..two\r\n\r\n" + "x" * 900 + "\r\n\u00fc \r\n\r\n\r\n"
    text = other.sign(smtp.message(token, "X-Spam: yes", "X-Spam: no", body=body), "s1", "pass.example.net")
    assert send(exim_server, token, text=text).end.code == 250
    arrived = exim_server.delivered(token)
    assert arrived.field("X-Facts").startswith("pass pass none")
    assert verified(arrived, records)
    forged = smtp.message(token + "f", subject="dmarc", sender="ceo@pass.example.net")
    assert send(exim_server, token, sender="<x@none.example.net>", text=forged, source=space.BAD).end == (550, "5.7.1 DMARC")


def test_a_message_that_a_list_changes_is_sealed(daemon, exim_server, key, token):
    assert send(exim_server, token, fields=("List-Id: <a.example.net>",)).end.code == 250
    arrived = exim_server.delivered(token)
    assert arrived.field("Subject") == "[list] hello"
    assert dkim.arc_verify(wire(arrived), dnsfunc=dnsfunc(key))[0] == b"pass", arrived.raw


BODIES = {"plain": "Hello.\r\n", "dots": ".\r\n..\r\n.x\r\n", "eight bits": "J\u00fcrgen\r\n", "empty": "",
          "a long line": "x" * 900 + "\r\n", "empty lines at the end": "a\r\n\r\n\r\n\r\n", "blanks": " a \t b  \r\n\t\r\n"}


@pytest.mark.parametrize("name", BODIES)
def test_mail_of_a_login_is_signed(daemon, exim_server, key, token, name):
    text = smtp.message(token, sender="alice@example.org", body=BODIES[name])
    replies = send(exim_server, token, sender="<alice@example.org>", text=text, service="submission", tls=True, login=("alice",))
    assert replies.end.code == 250, replies
    arrived = exim_server.delivered(token)
    user, method, tls, port = arrived.field("X-User").split(" ")
    assert user == "alice@example.org" and method.upper() == "PLAIN" and tls.startswith("TLS") and port == "587"
    assert verified(arrived, key), arrived.raw
    assert daemon.record(sender="alice@example.org")["kind"] == "submission"


def test_a_large_message_and_many_recipients(daemon, exim_server, key, token):
    body = ("0123456789abcdef" * 4 + "\r\n") * 300000  # 20 MB
    text = smtp.message(token, sender="alice@example.org", body=body)
    to = [f"<user{i}@example.org>" for i in range(200)]
    replies = send(exim_server, token, sender="<alice@example.org>", text=text, service="submission", tls=True, login=("alice",))
    assert replies.end.code == 250, replies
    assert verified(exim_server.delivered(token), key)
    assert send(exim_server, token + "m", to=to).end.code == 250
    assert len(daemon.record(sender="alice@pass.example.net")["recipients"]) > 10


# ---- when the daemon does not answer


class Stub:
    """Somebody else on a socket, who says what he is told, or nothing."""

    def __init__(self, path, answer, close=True):
        self.socket, self.answer, self.close = socket.socket(socket.AF_UNIX), answer, close
        self.path, self.kept = path, []
        if os.path.exists(path):
            os.unlink(path)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.listen(20)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, _ = self.socket.accept()
            except OSError:
                return
            s.settimeout(0.5)
            try:
                while s.recv(65536):
                    pass
            except OSError:
                pass
            try:
                s.sendall(self.answer)
            except OSError:
                pass
            if self.close:
                s.close()
            else:
                self.kept.append(s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        os.unlink(self.path)


def test_without_the_daemon_nothing_passes(daemon, exim_server, token):
    daemon.stop()
    assert send(exim_server, token).mail.code == 451
    daemon.start()
    with smtp.Client(exim_server) as client:
        client.envelope(ALICE, [BOB])
        assert client.command("DATA").code == 354
        daemon.stop()
        assert client.finish(smtp.message(token)).code == 451
    daemon.start()
    assert send(exim_server, token).end.code == 250
    assert exim_server.delivered(token)


@pytest.mark.parametrize("answer", [b"", b"action=\n\n", b"action=PREPEND X: y\n\n", b"HTTP/1.1 200 OK\r\n\r\n", None])
def test_an_answer_about_the_envelope_that_is_none_defers(nameserver, exim_server, token, answer):
    with Stub(exim_server.policy, answer or b"", close=answer is not None):
        assert send(exim_server, token).mail.code == 451


@pytest.mark.parametrize("answer", [
    b"", b"HTTP/1.1 200 OK\r\n\r\n{}", b"RSPAMD/1.3 0 EX_OK\r\nMetric: x\r\n\r\n",
    b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / 1.00 / 1.00\r\nAction: greylist\r\n",
    b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; True; 1.00 / 1.00 / 1.00\r\nSymbol: X\r\n", None])
def test_an_answer_about_the_message_that_is_none_defers(nameserver, exim_server, token, answer):
    with Stub(exim_server.policy, b"action=DUNNO\n\n"), Stub(exim_server.rspamc, answer or b"", close=answer is not None):
        assert send(exim_server, token).end.code == 451
    assert not exim_server.find(token)


# ---- programs that are not Exim, on the socket


HEAD = b"CHECK RSPAMC/1.3\r\nContent-length: %d\r\nQueue-Id: q\r\nFrom: <alice@pass.example.net>\r\nRcpt: <bob@example.org>\r\n" \
       b"Helo: mail.example.net\r\nIP: 203.0.113.5\r\n\r\n"
MESSAGE = b"From MAILER-DAEMON x\nX-Envelope-To: bob@example.org\nReceived: x\nSubject: hello\n\nHello.\n"
PASSES = b"RSPAMD/1.3 0 EX_OK\r\nMetric: default; False; 0.00 / 1.00 / 1.00\r\nAction: no action\r\nSize: "


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    assert wait_for(lambda: not s.connect_ex(path)), "its queue of connections stays full"
    return s


def ask(path, data, half_close=False):
    """All that comes back until the other end closes."""
    with connect(path) as s:
        answer = b""
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            while True:
                got = s.recv(65536)
                if not got:
                    return answer
                answer += got
        except (BrokenPipeError, ConnectionResetError):
            return answer


def test_hostile_requests_hurt_nobody_else(daemon, exim_server, token):
    path = exim_server.rspamc
    good = HEAD % len(MESSAGE) + MESSAGE
    for garbage in (b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"a" * 200000, bytes(range(256)) * 300,
                    b"CHECK RSPAMC/1.3\r\n" + b"x" * 100000, b"CHECK RSPAMC/1.3\r\n" + b"Rcpt: <x@example.org>\r\n" * 300000,
                    HEAD % 99999999999, HEAD.replace(b"%d", b"-5"), HEAD.replace(b"%d", b"")):
        assert ask(path, garbage, half_close=True) == b""
    assert ask(path, HEAD % (len(MESSAGE) + 1) + MESSAGE, half_close=True) == b"", "a message that is cut off"
    assert ask(path, HEAD % 10 + MESSAGE).startswith(PASSES[:30]), "a message that is longer than it says"
    assert ask(path, good).startswith(PASSES)
    assert ask(path, good, half_close=True).startswith(PASSES)
    assert ask(path, good + good).count(b"RSPAMD/1.3") == 1, "one request on a connection"
    long = b"X: " + b"x" * 3000000 + b"\n"
    answer = ask(path, HEAD % len(long) + long)
    assert b"Action: reject\r\nReply: 552 5.3.4 " in answer
    silent = []
    for i in range(1050):
        s = connect(path)
        silent.append(s)
        if i % 3 == 0:
            s.sendall(good[:-1] if i % 2 else good)  # and the answer is never read
    assert ask(path, good).startswith(PASSES)
    assert send(exim_server, token).end.code == 250
    for s in silent:
        s.close()
    assert daemon.alive() and wait_for(lambda: daemon.status()["messages"]["open"] == 0, seconds=20)


def test_a_message_that_is_on_its_way_gets_its_answer_while_the_daemon_ends(daemon, exim_server):
    with connect(exim_server.rspamc) as s:
        s.sendall(HEAD % len(MESSAGE) + MESSAGE[:20])
        assert wait_for(lambda: daemon.status()["messages"]["open"] == 1)
        daemon.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: any("draining" in str(line) for line in daemon.messages()))
        s.sendall(MESSAGE[20:])
        assert s.recv(65536).startswith(PASSES)
    assert daemon.wait() == 0
    daemon.process = None
    assert daemon.record(queue_id="q", verdict="accept")
