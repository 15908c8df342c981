"""The scenarios of tests/scenarios, played through a door of the real daemon.

read() makes cases of a file, applied() a message of edits. A player (scenario_player.py, for doors that are not a milter
scenario_others.py) plays them with one daemon and one door: it says what a mail server would say through
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
import os
import re

import sekisho

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


class Left(Exception):
    """A case cannot be played, for the reason in it."""


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
