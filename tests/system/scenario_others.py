"""Plays the cases of scenarios (scenarios.py) through each door, and those that are not a milter beside what a milter saw."""
import collections
import re

from scenario_doors import Answer, EximDoor, MilterDoor, PolicyDoor, QueueDoor
from scenario_player import Player, is_refusal
from scenarios import applied


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


def player_of(door, cases, host, seen):
    """A player for the door of that name. The native milter comes first: it fills `seen`."""
    if door == "policy":
        return PolicyPlayer(cases, host, PolicyDoor(host.policy), seen)
    if door == "exim":
        return EximPlayer(cases, host, EximDoor(host.policy, host.rspamc), seen)
    if door == "queue":
        return QueuePlayer(cases, host, QueueDoor(host.milter, host.directory), seen)
    return Player(cases, host, MilterDoor(host.milter), seen if door == "native" else None)
