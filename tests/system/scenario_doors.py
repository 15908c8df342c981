"""The doors of the daemon, as the client of each speaks with it: what a player of scenarios (scenarios.py) says and hears."""
import collections
import os
import re
import socket
import subprocess

import miltc
import sekisho


class Session:
    """What the client has said so far."""

    def __init__(self, client, name, port, service):
        self.client, self.name, self.port, self.service = client, name, port, service
        self.helo = ""
        self.tls = self.auth = None
        self.begin()

    def begin(self):
        self.sender, self.recipients, self.fields, self.body, self.queue_id = None, [], [], b"", ""


# reply: "ok", "discard", the text of a refusal, or None: this door tells nothing here
Answer = collections.namedtuple("Answer", "reply", defaults=(None,))


class MilterDoor:
    """As Postfix and Sendmail speak to it."""

    cannot = ()

    def __init__(self, address):
        self.address = address
        self.milter = None
        self.edits = []

    def close(self):
        if self.milter:
            self.milter.quit()
            self.milter.close()
        self.milter = None

    def connect(self, session):
        self.close()
        self.milter = miltc.Milter(self.address)
        self.milter.negotiate()
        macros = {"daemon_port": session.port}
        if session.service:
            macros["daemon_name"] = session.service
        if session.client == "local":
            self.milter.macros("connect", **macros)
            self.milter.connect("localhost", None)
            return
        if session.name:
            macros["client_name"] = session.name
        self.milter.macros("connect", **macros)
        self.milter.connect(session.name or f"[{session.client}]", session.client, 40000)

    def helo(self, session):
        self.tell_tls(session, "helo")
        self.milter.helo(session.helo)

    @staticmethod
    def tls_macros(session):
        return {"tls_version": session.tls[0], "cipher": session.tls[1]} if session.tls else {}

    def tell_tls(self, session, command):
        if session.tls:
            self.milter.macros(command, **self.tls_macros(session))

    def said(self, answer):
        if answer is None:
            return Answer()
        if answer.what == "discard":
            return Answer("discard")
        if answer.what == "reply":
            lines = [line[4:].replace("%%", "%") for line in answer.text.split("\r\n")]
            enhanced = re.match(r"[245]\.\d+\.\d+ ?", lines[0])
            prefix = enhanced.group(0) if enhanced else ""
            first = lines[0][len(prefix):]
            rest = [line[len(prefix):] for line in lines[1:]]
            return Answer(f"{answer.text[:3]} {prefix.strip()} " + " / ".join([first, *rest]))
        return Answer("ok" if answer.what in ("continue", "skip") else answer.what)

    def mail(self, session):
        macros = self.tls_macros(session)
        if session.auth:
            macros.update(auth_authen=session.auth[0], auth_type=session.auth[1])
        self.milter.macros("mail", **macros)
        self.eoh_sent = False
        return self.said(self.milter.mail(session.sender))

    def rcpt(self, session):
        if session.queue_id:
            self.milter.macros("rcpt", i=session.queue_id)
        return self.said(self.milter.rcpt(session.recipients[-1]))

    def end(self, session):
        macros = {"i": session.queue_id} if session.queue_id else {}
        for name, value in session.fields:
            self.milter.header(name, value)
        self.milter.eoh()
        if session.body:
            self.milter.body(session.body)
        self.milter.macros("end", **macros)
        answer = self.said(self.milter.end())
        self.edits = [edit for edit in self.milter.edits() if edit[0] != "quarantine"]
        self.held = next((edit[1] for edit in self.milter.edits() if edit[0] == "quarantine"), None)
        return answer

    def abort(self, session):
        self.milter.abort()
        return True


class QueueDoor:
    """`sekisho queue`, as qmail-smtpd runs it: one run for each message, and no session."""

    cannot = ("reply-mail", "reply-rcpt", "aborted", "indexes", "queue-id", "mechanism")

    def __init__(self, address, directory):
        self.address, self.directory = address, directory
        self.program = os.path.join(directory, "stand-in")
        with open(self.program, "w") as f:
            f.write('#!/bin/sh\ncat >"$QUEUED/message" && exec cat <&1 >"$QUEUED/envelope"\n')
        os.chmod(self.program, 0o755)

    def close(self):
        pass

    def connect(self, session):
        pass

    def helo(self, session):
        pass

    def environment(self, session):
        values = {"PATH": "/usr/bin:/bin", "QUEUED": self.directory, "SEKISHO_SOCKET": "unix:" + self.address,
                  "SEKISHO_QUEUE": self.program, "SEKISHO_TEXT": "notqmail", "SEKISHO_REFUSED": "some",
                  "SEKISHO_QUARANTINE": "held@quarantine.example", "SEKISHO_VERIFIED_NAMES": "yes",
                  "SEKISHO_AUTH": "SMTPAUTHUSER", "TCPLOCALPORT": str(session.port), "TCPREMOTEPORT": "40000"}
        if session.client != "local":
            values.update(TCPREMOTEIP=session.client, TCPREMOTEHOST=session.name or "unknown")
        if session.service:
            values["SEKISHO_DAEMON_NAME"] = session.service
        if session.tls:
            values.update(SSL_PROTOCOL=session.tls[0], SSL_CIPHER=session.tls[1])
        if session.auth:
            values["SMTPAUTHUSER"] = session.auth[0]
        return values

    @staticmethod
    def stamp(session):
        if session.client == "local":
            return b""
        name = session.name if session.helo else ""  # without HELO the name is taken for it
        helo = f" (HELO {session.helo})" if session.helo else ""
        return (f"Received: from {name or 'unknown'}{helo} ({session.client})\n"
                f"  by mx.example.org with ESMTP; 27 Nov 2026 12:00:00 -0000\n").encode()

    @staticmethod
    def bare(path):
        """An address as qmail-smtpd keeps it: without <> and quotes."""
        path = path.strip()
        path = path[1:-1] if path.startswith("<") and path.endswith(">") else path
        quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"(@.*)?', path)
        return re.sub(r"\\(.)", r"\1", quoted.group(1)) + (quoted.group(2) or "") if quoted else path

    def run(self, session, recipients):
        for name in ("message", "envelope"):
            if os.path.exists(os.path.join(self.directory, name)):
                os.unlink(os.path.join(self.directory, name))
        header = b"".join(f"{name}:{value}\n".encode() for name, value in session.fields)
        text = self.stamp(session) + header + b"\n" + session.body.replace(b"\r\n", b"\n")
        envelope = b"".join(letter + self.bare(path).encode() + b"\0"
                            for letter, path in [(b"F", session.sender)] + [(b"T", r) for r in recipients]) + b"\0"
        with open(os.path.join(self.directory, "in"), "wb") as f:
            f.write(text)
        with open(os.path.join(self.directory, "in-envelope"), "wb") as f:
            f.write(envelope)
        said, told = os.pipe()
        with open(os.path.join(self.directory, "in"), "rb") as message:
            done = subprocess.run(["bash", "-c", f'exec "$@" 1<"$QUEUED/in-envelope" 6>&{told} {told}>&-', "bash",
                                   sekisho.PROGRAM, "queue"], stdin=message, stderr=subprocess.PIPE, timeout=60,
                                  env=self.environment(session), pass_fds=[told])
        os.close(told)
        with os.fdopen(said, "rb") as f:
            told = f.read().decode()
        if done.returncode == 82:
            match = re.fullmatch(r"([DZ])(.*) \(#([\d.]+)\)", told, re.S)
            return Answer(f"{'5' if match.group(1) == 'D' else '4'} {match.group(3)} {match.group(2)}")
        assert done.returncode == 0 and not told, (done, told)
        self.queued = None
        if os.path.exists(os.path.join(self.directory, "envelope")):
            with open(os.path.join(self.directory, "envelope"), "rb") as f, \
                    open(os.path.join(self.directory, "message"), "rb") as m:
                self.queued = f.read(), m.read()
        return Answer("ok" if self.queued else "discard")


class PolicyDoor:
    """As Exim asks: at MAIL, at each RCPT and at DATA, tied by one instance."""

    cannot = ("aborted", "message", "queue-id")
    follows = False  # this door sees the message, too

    def __init__(self, address):
        self.address, self.number, self.socket = address, 0, None

    def close(self):
        """The connection stays, as Postfix keeps it: the next message of it ends one that was given up."""

    def connect(self, session):
        if self.socket:
            return
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(self.address)

    def helo(self, session):
        pass

    def ask(self, session, state, recipient=""):
        values = {"message_follows": "yes"} if self.follows else {}
        values |= {"request": "smtpd_access_policy", "protocol_state": state, "instance": f"i{self.number}",
                   "client_address": "" if session.client == "local" else session.client,
                   "client_name": session.name or "unknown", "client_port": "40000", "server_port": session.port,
                   "policy_context": session.service, "helo_name": session.helo, "sender": QueueDoor.bare(session.sender),
                   "recipient": QueueDoor.bare(recipient), "queue_id": session.queue_id}
        if session.auth:
            values.update(sasl_username=session.auth[0], sasl_method=session.auth[1])
        if session.tls:
            values.update(encryption_protocol=session.tls[0], encryption_cipher=session.tls[1])
        self.socket.sendall("".join(f"{name}={value}\n" for name, value in values.items()).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n\n"):
            answer += self.socket.recv(65536)
        action = answer.decode()[len("action="):-2]
        self.held = action[5:] if action.startswith("HOLD ") else None
        words = {"DUNNO": "ok", "OK": "ok", "DISCARD": "discard"}
        return Answer("ok" if self.held is not None else words.get(action, action))

    def mail(self, session):
        self.number += 1
        return self.ask(session, "MAIL")

    def rcpt(self, session):
        return self.ask(session, "RCPT", session.recipients[-1])

    def end(self, session):
        return self.ask(session, "DATA")


class EximDoor(PolicyDoor):
    """As the lines of conf/exim.conf ask: the policy door up to DATA, then the rspamc door, tied by the queue id."""

    cannot = ("aborted", "indexes", "quarantine", "envelope", "body", "queue-id")
    follows = True

    def __init__(self, policy, rspamc):
        super().__init__(policy)
        self.rspamc = rspamc

    def end(self, session):
        session.queue_id = f"1xWpme-{self.number:06}-12"
        answer = super().end(session)
        return answer if answer.reply != "ok" else self.message(session)

    @staticmethod
    def file(session):
        """The message as Exim passes it: an mbox with its own Received field."""
        bare = QueueDoor.bare
        head = "From MAILER-DAEMON Fri Nov 27 12:00:00 2026\n"
        if bare(session.sender):
            head += f"X-Envelope-From: <{bare(session.sender)}>\n"
        head += f"X-Envelope-To: {', '.join(map(bare, session.accepted))}\n"
        client = "local" if session.client == "local" else f"([{session.client}]{' helo=' + session.helo if session.helo else ''})"
        received = f"from {session.name or 'mail.example.net'} {client}" if session.client != "local" else "from user"
        head += f"Received: {received}\n\tby mx.example.org with esmtp (Exim 4.96)\n\tid 1; Fri, 27 Nov 2026 12:00:00 +0000\n"
        fields = "".join(f"{name}:{value}\n" for name, value in session.fields)
        return (head + fields + "\n").encode() + session.body.replace(b"\r\n", b"\n")

    def message(self, session):
        data = self.file(session)
        lines = ["CHECK RSPAMC/1.3", f"Content-length: {len(data)}", f"Queue-Id: {session.queue_id}",
                 f"From: <{session.sender.strip().strip('<>')}>", f"Recipient-Number: {len(session.accepted)}"]
        lines += [f"Rcpt: <{recipient.strip().strip('<>')}>" for recipient in session.accepted]
        if session.client != "local":
            lines += [f"Helo: {session.helo}"] * bool(session.helo) + [f"Hostname: {session.name}"] * bool(session.name)
            lines += [f"IP: {session.client}"] + ([f"User: {session.auth[0]}"] if session.auth else [])
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.rspamc)
            s.sendall("".join(line + "\r\n" for line in [*lines, ""]).encode() + data)
            answer = s.makefile("rb").read().decode("utf-8", "surrogateescape")
        return self.read(answer.replace("\r\n", "\n"))

    def read(self, answer):
        first, metric, action, *rest = answer.split("\n")[:-1]
        assert first == "RSPAMD/1.3 0 EX_OK" and metric.startswith("Metric: default; "), answer
        if action == "Action: no action":
            assert rest.pop(0) == f"Size: {sum(len(line.encode('utf-8', 'surrogateescape')) + 2 for line in rest)}", answer
        self.removed, self.appended, self.inserted, reply = [], [], [], []
        last = None
        for line in rest:
            word, _, value = line.partition(": ")
            if line.startswith("\t"):
                last[-1] += "\n" + line
            elif word == "Remove":
                self.removed = value.split(" : ")
            else:
                last = {"Append": self.appended, "Add": self.inserted, "Reply": reply}[word]
                last.append(value)
        if action == "Action: no action":
            return Answer("ok")
        return Answer("discard" if action == "Action: discard" else " / ".join(reply))

    def changed(self, fields):
        """The header as the ACL changes it: in the order of remove_header, add_header and add_header with :at_start:."""
        def pair(text):
            name, _, value = text.partition(":")
            return name, value
        removed = {name.lower() for name in self.removed}
        fields = [f for f in fields if f[0].strip().lower() not in removed]
        return [pair(text) for text in reversed(self.inserted)] + fields + [pair(text) for text in self.appended]
