"""The resolver over the real libunbound, driven by dns_ask, with dnsd.py as its server: what it asks, how often, and how
long it takes."""
import json
import os
import resource
import subprocess
import sys
import time

import pytest

import nameserver as nameserver_module
import sekisho

ENGINES = ("libmilter",)  # no mail server is in these tests: once is enough

PROGRAM = os.path.join(os.path.dirname(sekisho.PROGRAM), "tests", "system", "dns_ask")
TIMEOUT = 2.0
ROOT_KEY = "/usr/share/dns/root.key"  # where the resolver looks first
SLACK = 0.7  # of a busy machine


class Asker:
    """One resolver, in a process of its own."""

    def __init__(self, dnssec="off", timeout=TIMEOUT, servers=("127.0.0.1@53",)):
        if not os.access(PROGRAM, os.X_OK):
            pytest.skip(f"{PROGRAM} is missing: make check-system builds it")
        self.process = subprocess.Popen([PROGRAM, dnssec, str(int(timeout * 1000)), *servers], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.title = self.process.stdout.readline().strip()

    def command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answers = []
        while (answer := self.process.stdout.readline().strip()) != "done":
            assert answer, "dns_ask ended: " + self.process.stderr.read()
            answers.append(json.loads(answer))
        return answers

    def all(self, threads, name, kind="TXT"):
        return self.command(f"ask {threads} {name} {kind}")

    def one(self, name, kind="TXT"):
        return self.all(1, name, kind)[0]

    def counters(self):
        return self.command("counters")[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        started = time.monotonic()
        self.process.stdin.close()
        complaints = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        assert self.process.wait(timeout=10) == 0 and complaints == ""
        assert time.monotonic() - started < 2, "the end does not wait for answers"


@pytest.fixture
def asker(nameserver):
    with Asker() as running:
        yield running


@pytest.fixture
def name(token):
    return token + ".example.net"


def status(answer):
    return answer["status"] + (" " + answer["why"] if answer["why"] else "")


def seconds(answer):
    return answer["us"] / 1e6


def test_records_of_each_type_are_read(asker, dns, name):
    dns.zone(f"{name} A 192.0.2.7", f"{name} AAAA 2001:db8::7", f"{name} TXT one \" two\"", f"{name} MX 20 b.{name}",
             f"{name} MX 10 A.{name}", f"{name} MX 10 c.{name}", f"p.{name} PTR host.{name}", f"c.{name} CNAME {name}")
    assert asker.title == "forward 127.0.0.1@53"
    assert asker.one(name, "A")["first"] == "192.0.2.7"
    assert asker.one(name, "AAAA")["first"] == "2001:db8::7"
    assert asker.one(name)["first"] == "one two"
    assert asker.one(name, "MX")["count"] == 3 and asker.one(name, "MX")["first"] == f"A.{name}"
    assert asker.one("p." + name, "PTR")["first"] == f"host.{name}"
    assert asker.one("c." + name, "CNAME")["first"] == name
    assert asker.one("c." + name, "A")["first"] == "192.0.2.7"
    assert status(asker.one(name, "PTR")) == "nodata"
    assert status(asker.one("no." + name)) == "nxdomain"


def test_odd_bytes_in_names_come_through(asker, dns, name):
    dns.zone(f"\\001a\\.b\\032\\255.{name} PTR x\\.y\\200.{name}")
    assert asker.one(f"\\001a\\.b\\032\\255.{name}", "PTR")["first"] == f"x\\.y\\200.{name}"


def test_equal_questions_in_flight_are_asked_once(asker, dns, name):
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT slow=0.5")
    answers = asker.all(64, name)
    assert {status(answer) for answer in answers} == {"ok"} and all(seconds(answer) < 0.5 + SLACK for answer in answers)
    assert dns.asked(name, "TXT") == 1
    counters = asker.counters()
    assert counters["questions"] == 64 and counters["asked"] == 1 and counters["joined"] + counters["cache_hits"] == 63


def test_an_answer_is_kept_for_its_time(asker, dns, name):
    dns.zone(f"{name} 2 TXT here")
    assert status(asker.one(name)) == "ok" and status(asker.one(name)) == "ok"
    assert dns.asked(name, "TXT") == 1
    time.sleep(3.1)
    assert status(asker.one(name)) == "ok" and dns.asked(name, "TXT") == 2


def test_negative_answers_are_kept_as_the_soa_says(asker, dns, name):
    dns.zone(f"{name} SOA ns.{name} root.{name} 1 3600 600 86400 2", f"{name} A 192.0.2.1")
    for absent, what in ((f"no.{name}", "nxdomain"), (name, "nodata")):
        assert status(asker.one(absent)) == what and status(asker.one(absent)) == what
        assert dns.asked(absent, "TXT") == 1
    time.sleep(3.1)
    for absent, what in ((f"no.{name}", "nxdomain"), (name, "nodata")):
        assert status(asker.one(absent)) == what and dns.asked(absent, "TXT") == 2


def test_a_negative_answer_without_soa_is_kept_for_a_minute(asker, dns, name):
    """RFC 2308 5 would not keep it; DNS lists that send no other are asked for every client."""
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT empty")
    assert status(asker.one(name)) == "nodata"
    first = dns.asked(name, "TXT")
    time.sleep(5)
    assert status(asker.one(name)) == "nodata" and dns.asked(name, "TXT") == first
    dns.reset()
    dns.zone(f"{name} TXT here")
    time.sleep(57)
    assert status(asker.one(name)) == "ok" and dns.asked(name, "TXT") == first + 1


def test_servfail_is_kept_briefly(asker, dns, name):
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT servfail")
    assert status(asker.one(name)) == "tempfail servfail"
    asked = dns.asked(name, "TXT")
    assert asked <= 2 and status(asker.one(name)) == "tempfail servfail"
    assert dns.asked(name, "TXT") == asked
    dns.reset()
    dns.zone(f"{name} TXT here")
    time.sleep(6.1)
    assert status(asker.one(name)) == "ok"


@pytest.mark.parametrize("fault", ["servfail", "drop", "refused"])
def test_a_good_answer_is_served_stale_while_the_servers_fail(asker, dns, name, fault):
    dns.zone(f"{name} 1 TXT here")
    assert not asker.one(name)["stale"]
    time.sleep(2.1)
    dns.fault(f"{name} TXT {fault}")
    answer = asker.one(name)
    assert status(answer) == "ok" and answer["stale"] and answer["first"] == "here"
    assert seconds(answer) < TIMEOUT + SLACK
    asked = dns.asked(name, "TXT")
    assert asker.one(name)["stale"] and dns.asked(name, "TXT") == asked
    assert asker.counters()["stale"] == 2


def test_an_answer_that_the_servers_take_back_is_not_served_stale(asker, dns, name):
    dns.zone(f"{name} 1 TXT here")
    asker.one(name)
    time.sleep(2.1)
    dns.reset()
    assert status(asker.one(name)) == "nxdomain"


def test_nobody_waits_longer_than_the_timeout(asker, dns, name):
    dns.fault(f"*.{name} ANY drop")
    for answer in asker.all(64, f"n%d.{name}"):
        assert status(answer) == "tempfail timeout" and TIMEOUT - 0.1 < seconds(answer) < TIMEOUT + SLACK
    counters = asker.counters()
    assert counters["timeouts"] == 64 and counters["tempfails"] == 64


def test_a_deadline_is_kept_that_comes_before_the_timeout(asker, dns, name):
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT slow=1")
    asker.command("deadline 300")
    answer = asker.one(name)
    assert status(answer) == "tempfail timeout" and 0.3 <= seconds(answer) < 0.3 + SLACK
    asker.command("deadline 0")
    assert status(asker.one(name)) == "ok"  # the question was still on its way
    assert dns.asked(name, "TXT") == 1


def test_slow_names_do_not_hold_up_others(asker, dns, name):
    """200 questions in flight at once; number 0 is not slow."""
    dns.zone(f"*.{name} TXT here")
    dns.fault(f"n0.{name} TXT slow=0", f"*.{name} TXT slow=1")
    answers = asker.all(200, f"n%d.{name}")
    assert status(answers[0]) == "ok"
    # The answer that is not slow is there before all others, however busy this machine is.
    assert all(seconds(answers[0]) < seconds(answer) and seconds(answer) >= 1 for answer in answers[1:])


def test_a_hinted_answer_is_there_when_it_is_wanted(asker, dns, name):
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT slow=0.3")
    answer = asker.command(f"hint 800 {name} TXT")[0]
    assert status(answer) == "ok" and seconds(answer) < 0.1 and dns.asked(name, "TXT") == 1


def test_a_truncated_answer_is_asked_for_by_tcp(asker, dns, name):
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT tc")
    assert status(asker.one(name)) == "ok"


def test_60_kilobytes_of_text_come_through(asker, dns, name):
    strings = " ".join('"' + "x" * 250 + '"' for _ in range(240))
    dns.zone(f"{name} TXT {strings}")
    answer = asker.one(name)
    assert status(answer) == "ok" and answer["bytes"] == 60000
    assert asker.one(name)["bytes"] == 60000 and asker.counters()["cache_hits"] == 1


def test_records_beyond_the_most_are_left_out(asker, dns, name):
    dns.zone(*(f"{name} A 192.0.{n // 200}.{n % 200}" for n in range(400)))
    assert asker.one(name, "A")["count"] == 256


def test_names_that_grow_too_large_as_text_are_a_temporary_error(asker, dns, name):
    """60 KB over the wire, four times that with every byte as \\DDD."""
    label = "\\255" * 60
    dns.zone(*(f"{name} PTR n{n}.{label}.{label}.{label}.{name}" for n in range(250)))
    assert status(asker.one(name, "PTR")) == "tempfail too large"


@pytest.mark.parametrize("fault", ["garbage", "wrongid", "wrongname", "cut", "refused", "formerr", "notimp",
                                   "tc tcpdrop"])
def test_a_server_that_lies_gets_a_temporary_error_in_time(asker, dns, name, fault):
    dns.zone(f"{name} TXT here")
    dns.fault(f"{name} TXT {fault}")
    answer = asker.one(name)
    assert answer["status"] == "tempfail" and seconds(answer) < TIMEOUT + SLACK


def test_private_names_go_to_the_servers(asker, dns, token):
    names = [f"{token}.test", "1.0.0.127.in-addr.arpa", "7.0.0.10.in-addr.arpa", "9.2.0.192.in-addr.arpa",
             "1." + 31 * "0." + "ip6.arpa", "1." + 23 * "0." + "8.b.d.0.1.0.0.2.ip6.arpa"]
    dns.zone(*(f"{private} PTR {token}.example.net" for private in names))
    assert [asker.one(private, "PTR")["first"] for private in names] == len(names) * [f"{token}.example.net"]


def test_a_server_without_signatures_is_good_enough_but_for_strict(dns, name):
    dns.zone(f"{name} TXT here")
    with Asker("permissive") as asker:
        answer = asker.one(name)
        assert status(answer) == "ok" and not answer["secure"] and seconds(answer) < 1
        until = time.monotonic() + TIMEOUT
        while asker.command("warning") == [None] and time.monotonic() < until:
            time.sleep(0.05)
        assert asker.command("warning") == ["the name servers strip DNSSEC signatures, so no answer will be proved"]
    with Asker("off") as asker:
        assert status(asker.one(name)) == "ok" and asker.command("warning") == [None]
    with Asker("strict") as asker:
        assert status(asker.one("1.0.0.127.in-addr.arpa", "PTR")) == "nxdomain"  # nobody signs that
        assert status(asker.one(name)) == "tempfail bogus"
        assert status(asker.one("no." + name)) == "tempfail bogus"


@pytest.fixture
def signing(world, directory):
    """A server that signs, and the resolver believes its key."""
    pytest.importorskip("cryptography", reason="signing needs python3-cryptography")
    if not os.path.exists(ROOT_KEY):
        pytest.skip(f"{ROOT_KEY} is missing (package dns-root-data)")
    paths = {what: os.path.join(directory, what) for what in ("zone", "faults", "log", "key")}
    with open(paths["zone"], "w") as zone, open(paths["faults"], "w") as faults:
        zone.write("good.example.net TXT here\nalias.example.net CNAME good.example.net\nbad.example.net TXT here\n"
                   'spf.example.net TXT "v=spf1 a:good.example.net include:other.example.net -all"\n'
                   'good.example.net A 192.0.2.1\nother.example.net TXT "v=spf1 ?all"\n'
                   'half.example.net TXT "v=spf1 a:bad.example.net -all"\nbad.example.net A 192.0.2.1\n')
        faults.write("bad.example.net ANY badsig\n")
    server = subprocess.Popen([sys.executable, nameserver_module.PROGRAM, "--listen", "127.0.0.1@5300",
                               "--log", paths["log"], "--faults", paths["faults"], "--sign", paths["key"],
                               paths["zone"]], stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline().startswith("ready")
    subprocess.run(["mount", "--bind", paths["key"], ROOT_KEY], check=True)  # in our own mount namespace
    yield "127.0.0.1@5300"
    subprocess.run(["umount", ROOT_KEY], check=True)
    server.terminate()
    server.wait(timeout=10)
    server.stdout.close()


@pytest.mark.parametrize("dnssec", ["off", "permissive", "strict"])
def test_what_is_signed_is_proved_and_what_is_bogus_fails_when_strict(signing, dnssec):
    proved = dnssec != "off"
    with Asker(dnssec, servers=[signing]) as asker:
        for good in ("good", "alias"):
            answer = asker.one(good + ".example.net")
            assert status(answer) == "ok" and answer["secure"] == proved
        answer = asker.one("no.example.net")
        assert status(answer) == "nodata" and answer["secure"] == proved
        answer = asker.one("bad.example.net")
        assert status(answer) == ("tempfail bogus" if dnssec == "strict" else "ok") and not answer["secure"]
        assert asker.command("warning") == [None]


@pytest.mark.parametrize("sender, client, result, proved", [
    ("spf", "192.0.2.1", "pass", True), ("spf", "192.0.2.2", "fail", True),
    ("half", "192.0.2.1", "pass", False), ("nothing", "192.0.2.1", "none", True)])
def test_a_result_of_spf_is_proved_when_every_answer_is(signing, sender, client, result, proved):
    for engine in ("native", "libspf2"):
        done = subprocess.run([sekisho.PROGRAM, "lookup", "--engine", engine, "--resolver", signing, "--json", "spf", client,
                               f"{sender}.example.net"], capture_output=True, text=True, timeout=30)
        if "built without" in done.stderr:
            continue
        answer = json.loads(done.stdout)
        assert (answer["result"], answer["secure"]) == (result, proved), done.stdout


def test_the_servers_of_the_system_are_asked(dns, name):
    dns.zone(f"{name} TXT here", "1.0.0.127.in-addr.arpa PTR here.example.net")
    with Asker(servers=["system"]) as asker:
        assert asker.title == "system"
        assert asker.one(name)["first"] == "here"
        assert asker.one("1.0.0.127.in-addr.arpa", "PTR")["first"] == "here.example.net"
    assert dns.asked(name, "TXT") == 1


def test_without_a_network_recursion_fails_in_time(dns, name):
    with Asker(servers=["recurse"]) as asker:
        assert asker.title == "recurse"
        answer = asker.one(name)
        assert answer["status"] == "tempfail" and seconds(answer) < TIMEOUT + SLACK
    assert dns.asked(name, "TXT") == 0


def test_another_server_steps_in_for_a_dead_one(dns, name):
    dns.zone(f"*.{name} TXT here")
    with Asker(servers=("127.0.0.1@54", "127.0.0.1@53")) as asker:
        assert asker.title == "forward 127.0.0.1@54 127.0.0.1@53"
        for answer in asker.all(16, f"n%d.{name}"):
            assert status(answer) == "ok"


def test_a_lone_server_is_asked_whatever_names_it_did_not_answer_for(dns, name):
    """Strangers choose names whose own servers are mute; that says nothing of the server of this site."""
    dns.zone(f"*.{name} TXT here")
    dns.fault(f"*.mute.{name} ANY drop")
    with Asker(timeout=1) as asker:
        for round in range(16):
            asker.all(5, f"n%d-{round}.mute.{name}")
        for number in range(5):
            answer = asker.one(f"good{number}.{name}")
            assert status(answer) == "ok" and seconds(answer) < SLACK
            asker.all(5, f"m%d-{number}.mute.{name}")


def test_descriptors_that_run_out_before_the_first_question_cost_an_answer_only(dns, name):
    dns.zone(f"*.{name} TXT here")
    with Asker() as asker:
        pid = asker.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), limits[1]))
        assert asker.one(f"one.{name}")["status"] == "tempfail"
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert status(asker.one(f"two.{name}")) == "ok"


def test_the_end_does_not_wait_for_what_is_in_flight(dns, name):
    dns.fault(f"*.{name} ANY drop")
    with Asker(timeout=30) as asker:
        asker.command("deadline 50")
        asker.all(64, f"n%d.{name}")
