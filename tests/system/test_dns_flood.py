"""Strangers who ask for what nobody answers: 50 sessions of one client, with messages full of names in a mute zone. They
take no places, no time and no memory of others, and under the shipped policy nobody can write as a domain that forbids
it meanwhile."""
import os
import re
import threading
import time

import pytest

import miltc
import sekisho

CONFIGURATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf", "sekisho.conf")
SESSIONS = 50
SECONDS = 8
CALLBACK_SECONDS = 8  # Sendmail waits 10, then it lets the mail through
SLACK = 1.2           # of a busy machine
RESIDENT_MAX = 64 << 20
FLOODER, SPOOFER, HONEST = "203.0.113.77", "203.0.113.66", "203.0.113.5"


def shipped_policy():
    with open(CONFIGURATION) as f:
        return re.search(r"^policy inbound \{.*?^\}\n", f.read(), re.M | re.S).group(0)


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M).group(1)) << 10


class Flood:
    """Sessions that send messages one after the other until they are told to stop."""

    def __init__(self, zone):
        self.zone = zone
        self.serial = 0
        self.until = time.monotonic() + SECONDS
        self.threads = [threading.Thread(target=self.run) for _ in range(SESSIONS)]

    def name(self):
        self.serial += 1  # names need not be unique, only many
        return f"n{self.serial}-{threading.get_ident() % 100003}"

    def headers(self):
        signature = " v=1; a=rsa-sha256; d={}.{}; s={}; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
        authors = ", ".join(f"a@a.b.c.d.e.{self.name()}.{self.zone}" for _ in range(3))
        return ([("DKIM-Signature", signature.format(self.name(), self.zone, self.name())) for _ in range(10)]
                + [("From", " " + authors)])

    def run(self):
        with miltc.Milter(timeout=60) as m:
            m.greet(FLOODER, helo=f"{self.name()}.{self.zone}")
            while time.monotonic() < self.until:
                m.message(f"<x@nospf.{self.zone[5:]}>", headers=self.headers())
            m.quit()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.until = 0
        for thread in self.threads:
            thread.join()


@pytest.fixture
def zone(dns, token):
    """victimN.TOKEN.example.net forbids what others send in its name; mute.TOKEN.example.net answers nothing."""
    name = f"{token[:8]}.example.net"
    dns.zone(f'*.honest.{name} TXT "v=spf1 ip4:{HONEST} -all"', f"*.honest.{name} A {HONEST}",
             f"nospf.{name} A {SPOOFER}", *(f"victim{n}.{name} A 198.51.100.1" for n in range(200)),
             *(f'_dmarc.victim{n}.{name} TXT "v=DMARC1; p=reject"' for n in range(200)))
    dns.fault(f"*.mute.{name} ANY drop")
    return name


@pytest.fixture
def running(nameserver, directory):
    with sekisho.Daemon(directory, shipped_policy()) as daemon:
        yield daemon


def spoof(zone, number):
    with miltc.Milter() as m:
        m.greet(SPOOFER, helo="[203.0.113.66]")
        answer = m.message(f"<x@nospf.{zone}>", headers=[("From", f" CEO <ceo@victim{number}.{zone}>")])
        m.quit()
    return answer


def honest(zone, number):
    """The last answer, and the longest time that one took."""
    with miltc.Milter() as m:
        m.greet(HONEST)
        started = time.monotonic()
        answer = m.message(f"<a@h{number}.honest.{zone}>", headers=[("From", f" a@h{number}.honest.{zone}")])
        seconds = time.monotonic() - started
        m.quit()
    return answer, seconds


def test_a_flood_lets_no_spoofed_message_pass_and_holds_up_no_honest_one(running, zone):
    assert spoof(zone, 0).text.startswith("550 5.7.26") and honest(zone, 0)[0].what == "continue"
    with Flood("mute." + zone) as flood:
        time.sleep(1.5)
        number = 0
        while time.monotonic() < flood.until:
            number += 1
            answer = spoof(zone, number)
            assert answer.what == "reply" and answer.text[:3] in ("550", "451"), f"{number}: {answer}"
            answer, seconds = honest(zone, number)
            assert answer.what == "continue" and seconds < CALLBACK_SECONDS, f"{number}: {answer} {seconds}"
            time.sleep(0.1)
    assert number > 5


def test_a_flood_takes_little_memory_and_is_over_at_the_end(running, zone):
    with open(sekisho.PROGRAM, "rb") as f:
        if b"__asan_init" in f.read():
            pytest.skip("AddressSanitizer keeps what was freed")
    pid = running.process.pid
    with Flood("mute." + zone) as flood:
        most = 0
        while time.monotonic() < flood.until:
            most = max(most, resident(pid))
            time.sleep(0.2)
    assert most < RESIDENT_MAX
    started = time.monotonic()
    running.stop()
    assert time.monotonic() - started < 1 + SLACK, "the end waits for questions that nobody wants"
    running.start()
