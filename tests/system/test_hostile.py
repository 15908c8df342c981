"""What no mail server sends: the daemon answers or hangs up, lives, and serves the next one."""
import random
import re
import socket
import struct
import threading
import time

import pytest

import miltc
from mta import wait_for

SETTINGS = """
record { facts all }
"""

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.1 "refused %{sender}"            if sender matches /^refused@/
  }
  on rcpt {
    reject 550 5.1.1 "nobody is %{recipient}"       if recipient matches /^nobody@/
  }
  on message {
    add-header X-Subject "%{header(Subject)}"
    prefix-subject "[x] "
    delete-header X-Remove
    log "from %{header(From)}"
    reject 550 5.7.1 "%{header(X-Reply)}"           if header("X-Reply") matches /./
  }
}
"""

FIELDS = [("From", " Alice <alice@pass.example.net>"), ("Subject", " hello")]
MESSAGE_TOO_LARGE = "552"


@pytest.fixture(autouse=True)
def it_lives(daemon):
    """After each test the daemon is the same process and judges a message as before."""
    process = daemon.process.pid
    yield
    assert daemon.alive() and daemon.process.pid == process, daemon.errors()
    with miltc.Milter() as m:
        m.greet()
        assert m.message("<refused@pass.example.net>").text.endswith("refused refused@pass.example.net")
        assert m.message("<alice@pass.example.net>").what == "continue"
        assert ("insert", 0, "Authentication-Results") in [edit[:3] for edit in m.edits()]
        m.quit()


def fine(answer):
    """Some answer that a mail server understands."""
    return answer is None or answer.what in miltc.CODES.values()


# ---- the envelope


SENDERS = [
    "", "<", ">", "<>", "<<>>", "<@>", "<a@>", "<@b>", "<a@b@c>", "< alice@pass.example.net >", "alice@pass.example.net",
    '<"a b"@pass.example.net>', '<"a@b"@pass.example.net>', '<"a\\"b"@pass.example.net>', '<"unclosed@pass.example.net>',
    "<alice(comment)@pass.example.net>", "<@a,@b:alice@pass.example.net>", "<alice@pass.example.net> SIZE=1",
    "<alice@[203.0.113.5]>", "<alice@[IPv6:2001:db8::5]>", "<alice@[>",
    "<alice@pass.example.net.>", "<alice@pass..example.net>", "<alice@.>", "<alice@-a.example>",
    "<" + "a" * 1000 + "@pass.example.net>", "<" + "x" * 60000 + "@pass.example.net>", '<"' + "\\" * 4001 + '"@x.example>',
    "<alice@" + "a." * 500 + "net>", "<alice@" + "x" * 300 + ">", "<" + "a@" * 5000 + "b>", "<" + "@a," * 3000 + ":b@c>",
    b"<\xff\xfe@pass.example.net>", "<jürgen@exämple.net>", b"<j\xfcrgen@ex\xe4mple.net>",
    "<a\r\nb@pass.example.net>", "<a\x01\x7f@pass.example.net>", "<alice%d%s%n@pass.example.net>",
]


@pytest.mark.parametrize("sender", SENDERS, ids=lambda sender: repr(sender)[:40])
def test_any_sender_gets_an_answer(daemon, sender):
    before = len(daemon.records())
    with miltc.Milter() as m:
        m.greet()
        assert fine(m.message(sender, recipients=("<bob@example.org>", sender)))
        m.quit()
    assert wait_for(lambda: len(daemon.records()) > before, seconds=5), "a message without a record"


HELOS = [
    "", " ", "[203.0.113.5]", "[", "a" * 1000, "a." * 500, "x" * 60000, b"\xff\xfe\x01", "%s%n%d",
    "a b;c=d\r\nX: y", "xn--", "-", ".",
]


@pytest.mark.parametrize("helo", HELOS, ids=lambda helo: repr(helo)[:30])
def test_any_helo_gets_an_answer(daemon, helo):
    with miltc.Milter() as m:
        m.greet(helo=helo)
        assert m.message().what == "continue"
        for edit in m.edits():
            assert "\r" not in edit[-1] and "\0" not in edit[-1]


CLIENTS = [
    ("localhost", None, None),
    ("unknown", "0", b"4"),
    ("x", "999.1.2.3", b"4"),
    ("x", "", b"4"),
    ("x", "::ffff:203.0.113.5", b"6"),
    ("x", "IPv6:2001:db8::5", b"6"),
    ("x", "2001:db8:0:0:0:0:0:5", b"6"),
    ("x", ":::::", b"6"),
    ("x", "/var/run/socket", b"L"),
    ("x", "203.0.113.5", b"?"),
    ("n" * 5000, "203.0.113.5", b"4"),
    (b"\xff\xfe", "203.0.113.5", b"4"),
    ("%s%n", "203.0.113.5", b"4"),
]


@pytest.mark.parametrize("name, address, family", CLIENTS, ids=lambda value: repr(value)[:30])
def test_any_client_gets_an_answer(daemon, name, address, family):
    with miltc.Milter() as m:
        m.negotiate()
        try:
            assert fine(m.connect(name, address, family=family))
            m.helo("mail.example.net")
            assert fine(m.message())
        except miltc.Closed:
            pass  # libmilter hangs up on an invalid address


def test_an_ipv4_mapped_client_is_the_ipv4_client(daemon, token):
    with miltc.Milter() as m:
        m.negotiate()
        m.connect("mail.example.net", "::ffff:203.0.113.5", family=b"6")
        m.helo("mail.example.net")
        assert m.message(f"<{token}@pass.example.net>").what == "continue"
    record = daemon.record(sender=f"{token}@pass.example.net")
    assert record["client"] == "203.0.113.5" and record["facts"]["spf"] == "pass"


def test_more_recipients_than_are_kept_are_deferred(daemon):
    with miltc.Milter(timeout=60) as m:
        m.greet()
        m.mail("<alice@pass.example.net>")
        answers = [m.rcpt(f"<user{n}@example.org>").text[:9] for n in range(10005)]
        assert answers[9999] == "" and answers[10001] == "452 4.5.3"
        m.data()
        m.fields(FIELDS)
        m.eoh()
        assert m.end().what == "continue"


# ---- the header


def test_a_long_field_is_taken(daemon):
    with miltc.Milter() as m:
        m.greet()
        assert m.message(headers=FIELDS + [("X-Long", " " + "y" * 60000)]).what == "continue"


def test_a_field_of_a_megabyte_is_refused_or_hung_up_on(daemon):
    with miltc.Milter() as m:
        m.greet()
        try:
            answer = m.message(headers=FIELDS + [("X-Long", " " + "y" * (1 << 20))])
            assert answer.text.startswith(MESSAGE_TOO_LARGE) or answer.what == "tempfail"
        except miltc.Closed:
            pass  # libmilter reads 64 KB at a time and hangs up


def test_a_header_over_a_megabyte_is_refused_at_its_end(daemon, token):
    with miltc.Milter() as m:
        m.greet()
        answer = m.message(f"<{token}@pass.example.net>", headers=FIELDS + [("X-Long", " " + "y" * 60000)] * 20)
        assert answer.text.startswith(MESSAGE_TOO_LARGE)
    assert daemon.record(sender=f"{token}@pass.example.net")["verdict"] == "reject"


def test_ten_thousand_fields_are_refused_at_their_end(daemon):
    with miltc.Milter() as m:
        m.greet()
        started = time.monotonic()
        assert m.message(headers=FIELDS + [(f"X-{n}", " y") for n in range(10000)]).text.startswith(MESSAGE_TOO_LARGE)
        assert time.monotonic() - started < 10
        assert m.message().what == "continue"


def test_five_thousand_fields_are_judged_in_time(daemon):
    with miltc.Milter() as m:
        m.greet()
        started = time.monotonic()
        fields = FIELDS + [("X-Remove", " y")] * 2000 + [("Authentication-Results", " mx.example.org; spf=pass")] * 2900
        assert m.message(headers=fields).what == "continue"
        assert time.monotonic() - started < 10
        assert len(m.edits()) >= 4900


def test_comments_without_end_cost_no_time(daemon):
    values = ["(" * 60000, "((" * 20000 + ")" * 20000 + " mx.example.org; x", "(\\" * 20000, '"' * 60001,
              " mx.example.org" * 4000, "\t\n " * 20000]
    with miltc.Milter() as m:
        m.greet()
        started = time.monotonic()
        assert m.message(headers=FIELDS + [("Authentication-Results", value) for value in values] * 2).what == "continue"
        assert time.monotonic() - started < 8


FIELDS_ODD = [
    ("Subject", b" \xff\xfe\x80 8-bit"),
    ("Subject", b" \x01\x02\x1b[31m"),
    ("Subject", " a\r\nX-Evil: b"),
    ("Subject", " a\nX-Evil: b"),
    ("Subject", " a\rX-Evil: b"),
    ("Subject", " %s%n%{spf}%%"),
    ("Subject", "\n" * 30000),
    ("Subject", " =?utf-8?b?" + "A" * 60000 + "?="),
    ("Sub ject", " x"),
    ("X" * 60000, " x"),
    (b"\xff\xfe", " x"),
    ("X-Empty", ""),
    ("", ""),
    ("", " x"),
    ("From", " <<<>>>\"\\"),
    ("Authentication-Results", b"\xff mx.example.org; spf=pass"),
    ("Authentication-Results ", " mx.example.org; spf=pass"),
]


@pytest.mark.parametrize("name, value", FIELDS_ODD, ids=lambda value: repr(value)[:30])
def test_any_field_gets_an_answer(daemon, name, value):
    with miltc.Milter() as m:
        m.greet()
        try:
            assert fine(m.message(headers=[("From", " a@b"), (name, value), (name, value)]))
        except miltc.Closed:
            assert not name, "libmilter hangs up on a field without a name"
        for edit in m.edits():
            assert "\nX-Evil" not in edit[-1] and "\r" not in edit[-1]


VALUES = [b" a\r\n550 c", b" \xff\xfe", b" " + b"x" * 60000, b" %s %n %%", b" \x00", b" \x1b[2J", "grüße"]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_what_comes_from_outside_is_made_safe_for_a_reply(daemon, value):
    with miltc.Milter() as m:
        m.greet()
        answer = m.message(headers=FIELDS + [("X-Reply", value)])
    assert answer.what in ("reply", "reject", "continue")
    for line in answer.text.split("\r\n"):
        assert len(line) <= 510 and all(" " <= c <= "~" for c in line), line


PACKETS = [
    (b"L", b"Subject\0 a\0b\0c\0"), (b"L", b"Sub"), (b"L", b""), (b"L", b"\0\0\0\0"),
    (b"M", b""), (b"M", b"\0"), (b"M", b"<a\0b@c>\0"), (b"R", b"\0\0\0"),
    (b"H", b"a\0b\0"), (b"H", b""), (b"C", b""), (b"C", b"a\0"), (b"C", b"a\x004"), (b"C", b"a\x004\0"),
    (b"D", b""), (b"D", b"M"), (b"D", b"Mi\0\0"), (b"B", b"\0" * 65535),
]


def test_nul_bytes_and_cut_packets_harm_nobody(daemon):
    for command, data in PACKETS:
        with miltc.Milter(timeout=3) as m:
            m.greet()
            m.mail("<alice@pass.example.net>")
            try:
                m.packet(command, data)
                m.packet(b"R", b"<bob@example.org>\0")
                m.packet(b"E", b"")
                m.quit()
                while True:
                    m.read()
            except (miltc.Closed, socket.timeout):
                pass


# ---- the protocol


STEPS = ["negotiate", "connect", "helo", "mail", "rcpt", "rcpt", "data", "header", "header", "eoh", "body", "body",
         "end", "abort", "mail", "rcpt", "quit"]
ARGUMENTS = {
    "connect": ("mail.example.net", "203.0.113.5"),
    "helo": ("mail.example.net",),
    "mail": ("<alice@pass.example.net>",),
    "rcpt": ("<bob@example.org>",),
    "header": ("Subject", " hello"),
    "body": (b"x" * 60000,),
}


def step(m, name):
    return getattr(m, name)(*ARGUMENTS.get(name, ()))


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_client_may_go_at_every_point(daemon, reset):
    for count in range(len(STEPS) + 1):
        m = miltc.Milter()
        for name in STEPS[:count]:
            step(m, name)
        if reset:
            m.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        m.close()


def test_a_client_may_go_in_the_middle_of_a_packet(daemon):
    for count in range(1, len(STEPS)):
        m = miltc.Milter()
        for name in STEPS[:count]:
            step(m, name)
        m.socket.sendall(struct.pack("!I", 100) + b"L" + b"Sub")
        m.close()


def test_a_client_may_go_before_it_reads_the_answer(daemon):
    for _ in range(30):
        m = miltc.Milter()
        m.greet()
        m.packet(b"M", b"<alice@slow.example.net>\0")
        m.packet(b"R", b"<bob@example.org>\0")
        m.packet(b"E", b"")
        m.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        m.close()


NONSENSE = [
    b"", b"\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1O", b"\0\0\0\5O\0\0\0\6", b"EHLO x\r\n", b"\x7f\xff\xff\xffO",
    b"\0\0\0\1Q", b"\0\0\0\1\0", b"\0\0\0\rO" + b"\xff" * 12, b"\0\0\0\rO" + b"\0" * 12,
]


@pytest.mark.parametrize("data", NONSENSE)
def test_nonsense_instead_of_a_negotiation_is_hung_up_on(daemon, data):
    with miltc.Milter(timeout=2) as m:
        try:
            m.socket.sendall(data)
            m.socket.shutdown(socket.SHUT_WR)
            while m.socket.recv(65536):
                pass
        except (OSError, socket.timeout):
            pass


def test_commands_in_any_order_harm_nobody(daemon):
    dice = random.Random(7208)
    names = sorted(set(STEPS) - {"negotiate", "quit"}) + ["unknown"]
    for _ in range(30):
        with miltc.Milter(timeout=0.2) as m:
            try:
                m.negotiate()
                for name in dice.choices(names, k=30):
                    assert fine(m.say("unknown", b"FOO\0") if name == "unknown" else step(m, name))
            except (miltc.Closed, socket.timeout):
                pass  # libmilter hangs up, or answers nothing, when a command is out of order


OFFERS = [
    (2, 0x3F, 0x7F), (3, 0x3F, 0x3FF), (4, 0x1FF, 0x3FF),
    (6, 0x1FF, 0), (6, 0, 0x1FFFFF), (6, 0x1FF, 0x1FFFFF), (6, 0xFFFFFFFF, 0x0FFFFFFF), (6, 0x11, 0x80), (7, 0x1FF, 0x1FFFFF),
]


@pytest.mark.parametrize("version, actions, protocol", OFFERS)
def test_less_or_more_may_be_offered(daemon, version, actions, protocol):
    with miltc.Milter() as m:
        try:
            _, got_actions, got_protocol, _ = m.negotiate(actions, protocol, version)
        except miltc.Closed:
            assert actions == 0 or version < 6, "a full offer must be taken"
            return
        actions = actions or miltc.VERSION_1_ACTIONS  # so libmilter reads an offer of nothing
        assert got_actions & ~actions == 0 and got_protocol & ~protocol == 0, "it asks for what was not offered"
        m.connect("mail.example.net", "203.0.113.5")
        m.helo("mail.example.net")
        assert m.message("<refused@pass.example.net>").what == "reply"
        answer = m.message()
        if got_actions & miltc.CHANGE_HEADER:
            assert answer.what == "continue"
        else:
            assert answer.text.startswith("451"), "a Subject that cannot be changed as the policy says"


def test_the_negotiation_follows_from_the_policy(daemon):
    with miltc.Milter() as m:
        _, actions, protocol, macros = m.negotiate()
    assert protocol & miltc.LEADING_SPACE, "leading spaces are kept"
    assert not protocol & (miltc.NO_COMMAND["header"] | miltc.NO_REPLY["mail"] | miltc.NO_REPLY["rcpt"])
    for command in ("connect", "helo", "header", "body"):
        assert protocol & miltc.NO_REPLY[command], command
    assert {"{auth_authen}", "{auth_type}"} <= set(macros["mail"])
    assert {"{daemon_name}", "{daemon_port}"} <= set(macros["connect"])


def test_macros_of_any_kind_are_taken(daemon):
    with miltc.Milter() as m:
        m.negotiate()
        m.packet(b"D", b"C" + b"".join(b"{m%d}\0%s\0" % (n, b"v" * 100) for n in range(500)))
        m.macros("connect", daemon_port="99999999999999999999", daemon_name=b"\xff" * 5000, client_name="")
        m.connect("mail.example.net", "203.0.113.5")
        m.macros("helo", tls_version="x" * 30000, cipher="\r\n")
        m.helo("mail.example.net")
        m.macros("mail", auth_authen="a" * 30000, auth_type=b"\xff\x01", i="id" * 1000)
        assert fine(m.message())


# ---- many at once, and for long


def test_many_messages_in_one_session(daemon, token):
    with miltc.Milter() as m:
        m.greet()
        for number in range(500):
            sender, what = ("refused", "reply") if number % 3 == 0 else (token, "continue")
            assert m.message(f"<{sender}@pass.example.net>").what == what
    mine = [r for r in daemon.records() if r["sender"] == f"{token}@pass.example.net"]
    assert len(mine) == 333


def test_32_sessions_at_once(daemon):
    wrong = []

    def session(number):
        try:
            for _ in range(3):
                with miltc.Milter() as m:
                    m.greet()
                    for turn in range(10):
                        sender, what = ("refused", "reply") if (number + turn) % 2 else (f"user{turn}", "continue")
                        answer = m.message(f"<{sender}@pass.example.net>")
                        if answer.what != what:
                            wrong.append(answer)
        except Exception as error:  # a thread has no other way to report
            wrong.append(error)
    threads = [threading.Thread(target=session, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_it_does_not_grow(daemon):
    """Large messages for a while; the memory of a message is given back."""
    with open(f"/proc/{daemon.process.pid}/maps") as f:
        if re.search("lib[at]san", f.read()):
            pytest.skip("a sanitizer keeps memory by itself")
    def grow(count):
        with miltc.Milter() as m:
            m.greet()
            for _ in range(count):
                assert m.message(headers=FIELDS + [("X-Long", " " + "y" * 60000)] * 16).what == "continue"
        with open(f"/proc/{daemon.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    first = grow(10)
    assert grow(60) - first < 20000, "kilobytes"
