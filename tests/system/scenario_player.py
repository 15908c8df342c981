"""Plays the cases of scenarios (scenarios.py) as a mail server with a milter."""
import collections
import json

from scenario_doors import Answer, Session
from scenarios import FILES, Left, shown


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
