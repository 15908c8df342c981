"""An SMTP client for tests: every reply of a conversation is kept, odd commands can be sent.

    with smtp.Client(mta, source=space.GOOD) as client:
        replies = client.send("<alice@pass.example.net>", ["<bob@example.org>"], smtp.message("token"))
        assert replies.end.code == 250
"""
import collections
import smtplib
import socket
import ssl

import space

Reply = collections.namedtuple("Reply", "code text")
TIMEOUT = 40


def reply_of(pair):
    code, text = pair
    return Reply(code, text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


class Replies:
    """What the server answered in one transaction; None where it was not asked."""

    def __init__(self):
        self.mail = self.data = self.end = None
        self.rcpt = []

    @property
    def last(self):
        """The reply that decided: the first refusal, or the answer to the message."""
        for reply in [self.mail] + self.rcpt:
            if reply and reply.code >= 400:
                return reply
        return self.end or self.data or self.mail

    def __repr__(self):
        return f"mail={self.mail} rcpt={self.rcpt} data={self.data} end={self.end}"


def message(token, *fields, sender="alice@pass.example.net", to="bob@example.org", subject="hello", body="Hello.\r\n"):
    """A message with the token in it; fields are further header lines, above the others."""
    lines = list(fields) + [f"From: Alice <{sender}>", f"To: Bob <{to}>", f"Subject: {subject}",
                            "Date: Sat, 21 Nov 2026 12:00:00 +0000", f"Message-ID: <{token}@example.net>"]
    text = "".join(line + "\r\n" for line in lines) + "\r\n" + body
    return text.encode("utf-8")


def unsafe_context(newest=None):
    """Trusts every server; `newest` is the newest version of TLS that it speaks, as in TLSv1_2."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest:
        context.maximum_version = getattr(ssl.TLSVersion, newest)
    return context


class Client:
    def __init__(self, mta, service="mx", source=space.GOOD, helo="mail.example.net", tls=False, login=None, ehlo=True,
                 context=None):
        host = mta.address6 if ":" in source else mta.address
        if source.startswith("127."):
            host = "127.0.0.1"
        kind = smtplib.SMTP_SSL if service == "smtps" else smtplib.SMTP
        self.context = context or unsafe_context()
        options = {"context": self.context} if service == "smtps" else {}
        self.helo_name = helo
        self.smtp = kind(local_hostname=helo, timeout=TIMEOUT, source_address=(source, 0), **options)
        self.smtp._host = host  # what starttls and SMTP_SSL check names against; nothing is checked here
        self.banner = reply_of(self.smtp.connect(host, mta.ports[service], source_address=(source, 0)))
        if ehlo:
            self.hello = reply_of(self.smtp.ehlo(helo))
        if tls:
            self.starttls()
        if login:
            self.login(*login)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.smtp.quit()
        except (smtplib.SMTPException, OSError):
            pass
        self.smtp.close()

    def starttls(self, helo=None):
        reply = reply_of(self.smtp.starttls(context=self.context))
        assert reply.code == 220, reply
        self.hello = reply_of(self.smtp.ehlo(helo or self.helo_name))

    def login(self, user, password=space.PASSWORD):
        self.smtp.login(user, password, initial_response_ok=True)

    def xclient(self, **attributes):
        """XCLIENT of Postfix; a new greeting and EHLO follow."""
        reply = self.command("XCLIENT " + " ".join(f"{name.upper()}={value}" for name, value in attributes.items()))
        assert reply.code == 220, reply
        self.hello = reply_of(self.smtp.ehlo(self.helo_name))

    def command(self, line):
        """Any command; str or bytes."""
        if isinstance(line, bytes):
            self.smtp.send(line + b"\r\n")
            return reply_of(self.smtp.getreply())
        return self.command(line.encode("utf-8"))

    def raw(self, data):
        self.smtp.sock.sendall(data)

    def answer(self):
        return reply_of(self.smtp.getreply())

    def envelope(self, sender, recipients, options=""):
        """MAIL and RCPT; addresses are given with their <>, or without, as the test wants."""
        replies = Replies()
        replies.mail = self.command(f"MAIL FROM:{sender}" + (" " + options if options else ""))
        if replies.mail.code < 400:
            replies.rcpt = [self.command(f"RCPT TO:{recipient}") for recipient in recipients]
        return replies

    def send(self, sender, recipients, text, options=""):
        """A whole transaction, as far as the server goes along; a refused one is ended by RSET."""
        replies = self.envelope(sender, recipients, options)
        if replies.mail.code >= 400:
            return replies
        if all(reply.code >= 400 for reply in replies.rcpt):
            self.command("RSET")
            return replies
        replies.data = self.command("DATA")
        if replies.data.code == 354:
            replies.end = self.finish(text)
        return replies

    def finish(self, text):
        """The message itself, when DATA was answered with 354."""
        stuffed = text.replace(b"\r\n.", b"\r\n..")
        self.raw(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.answer()


def send(mta, sender, recipients, text, options="", **client):
    """One session with one message."""
    with Client(mta, **client) as c:
        return c.send(sender, recipients, text, options)


def dropped(sock_error):
    return isinstance(sock_error, (ConnectionError, socket.timeout, smtplib.SMTPServerDisconnected))
