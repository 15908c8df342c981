"""The scenarios of tests/scenarios, played through a door of the real daemon.

read() makes cases of a file. A player plays them with one daemon and one door: it says what a mail server would say through
that door, and compares what comes back, and the record, with what the scenario expects. The milter of the native engine is
first; other doors are also compared with what it saw: their answers, and the message that its edits would make.

What a door cannot do is declared in its class; what is expected of it instead follows from that, and each expectation that
it does not promise is counted by ability:

    reply-mail, reply-rcpt   nothing is told at MAIL or RCPT: the refusal must be told at the end of the message
    aborted                  a message that the client gives up does not reach the daemon
    message                  the message is not seen: its rules do not decide, and no edit is made
    indexes                  edits have no index: the message itself must be the one that the edits of a milter make
    quarantine, envelope, body   what needs them is deferred (451)
    queue-id, mechanism      a record does not have them

A case that a door cannot play at all is counted by its reason, which is in LEFT.
"""
import collections
import json
import os
import re
import socket
import subprocess

import miltc
import sekisho
from mta import wait_for

FOLDER = os.path.join(sekisho.HERE, "../scenarios")
BLOCKS = ("config", "file")
FILES = ("config", "zone", "clear-zone", "file", "remove-file")

LEFT = {
    "time": "the clock of a daemon cannot be set",
    "list switched off": "the daemon has tested the DNS list itself before the message came",
    "not played as a milter": "nothing to compare with",
    "quotes": "programs that pass addresses without quotes cannot pass those that are not needed",
    "field": "a line end in a field that folds nothing ends the field, in a message",
    "twice": "the same recipient again is another question about the first, for a policy service",
    "moment": "nothing can happen between MAIL and the end of the message: all of it is told at once",
}

Step = collections.namedtuple("Step", "line word rest block", defaults=(None,))
Case = collections.namedtuple("Case", "title before steps")  # before: what is above the first case


def read(path):
    """The cases of a file."""
    with open(path) as f:
        lines = f.read().split("\n")
    cases, before, number = [], [], 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        block = None
        if word in BLOCKS:
            end = next(i for i in range(number, len(lines)) if lines[i].strip() == "end")
            block, number = "".join(text + "\n" for text in lines[number:end]), end + 1
        step = Step(number, word, rest.strip(), block)
        if word == "case":
            cases.append(Case(step.rest, before, []))
            before = []
        elif not cases:
            before.append(step)
        else:
            cases[-1].steps.append(step)
    return cases


# ---- what an edit makes of a message ---------------------------------------------------------------------


def one_line(value):
    value = re.sub(r"\n(?![ \t])", "\n(broken line) ", value)
    return re.sub(r"[ \t]*\n[ \t]*|\t", lambda m: " ", value)


def shown(edits):
    """The edits of a milter as scenarios write them."""
    lines = []
    for edit in edits:
        kind = edit[0]
        if kind in ("insert", "add"):
            word = "append" if edit[1] > 1000000 or kind == "add" else "insert"
            lines.append(f"{word} {edit[2]}: {one_line(edit[3]).strip()}")
        elif kind == "change":
            lines.append(f"replace {edit[2]} {edit[1]}: {one_line(edit[3]).strip()}" if edit[3] else f"delete {edit[2]} {edit[1]}")
        elif kind in ("e", "+", "-"):
            word = {"e": "sender", "+": "add-recipient", "-": "delete-recipient"}[kind]
            lines.append(f"{word} {edit[1].split(bytes(1))[0].decode()}")
        elif kind == "b":
            lines.append("body " + edit[1].decode("utf-8", "replace").replace("\r", "").replace("\n", "\\n"))
    return lines


def applied(fields, body, edits):
    """Fields [(name, value)] and body after the edits, as a mail server makes them."""
    fields, new_body = list(fields), None
    for edit in edits:
        kind = edit[0]
        if kind == "insert":
            fields.insert(len(fields) if edit[1] > len(fields) else edit[1], (edit[2], edit[3]))
        elif kind == "add":
            fields.append((edit[2], edit[3]))
        elif kind == "change":
            places = [i for i, (name, _) in enumerate(fields) if name.lower() == edit[2].lower()]
            if len(places) >= edit[1]:
                fields[places[edit[1] - 1]:places[edit[1] - 1] + 1] = [(edit[2], edit[3])] if edit[3] else []
            elif edit[3]:
                fields.append((edit[2], edit[3]))
        elif kind == "b":
            new_body = (new_body or b"") + edit[1]
    return fields, body if new_body is None else new_body


# ---- doors -------------------------------------------------------------------------------------------------


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


class Left(Exception):
    """A case cannot be played, for the reason in it."""


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
            assert rest.pop() == "End: yes", answer
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


# ---- the daemon ------------------------------------------------------------------------------------------------


class Host:
    """The daemon of a file: each door is a fresh one. Lists, zone and policy change as the scenario says."""

    def __init__(self, directory, engine):
        self.directory, self.engine = directory, engine
        os.makedirs(directory)
        self.zone, self.config, self.number, self.changed = [], "", 0, True
        self.daemon = None
        self.milter, self.policy, self.rspamc = (f"{directory}/{name}" for name in ("milter", "policy", "rspamc"))
        self.offset, self.records = 0, []

    def text(self):
        zone = f"{self.directory}/zone-{self.number}"
        with open(zone, "w") as f:
            f.write("\n".join(self.zone) + "\n")
        ours = f"""
listen milter unix:{self.milter} {"engine native" if self.engine == "native" else ""}
listen policy unix:{self.policy}
listen rspamc unix:{self.rspamc}
control {self.directory}/control
log file:{self.directory}/record
resolver {{ zone {zone} }}
"""
        store = "" if re.search(r"^store ", self.config, re.M) else "store memory:\n"
        return self.config + ours + store

    def change(self, step):
        self.changed = True
        if step.word == "config":
            self.config = step.block
        elif step.word == "zone":
            self.zone.append(step.rest)
        elif step.word == "clear-zone":
            self.zone = []
        elif step.word == "file":
            with open(os.path.join(self.directory, step.rest), "w") as f:
                f.write(step.block)
        else:
            os.unlink(os.path.join(self.directory, step.rest))

    def ready(self):
        """Before a session: the daemon has what the scenario says by now."""
        if not self.changed:
            return
        self.changed = False
        self.number += 1
        path = os.path.join(self.directory, "sekisho.conf")
        with open(path, "w") as f:
            f.write(self.text())
        if "dnsbl " in self.config:  # what a daemon has found out about a list, it believes for a minute
            self.stop()
        if not self.daemon:
            self.start(path)
            self.look_at_lists()
            return
        answer = self.control({"command": "reload"})
        assert answer["ok"], answer

    def look_at_lists(self):
        """The daemon tests each DNS list by itself; one that it has switched off is another scenario."""
        def states():
            return [one["state"] for one in self.control({"command": "status"}).get("dnsbl", {}).values()]
        if "dnsbl " in self.config and wait_for(lambda: "untested" not in states()) and "off" in states():
            raise Left("list switched off")

    def start(self, path):
        errors = open(os.path.join(self.directory, "stderr"), "w")
        self.daemon = subprocess.Popen([sekisho.PROGRAM, "daemon", "-c", path], cwd=self.directory, stdin=subprocess.DEVNULL,
                                       stdout=errors, stderr=errors)
        errors.close()
        done = wait_for(lambda: self.daemon.poll() is not None or sekisho.listening_unix(self.directory + "/control") and
                        all(map(sekisho.listening_unix, (self.milter, self.policy, self.rspamc))), seconds=15, every=0.005)
        with open(os.path.join(self.directory, "stderr")) as f:
            assert done and self.daemon.poll() is None, f.read()

    def control(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.directory + "/control")
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def forget(self):
        """An empty store: what one case counts does not count in the next."""
        if not self.daemon:
            return
        answer = self.control({"command": "store-list", "prefix": "", "whole": False, "full": False})
        for first in {item["key"].split(":")[0] for item in answer.get("items", [])}:
            assert self.control({"command": "store-delete", "prefix": first})["ok"]

    def read_records(self, count):
        """All records, once there are so many."""
        def look():
            with open(os.path.join(self.directory, "record"), errors="replace") as f:
                f.seek(self.offset)
                lines = f.read()
            lines = lines[:lines.rfind("\n") + 1]
            self.offset += len(lines.encode("utf-8", "replace"))
            self.records += [r for r in map(json.loads, lines.splitlines()) if "verdict" in r]
            return len(self.records) >= count
        assert wait_for(look, seconds=5, every=0.002), f"{len(self.records)} records, and {count} messages have ended"
        return self.records

    def stop(self):
        if not self.daemon:
            return
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None


# ---- playing -----------------------------------------------------------------------------------------------------


def same_text(got, wanted):
    return got is not None and got.lower().startswith(wanted.lower())


class Failure(Exception):
    pass
def is_refusal(reply):
    return reply is not None and reply[:1] in "45"


class Played:
    """What was seen at each line: for the doors that are compared with it."""

    def __init__(self):
        self.answers, self.edits, self.held, self.stages = {}, {}, {}, {}
        self.failed = set()  # titles of cases


class Player:
    """Plays the cases of a file through a door. `seen`: what a milter saw, for other doors."""

    def __init__(self, cases, host, door, seen=None):
        self.cases, self.host, self.door, self.seen = cases, host, door, seen or Played()
        self.played = 0
        self.left = collections.Counter()      # cases, by why they cannot be played
        self.declared = collections.Counter()  # expectations that this door does not promise to meet, by ability
        self.failures = []
        self.ended = 0                         # messages that have a record by now

    def play(self):
        for case in self.cases:
            for step in case.before:
                self.host.change(step)
            why = self.why_not(case)
            if why:
                self.left[why] += 1
                for step in case.steps:
                    if step.word in FILES:
                        self.host.change(step)
                continue
            self.begin(case)
            try:
                for step in case.steps:
                    self.step = step
                    getattr(self, "on_" + step.word.replace("-", "_"))(step.rest)
            except Left as left:
                self.left[str(left)] += 1
                self.seen.failed.add(case.title)
                self.played -= 1
            except Failure as failure:
                self.seen.failed.add(case.title)
                self.failures.append(f"line {self.step.line} ({case.title}): {failure}")
            self.close()
            self.played += 1

    def why_not(self, case):
        """Why the case cannot be played at all; None: it can be."""
        return "time" if any(step.word == "time" for step in case.steps) else None

    def begin(self, case):
        self.session, self.open, self.answer, self.lost, self.change = None, False, Answer(), False, 0
        self.edits = []
        self.host.forget()

    def close(self):
        before = self.ended
        self.give_up()
        self.door.close()
        if self.ended > before:  # another thread writes that record: before that of the next session
            self.host.read_records(self.ended)
        self.session = None

    def give_up(self):
        """The client ends the message."""
        self.ended += self.open
        self.open = False

    def check(self, true, text):
        if not true:
            raise Failure(text)

    def cannot(self, ability):
        """Counts an expectation that this door does not promise."""
        self.declared[ability] += 1

    # ---- files

    def on_config(self, _):
        self.host.change(self.step)

    on_zone = on_clear_zone = on_file = on_remove_file = on_config

    # ---- said

    def on_connect(self, rest):
        words = rest.split()
        self.close()
        self.host.ready()
        options = words[2:]
        port = options[options.index("port") + 1] if "port" in options else "25"
        service = options[options.index("daemon") + 1] if "daemon" in options else ""
        name = words[1] if len(words) > 1 and words[1] != "-" else ""
        self.session = Session(words[0], name, port, service)
        self.door.connect(self.session)

    def on_helo(self, rest):
        self.session.helo = rest
        self.door.helo(self.session)

    def on_tls(self, rest):
        version, _, cipher = rest.partition(" ")
        self.session.tls = (version, cipher.strip()) if version else None

    def on_auth(self, rest):
        user, _, method = rest.partition(" ")
        self.session.auth = (user, method.strip()) if user != "-" else None

    def on_mail(self, rest):
        self.give_up()
        self.session.begin()
        self.session.sender, self.open, self.lost, self.change = rest, True, False, 0
        self.said(self.mail())

    def on_rcpt(self, rest):
        self.session.recipients.append(rest)
        self.said(self.rcpt())

    def on_header(self, rest):
        name, _, value = rest.partition(":")
        self.session.fields.append((name, value.replace("\\n", "\n").replace("\\t", "\t")))

    def on_body(self, rest):
        self.session.body += rest.encode() + b"\r\n"

    def on_queue_id(self, rest):
        self.session.queue_id = rest

    def on_end(self, _):
        self.said(self.end())

    def on_rset(self, _):
        self.rset()

    def said(self, answer):
        self.answer = answer
        self.seen.answers.setdefault(self.step.line, answer.reply)

    def mail(self):
        answer = self.door.mail(self.session)
        if is_refusal(answer.reply) or answer.reply == "discard":
            self.give_up()
        return answer

    def rcpt(self):
        return self.door.rcpt(self.session)

    def end(self):
        answer = self.door.end(self.session)
        self.give_up()
        self.edits = self.door.edits
        self.seen.edits[self.step.line] = self.door.edits
        self.seen.held[self.step.line] = self.door.held
        self.seen.stages[self.step.line] = self.record()["stage"]
        return answer

    def rset(self):
        self.door.abort(self.session)
        self.give_up()

    def on_block(self, rest):
        what, _, why = rest.partition(" ")
        answer = self.host.control({"command": "block", "what": what, "life": 3600 * 10 ** 6, "why": why.strip()})
        self.check(answer["ok"], f"block: {answer}")

    def on_unblock(self, rest):
        answer = self.host.control({"command": "unblock", "what": rest})
        self.check(answer["ok"] and answer["was"], f"unblock: {answer}")

    # ---- expected

    def on_reply(self, rest):
        if self.answer.reply is None and not rest.startswith("ok"):
            self.hold()
        got = "ok" if self.answer.reply is None else self.answer.reply
        self.check(same_text(got, rest), f"reply: expected {rest}, got {got}")

    def hold(self):
        """This door told nothing at MAIL or RCPT, because it negotiated so: the refusal comes at the end."""
        self.cannot("reply held")
        if not self.session.recipients:
            self.session.recipients.append("<held@example.org>")
            self.door.rcpt(self.session)
        self.answer = self.door.end(self.session)
        self.give_up()

    def record(self):
        return self.host.read_records(self.ended)[-1]

    def promised(self, key):
        """May the record lack this?"""
        return key != "told"

    def unseen(self):
        """The message of this expectation did not reach the daemon."""
        if self.lost:
            self.cannot("aborted")
        return self.lost

    @staticmethod
    def value(record, key):
        for place in (record, record.get("facts", {}), record.get("vars", {})):
            if key in place:
                value = place[key]
                return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return "(absent)"

    def on_record(self, rest):
        if self.unseen():
            return
        for word in rest.split():
            key, _, wanted = word.partition("=")
            if not self.promised(key):
                self.cannot(key)
                continue
            got = self.value(self.record(), key)
            self.check(got == wanted, f"record: expected {word}, got {got}")

    def on_rule(self, rest):
        if self.unseen() or not self.promised("rule"):
            return
        rule = self.record()["rule"] or ":0"
        lines = [""] + self.host.config.split("\n")
        line = lines[int(rule.rsplit(":", 1)[1])]
        self.check(rest in line, f"rule: expected {rest}, decided by {rule} {line.strip()}")

    def notes(self):
        return [(note["kind"], note["text"]) for note in self.record().get("notes", [])]

    def on_note(self, rest):
        kind, _, text = rest.partition(" ")
        if self.unseen() or not self.promised("notes"):
            return
        notes = self.notes()
        self.check(any(k == kind and same_text(t, text.strip()) for k, t in notes), f"note: there is no {rest} in {notes}")

    def on_no_notes(self, _):
        if not self.unseen() and self.promised("notes"):
            self.check(not self.notes(), f"notes: {self.notes()}")

    def on_score(self, rest):
        points, _, why = rest.partition(" ")
        if self.unseen() or not self.promised("scores"):
            return
        scores = [(str(s["points"]), s["why"]) for s in self.record().get("scores", [])]
        self.check((points, why.strip()) in scores, f"score: there is no {rest} in {scores}")

    def on_footer(self, rest):
        if not self.unseen() and self.promised("footer"):
            self.check(self.record().get("footer") == rest, f"footer: {self.record().get('footer')}")

    def on_quarantine(self, rest):
        if self.promised("quarantine"):
            self.check(self.door.held == rest, f"quarantine: got {self.door.held}")

    def on_change(self, rest):
        changes = shown(self.edits) + ["no more changes"]
        got = changes[min(self.change, len(changes) - 1)]
        self.change += 1
        self.check(same_text(got, rest), f"change {self.change}: expected {rest}, got {got}")

    def on_no_more_changes(self, _):
        left = shown(self.edits)[self.change:]
        self.check(not left, f"no-more-changes: there is {left}")


class OtherPlayer(Player):
    """A door that is not a milter: beside the scenario, it is compared with what a milter saw."""

    def why_not(self, case):
        """What others than SMTP clients cannot write: quotes that an address does not need."""
        said = [step.rest for step in case.steps if step.word in ("mail", "rcpt")]
        quoted = any(re.search(r'"[^\s"<>()\[\],;:\\@]*"@', argument) for argument in said)
        if case.title in self.seen.failed:
            return "not played as a milter"
        return super().why_not(case) or ("quotes" if quoted else None)

    def reference(self):
        return self.seen.answers.get(self.step.line)

    def on_change(self, _):
        self.cannot("indexes" if "message" not in self.door.cannot else "message")

    on_no_more_changes = on_change

    @staticmethod
    def plain(text):
        """Without what differs from message to message: cases, times, random parts."""
        return re.sub(r"[0-9a-z]{12}|\d+", "#", re.sub(r"\b[bh]h?=[^;]*", "", re.sub(r"\s+", " ", text)))


def has_broken_field(case):
    return any(step.word == "header" and re.search(r"\\n(?!\\t|[ \t])", step.rest) for step in case.steps)


def reply_text(reply):
    """Without the code, and on one line."""
    return " ".join(reply.replace(" / ", " ").split()[1:])


class QueuePlayer(OtherPlayer):
    """Nothing is told before the end: then the refusal of MAIL or of all recipients must be told."""

    def why_not(self, case):
        """A line end in a field that folds nothing ends it: no message has that. Nothing happens between MAIL and the end."""
        words = [step.word for step in case.steps]
        moved = any(word.endswith("block") and "mail" in words[:i] and "end" not in words[:i] for i, word in enumerate(words))
        return super().why_not(case) or ("field" if has_broken_field(case) else "moment" if moved else None)

    def promised(self, key):
        return key not in ("told", "auth.mechanism", "queue-id", "client.port", "daemon-name")

    def compare(self, got, wanted):
        """With the reply of a milter: 554 or 451 takes the place of the code."""
        wanted = wanted or "ok"
        if is_refusal(wanted):
            text = reply_text(got.reply)
            self.check(got.reply[0] == wanted[0] and self.plain(text) == self.plain(reply_text(wanted)[:len(text)]),
                       f"queue: expected {wanted}, got {got.reply}")
        else:
            self.check(got.reply == wanted, f"queue: expected {wanted}, got {got.reply}")

    def mail(self):
        self.refused, wanted = {}, self.reference()
        if is_refusal(wanted):
            self.cannot("reply-mail")
            self.compare(self.door.run(self.session, ["<held@example.org>"]), wanted)
            self.give_up()
        return Answer(wanted)

    def rcpt(self):
        wanted = self.reference()
        if is_refusal(wanted):
            self.cannot("reply-rcpt")
            self.refused[len(self.session.recipients) - 1] = wanted
        return Answer(wanted)

    def refusal(self):
        """What the message is told when a recipient is deferred, or all are refused; None: it goes to the others."""
        replies = list(self.refused.values())
        deferred = [reply for reply in replies if reply[0] == "4"]
        if deferred or len(replies) < max(len(self.session.recipients), 1):
            return deferred[0] if deferred else None
        return replies[0]

    def end(self):
        refusal = self.refusal()
        wanted = refusal if len(self.refused) == max(len(self.session.recipients), 1) else self.reference()
        answer = self.door.run(self.session, self.session.recipients)
        self.lost = bool(refusal) and refusal != wanted
        self.give_up()
        self.compare(answer, refusal or wanted)
        if answer.reply == "ok":
            self.compare_message()
        return Answer(wanted)

    def give_up(self):
        self.ended += self.open and not self.lost
        self.open = False

    def rset(self):
        if self.open and self.refusal():
            self.compare(self.door.run(self.session, self.session.recipients), self.refusal())
        elif self.open:
            self.lost = True
        self.give_up()

    def close(self):
        self.lost = self.lost or self.open
        super().close()

    def on_mail(self, rest):
        self.lost = self.open
        super().on_mail(rest)

    def on_quarantine(self, rest):
        self.check(self.door.held == rest, f"quarantine: got {self.door.held}")

    def hold(self):
        pass

    def on_reply(self, rest):
        if self.answer.reply is None and not rest.startswith("ok"):
            self.cannot("reply held")
            return
        super().on_reply(rest)

    def compare_message(self):
        """It must be what the edits of the milter make of it."""
        envelope, message = self.door.queued
        edits = self.seen.edits[self.step.line]
        fields, body = applied(self.session.fields, self.session.body, edits)
        header, _, got_body = (b"\n" + message).partition(b"\n\n")
        header = (header + b"\n")[1:].decode("utf-8", "surrogateescape")
        self.door.held = None
        wanted_held = self.seen.held[self.step.line]
        if wanted_held is not None:
            first, header = header.split("\n", 1)
            while header.startswith((" ", "\t")):
                first, header = first + header.split("\n", 1)[0], header.split("\n", 1)[1]
            self.door.held = first.split(": ", 1)[1]
            header = re.sub(r"\AX-Sekisho-Recipients:.*\n([ \t].*\n)*", "", header)
            self.check(envelope.endswith(b"\0Theld@quarantine.example\0\0"), f"queue: held for {envelope}")
        else:
            self.compare_envelope(envelope, edits)
        lines = [f"{name}:{value}\n" for name, value in fields]
        lines.insert(sum(edit[:2] == ("insert", 0) for edit in edits), self.door.stamp(self.session).decode())  # ours are above
        wanted = "".join(lines)
        self.check(self.plain(header) == self.plain(wanted), f"queue: the header is\n{header}and should be\n{wanted}")
        self.check(got_body == body.replace(b"\r\n", b"\n"), f"queue: the body is {got_body}, should be {body}")

    def compare_envelope(self, envelope, edits):
        bare = self.door.bare
        sender = self.session.sender
        recipients = [bare(r) for i, r in enumerate(self.session.recipients) if i not in self.refused]
        for edit in edits:
            address = bare(edit[1].split(b"\0")[0].decode()) if edit[0] in ("e", "+", "-") else ""
            if edit[0] == "e":
                sender = address
            elif edit[0] == "+":
                recipients.append(address)
            elif edit[0] == "-":
                recipients = [r for r in recipients if r != address]
        wanted = b"".join(p.encode() + b"\0" for p in ["F" + bare(sender)] + ["T" + r for r in recipients]) + b"\0"
        self.check(envelope == wanted, f"queue: the envelope is {envelope}, should be {wanted}")


class PolicyPlayer(OtherPlayer):
    """Rules up to RCPT decide; the message is not seen, and what a milter decided there is not expected."""

    envelope_keys = ("verdict", "stage", "kind", "sender", "client", "helo", "rule", "reply", "tenant", "recipients")

    def why_not(self, case):
        said = [step.rest for step in case.steps if step.word in ("mail", "rcpt", "end")]
        twice = any(one and one == other for one, other in zip(said, said[1:]))
        return super().why_not(case) or ("twice" if twice else None)

    left_open = False  # a message that was given up has its record when the next one begins

    def begin(self, case):
        super().begin(case)
        self.decided = False
        self.apart = False  # a message was let through that a milter refused: what was counted since is another number

    def compare(self, got, wanted):
        wanted = wanted or "ok"
        if got.reply == "discard":
            return
        if self.apart and got.reply != wanted:
            self.cannot("message")
            return
        if is_refusal(wanted):
            self.check(got.reply[:3] == wanted[:3] and self.plain(reply_text(got.reply)) == self.plain(reply_text(wanted)),
                       f"policy: expected {wanted}, got {got.reply}")
        else:
            self.check(got.reply == wanted, f"policy: expected {wanted}, got {got.reply}")

    def mail(self):
        self.ended += self.left_open
        self.left_open = False
        answer, wanted = self.door.mail(self.session), self.reference()
        self.compare(answer, wanted)
        self.decided = answer.reply != "ok"
        if self.decided:
            self.give_up()
        return Answer(wanted)

    def rcpt(self):
        answer, wanted = self.door.rcpt(self.session), self.reference()
        self.compare(answer, wanted)
        if answer.reply == "discard" and not self.decided:
            self.decided = True
            self.give_up()
        return Answer(wanted)

    def end(self):
        answer = self.door.end(self.session)
        stage, wanted = self.seen.stages[self.step.line], self.reference()
        self.give_up()
        if stage == "message":
            self.cannot("message")
            self.apart |= is_refusal(wanted)
            self.check(answer.reply == "ok", f"policy: expected nothing at DATA, got {answer.reply}")
        elif wanted == "discard":
            self.check(answer.reply == "discard", f"policy: expected discard, got {answer.reply}")
        else:
            self.compare(answer, wanted)
        self.decided = stage != "message" and stage is not None
        return Answer(wanted)

    def lose(self):
        self.left_open |= self.open
        self.lost, self.open = self.lost or self.open, False

    rset = lose

    def close(self):
        self.lose()
        super().close()

    def on_mail(self, rest):
        self.lose()
        super().on_mail(rest)

    def promised(self, key):
        return self.decided and key in self.envelope_keys

    def on_quarantine(self, rest):
        if self.decided:
            self.check(self.door.held == rest, f"quarantine: got {self.door.held}")
        else:
            self.cannot("message")


class EximPlayer(PolicyPlayer):
    """Both doors of Exim. A message for which it cannot do what was decided is deferred."""

    def begin(self, case):
        super().begin(case)
        self.deferred = False

    def promised(self, key):
        if self.deferred or key in ("told", "queue-id", "daemon-name"):
            self.cannot("what cannot be done" if self.deferred else key)
            return False
        return True

    def unable(self):
        kinds = {edit[0] for edit in self.seen.edits[self.step.line]}
        return bool(kinds & {"e", "+", "-", "b"}) or self.seen.held[self.step.line] is not None

    def why_not(self, case):
        return super().why_not(case) or ("field" if has_broken_field(case) else None)

    def mail(self):
        self.deferred = False
        self.session.accepted = []
        return super().mail()

    def rcpt(self):
        answer = super().rcpt()
        if not is_refusal(answer.reply):
            self.session.accepted.append(self.session.recipients[-1])
        return answer

    def end(self):
        answer, wanted = self.door.end(self.session), self.reference()
        self.give_up()
        self.deferred = self.unable()
        if self.deferred:
            self.cannot("quarantine" if self.seen.held[self.step.line] is not None else "envelope, body")
            self.check(is_refusal(answer.reply) and answer.reply[0] == "4", f"exim: expected 451, got {answer.reply}")
            return Answer(wanted)
        if wanted == "discard":
            self.check(answer.reply == "discard", f"exim: expected discard, got {answer.reply}")
        else:
            self.compare(answer, wanted)
        if answer.reply == "ok":
            self.compare_header()
        return Answer(wanted)

    def compare_header(self):
        """Of each name it must have what the edits of a milter leave; the order of names is another."""
        def by_name(fields):
            names = collections.defaultdict(list)
            for name, value in fields:
                names[name.strip().lower()].append(self.plain(value.strip()))
            return names
        wanted, _ = applied(self.session.fields, b"", self.seen.edits[self.step.line])
        got = self.door.changed(self.session.fields)
        self.check(by_name(got) == by_name(wanted), f"exim: the header has {by_name(got)}, and should have {by_name(wanted)}")

    def on_quarantine(self, _):
        self.cannot("quarantine")

    def on_change(self, _):
        self.cannot("indexes")

    on_no_more_changes = on_change


def player(door, cases, host, seen):
    """A player for the door of that name. The native milter comes first: it fills `seen`."""
    if door == "policy":
        return PolicyPlayer(cases, host, PolicyDoor(host.policy), seen)
    if door == "exim":
        return EximPlayer(cases, host, EximDoor(host.policy, host.rspamc), seen)
    if door == "queue":
        return QueuePlayer(cases, host, QueueDoor(host.milter, host.directory), seen)
    return Player(cases, host, MilterDoor(host.milter), seen if door == "native" else None)
