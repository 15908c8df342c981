"""Both engines of the milter door are the same for a mail server: 5000 seeded sessions are played to each, and every byte of
the answers, every change and every record is compared."""
import json
import random
import struct

import pytest

import miltc
import sekisho
from mta import wait_for

ENGINES = ("libmilter",)  # the daemon of the other engine is started here
ROUNDS, SESSIONS = 10, 500

POLICY = """
policy inbound {
  on connect { reject 554 5.7.1 "Not you"  if client is "198.51.100.66" }
  on helo { defer 450 4.7.1 "Odd name" "come again"  if helo is "odd.example.net" }
  on mail {
    reject 550 5.7.1 "No 100%% %{sender}"  if sender is "refused@pass.example.net"
    defer 451 4.7.1 "Wait" "a" "little"  if sender is "deferred@pass.example.net"
    discard  if sender is "discarded@pass.example.net"
  }
  on rcpt {
    reject 550 5.1.1 "Nobody"  if recipient is "nobody@example.org"
    defer 452 4.2.2 "Full"  if recipient is "full@example.org"
  }
  on message {
    reject 554 5.7.1 "%{header(X-Reply)}" "second"  if header(X-Do) is "reject"
    defer 451 4.7.0 "later"  if header(X-Do) is "defer"
    discard  if header(X-Do) is "discard"
    quarantine "odd %{header(X-Reply)}"  if header(X-Do) is "hold"
    set-sender "other@example.org"  if header(X-Do) is "sender"
    add-recipient "copy@example.org"  if header(X-Do) is "copy"
    delete-recipient "bob@example.org"  if header(X-Do) is "less"
    replace-header Subject "new"  if header(X-Do) is "subject"
    delete-header X-Remove
    prefix-subject "[x] "  if header(X-Do) is "prefix"
    add-header X-Login "%{auth.user}"  if auth
    footer "A footer."  if header(X-Do) is "footer"
  }
}
policy submission { on message { add-header X-Login "%{auth.user}" } }
"""

OFFERS = [(6, 0x1FF, 0x1FFFFF)] * 6 + [(2, 0x3F, 0x7F), (3, 0x3F, 0x3FF), (4, 0x1FF, 0x3FF), (6, 0x1FF, 0x7F), (6, 0x1F, 0x1FFFFF),
                                       (6, 0x1FF, 0x1FFFFF & ~0x400), (6, 0xFF, 0x1FFFFF & ~0x10), (6, 0, 0), (7, 0x3FF, 0x0FFFFFFF)]
CLIENTS = [("mail.example.net", b"4", "203.0.113.5"), ("six.example.net", b"6", "2001:db8::5"), ("six", b"6", "IPv6:2001:db8::6"),
           ("localhost", b"4", "127.0.0.1"), ("localhost", b"U", None), ("unknown", b"4", "198.51.100.66"), ("x", b"L", "/run/x"),
           (b"\xff\xfe", b"4", "203.0.113.9"), ("n" * 300, b"4", "203.0.113.5")]
HELOS = ["mail.example.net", "odd.example.net", "[203.0.113.5]", "", "x" * 400, b"\xff\xfe"]
SENDERS = ["<alice@pass.example.net>"] * 4 + ["<>", "<refused@pass.example.net>", "<deferred@pass.example.net>", "alice",
                                              "<discarded@pass.example.net>", "<a@b@c>", '<"odd one"@pass.example.net>', "<x@fail.example.net>"]
RECIPIENTS = ["<bob@example.org>"] * 4 + ["<nobody@example.org>", "<full@example.org>", "<carol@example.org>", "bob", "<a b>"]
DO = ["", "", "reject", "defer", "discard", "hold", "sender", "copy", "less", "subject", "prefix", "footer"]
FIELDS = [("Subject", " hello"), ("Subject", " =?utf-8?q?h?="), ("X-Remove", " a"), ("X-Remove", " b"), ("To", " bob@example.org,\n\tx@y"),
          ("X-Long", " " + "y" * 5000), ("X-Odd", b" \xff\x01 %s"), ("X-Empty", ""), ("Authentication-Results", " mx.example.org; spf=pass"),
          ("X-Reply", " 100% sure"), ("Date", " Fri, 27 Nov 2026 10:00:00 +0000"), ("Message-ID", " <1@x>")]


def text(*values):
    return b"".join(miltc.octets(value) + b"\0" for value in values)


def message(dice, name):
    """The commands of one message: (letter, data). Both MTAs always send some macro at MAIL and RCPT; libmilter takes a list
    without any for no list, and still has that of the message before."""
    macros = text("{mail_mailer}", "smtp") + (text("i", name) if dice.random() < 0.3 else b"")
    macros += text("{mail_addr}", "alice@pass.example.net") if dice.random() < 0.2 else b""
    macros += text("{auth_authen}", "alice", "{auth_type}", "PLAIN") if dice.random() < 0.2 else b""
    yield b"D", b"M" + macros
    yield b"M", text(dice.choice(SENDERS), *(["SIZE=1000", "SMTPUTF8"][:dice.randrange(3)]))
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        yield b"D", b"R" + text("{rcpt_mailer}", "local") + (text("{rcpt_addr}", "bob") if dice.random() < 0.1 else b"")
        yield b"R", text(dice.choice(RECIPIENTS))
        if dice.random() < 0.05:
            yield b"A", b""
            return
    yield b"D", b"T" + text("i", name)
    yield b"T", b""
    fields = [("From", " Alice <alice@pass.example.net>"), ("X-Do", " " + dice.choice(DO)), *dice.choices(FIELDS, k=dice.randrange(6))]
    for field in fields:
        yield b"L", text(*field)
    yield b"N", b""
    body = dice.randbytes(dice.choice((0, 10, 100, 5000, 70000))).replace(b"\0", b" ")
    while len(body) > 65535 or (body and dice.random() < 0.8):
        piece, body = body[:65535], body[65535:]
        yield b"B", piece
    yield b"D", b"E" + text("i", name)
    yield b"E", body


def session(seed):
    """The offer, and the commands of one session."""
    dice = random.Random(seed)
    offer = dice.choice(OFFERS)
    name, family, address = dice.choice(CLIENTS)
    commands = [(b"D", b"C" + text("j", "mx.example.org", "{daemon_name}", "MX", "{daemon_port}", dice.choice(("25", "587", "0")))
                 + (text("{client_name}", name, "{client_resolve}", dice.choice(("OK", "FAIL"))) if dice.random() < 0.5 else b"")),
                (b"C", text(name) + family + (struct.pack("!H", 4321) + text(address) if address is not None else b""))]
    for turn in range(dice.choice((1, 1, 1, 2, 3))):
        if turn == 0 or dice.random() < 0.3:
            commands.append((b"D", b"H" + (text("{tls_version}", "TLSv1.3", "{cipher}", "X") if dice.random() < 0.3 else b"")))
            commands.append((b"H", text(dice.choice(HELOS))))
        commands += message(dice, f"s{seed}m{turn}")
        if dice.random() < 0.7:
            commands.append((b"A", b""))
    if dice.random() < 0.1:
        commands = commands[:dice.randrange(len(commands))]
    if dice.random() < 0.8:
        commands.append((b"Q", b""))
    return offer, commands


COMMANDS = {code: command for command, code in miltc.COMMANDS.items()}


def begins(letter, data):
    """Does the next message, or the end, begin here?"""
    return letter == b"Q" or (letter == b"D" and data[:1] in b"HM")


def converse(m, commands, said):
    """As an MTA does: a refused message is over, and so is one without recipients."""
    refused, kept = False, 0
    for letter, data in commands:
        command = COMMANDS.get(letter)
        if begins(letter, data):
            refused, kept = False, 0
        if letter == b"T" and kept == 0 and not refused:
            m.abort()
            refused = True
        if refused or m.protocol & miltc.NO_COMMAND.get(command, 0):
            continue
        m.packet(letter, data)
        answer = (b"c", b"")
        if command and not m.protocol & miltc.NO_REPLY.get(command, 0):
            answer = m.read()
            said.append(answer)
            while answer[0] not in miltc.CODES:
                answer = m.read()
                said.append(answer)
        if letter == b"R":
            kept += answer[0] == b"c"
        elif answer[0] not in b"cs":
            m.abort()
            refused = True


def play(port, seed):
    """Every packet that comes back, in order."""
    offer, commands = session(seed)
    said = []
    with miltc.Milter(("127.0.0.1", port), timeout=10) as m:
        try:
            m.packet(b"O", struct.pack("!III", *offer))
            said.append(m.read())
            m.protocol, = struct.unpack("!I", said[0][1][8:12])
            converse(m, commands, said)
            if commands[-1:] == [(b"Q", b"")]:
                said.append(m.read())
        except miltc.Closed:
            said.append("closed")
        except TimeoutError:
            said.append("no answer")
    return said


# How libmilter's door finds out that a piece of the body came with the end of the message: it deletes a field that is not there.
PROBE = (b"m", b"\0\0\0\1X-Sekisho-No-Field\0\0")
DIFFERENT = {"time", "case", "total-us", "dns-us"}  # of each message, not of the engine


def told(daemon, since):
    """The records after the first `since`, as texts that do not depend on the daemon, in an order that does not."""
    kept = [{key: value for key, value in record.items() if key not in DIFFERENT} for record in daemon.read_records()[since:]]
    return sorted(json.dumps(record, sort_keys=True).replace(daemon.directory, "") for record in kept)


@pytest.fixture(scope="module")
def two(nameserver, module_directory):
    with sekisho.Daemon(module_directory + "/libmilter", POLICY) as one, \
            sekisho.Daemon(module_directory + "/native", POLICY, listen="inet:8892@127.0.0.1 engine native") as other:
        yield one, other


@pytest.mark.parametrize("number", range(ROUNDS))
def test_both_engines_say_the_same(two, number):
    before = [len(daemon.read_records()) for daemon in two]
    for seed in range(number * SESSIONS, (number + 1) * SESSIONS):
        one, other = [packet for packet in play(8891, seed) if packet != PROBE], play(8892, seed)
        assert one == other, f"session {seed}: {session(seed)}"
    assert wait_for(lambda: len({len(daemon.read_records()) - n for daemon, n in zip(two, before)}) == 1, seconds=10)
    one, other = (told(daemon, n) for daemon, n in zip(two, before))
    assert one == other
    assert len(one) > SESSIONS / 2
