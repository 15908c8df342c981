"""DNS lists that nobody asked before: eight of them, 20 ms for each question."""
import re
import socket
import statistics
import struct
import time

import miltc  # of tests/system; world.py has said where that is
from figures import wanted
from subjects import Missing, Subject
from world import Dns

DELAY_MS, LISTS = 20, 8
ANSWER = 1.2  # times one question, from CONNECT to the answer to MAIL
POLICY = "".join(f"dnsbl list{n} {{ zone list{n}.example }}\n" for n in range(LISTS)) + (
    'policy inbound {\n  on mail {\n    reject 550 5.7.1 "listed"  if dnsbl.score > 0\n  }\n}\n')
MESSAGE = [("From", " a@example.net"), ("Subject", " hello"), ("Message-ID", " <1@example.net>")]


def clients(count):
    return [f"198.51.{n // 250}.{n % 250 + 1}" for n in range(100 * 250, 100 * 250 + count)]


def greet(m, client):
    m.macros("connect", j="mx.example.org", daemon_name="MX", daemon_port=25)
    m.connect("mail.example.net", client)
    m.helo("mail.example.net")


def to_mail(path, client):
    """Milliseconds from CONNECT to the answer to MAIL."""
    with miltc.Milter(path) as m:
        m.negotiate()
        start = time.monotonic()
        greet(m, client)
        assert m.mail("<alice@example.net>").what == "continue"
        return 1000 * (time.monotonic() - start)


def to_end(path, client):
    """Milliseconds from CONNECT to the answer to a short message."""
    with miltc.Milter(path) as m:
        m.negotiate()
        start = time.monotonic()
        greet(m, client)
        m.mail("<alice@example.net>")
        m.rcpt("<bob@example.org>")
        m.data()
        for name, value in MESSAGE:
            m.header(name, value)
        m.eoh()
        m.body("Hello.\r\n")
        assert m.end().what in ("continue", "accept")
        return 1000 * (time.monotonic() - start)


def plain(count, together):
    """Milliseconds until questions that nobody asked before are answered, so many at once, by a plain UDP socket."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", 53))
        udp.settimeout(5)
        for n in range(count):
            start = time.monotonic()
            for k in range(together):
                labels = (b"q%d-%d" % (n, together), b"list%d" % k, b"example")
                name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
                udp.send(struct.pack("!6H", 8 * n + k + 1, 0x100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1))
            for _ in range(together):
                udp.recv(512)
            found.append(1000 * (time.monotonic() - start))
    return found


def sekisho(bench):
    def edit(text):
        return re.search(r"^listen .*$", text, re.M).group() + "\nauthentication-results off\n" + POLICY
    return bench.house.sekisho("sekisho", "lists", edit=edit)


def rspamd(bench):
    process = bench.house.rspamd_small("rspamd-rbl", "rbl-plugins", ("rbl",))
    return Subject("rspamd, rbl", [], [process])


def quantiles(found):
    return {"p50": statistics.median(found), "p90": statistics.quantiles(found, n=10)[-1]}


def dns_lists(bench):
    """Eight DNS lists, none asked before: from CONNECT to the answer to MAIL, when each question takes 20 ms."""
    count = 40 if bench.quick else 150
    bench.dns.stop()
    bench.dns = Dns(bench.world, bench.run_dir, DELAY_MS)
    found = {}
    try:
        found["one question, by a plain socket"] = quantiles(plain(count, 1))
        found["eight at once, by a plain socket"] = quantiles(plain(count, LISTS))
        for name, make, how in (("sekisho, to the answer to MAIL", sekisho, to_mail),
                                ("rspamd's rbl module, to the end of the message", rspamd, to_end)):
            try:
                subject = make(bench).ready()
            except (Missing, RuntimeError, OSError) as error:
                bench.skip(name, error)
                continue
            try:
                time.sleep(1)  # the lists were tested, and the program is warm
                found[name] = quantiles([how(subject.sockets[0], client) for client in clients(count)])
            except OSError as error:
                bench.skip(name, error)
            finally:
                subject.stop()
    finally:
        bench.dns.stop()
        bench.dns = Dns(bench.world, bench.run_dir)
    bench.numbers["dnsbl"] = found
    one = found["one question, by a plain socket"]["p50"]
    bench.say(f"\n{f'{LISTS} DNS lists, none asked before, {DELAY_MS} ms for each question':58}|  p50 ms   p90 ms   | in questions")
    for name, run in found.items():
        bench.say(f"{name:58}|{run['p50']:8.1f} {run['p90']:8.1f}   |{run['p50'] / one:6.2f}")
    ours = found.get("sekisho, to the answer to MAIL")
    if ours:
        bench.say(wanted(f"≤ {ANSWER} times one question", ours["p50"] <= ANSWER * one))
