"""DMARC reports: rows of yesterday become mails, through a real Postfix to the next mail server; each once, signed and
aligned, whatever refuses, bounces, or is killed."""
import collections
import datetime
import email
import glob
import gzip
import os
import random
import re
import shutil
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree

import dkim
import pytest

import miltc
import sekisho
import smtp
import space
from mta import wait_for
from sink import Sink

ENGINES = ("native",)  # what is counted is tested elsewhere; here both would do the same
AWAY = "away.example.test MX 10 sink.example.test", "sink.example.test A 198.51.100.7"
SETTINGS = """
store lmdb:{directory}/store
mailer inet:%d@127.0.0.1 from sekisho@example.org
dmarc-reports { from dmarc@example.org  organization "Example & Sons" }
ownership { recipient-delimiter + }
"""
SIGN = "sign example.org { selector s1 key {directory}/s1.pem }\n"
POLICY = "policy local { on message { sign } }\n"
NAMESPACE = "{urn:ietf:params:xml:ns:dmarc-2.0}"


def yesterday():
    """The environment of a process whose clock is a day behind."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        pytest.skip("faketime is not installed")
    return dict(os.environ, LD_PRELOAD=found[0], FAKETIME="-86400s", FAKETIME_DONT_FAKE_MONOTONIC="1",
                ASAN_OPTIONS="verify_asan_link_order=0")


def make_key(directory, dns):
    done = sekisho.run("genkey", "example.org", "s1", "--out", f"{directory}/s1.pem")
    assert done.returncode == 0, done.stderr
    dns.zone(*[line for line in done.stdout.split("\n") if "_domainkey" in line])


def receive(*domains, messages=1):
    """Mail of strangers that claims to come from these domains."""
    with miltc.Milter() as m:
        m.greet("203.0.113.77")
        for domain in domains:
            for _ in range(messages):
                m.message(f"<a@{domain}>", ["<bob@example.org>"], [("From", f" a@{domain}"), ("Subject", " hello")])
        m.quit()


def is_counted(daemon, domain, wanted):
    receive(domain)
    return wait_for(lambda: daemon.status()["reports"]["counted"] == wanted)


def collect(daemon, *domains, messages=1):
    """The same, yesterday; then the daemon runs today. On a busy machine the DNS may not answer in time, and a message without
    a DMARC record is in no report: then it comes once more."""
    daemon.start(env=yesterday())
    wanted = 0
    for domain in domains:
        for _ in range(messages):
            wanted += 1
            assert any(is_counted(daemon, domain, wanted) for _ in range(10)), daemon.status()
    daemon.stop()
    daemon.start()


def report(daemon, *words):
    done = subprocess.run([sekisho.PROGRAM, "report", *words, "-c", daemon.file], capture_output=True, text=True, timeout=80)
    lines = [line.split("\t") for line in done.stdout.split("\n") if line]
    return done.returncode, lines, done.stderr


def waiting(daemon):
    """The domains whose reports wait."""
    return [line[1] for line in report(daemon, "list")[1] if line[3] == "waiting"]


def fates(lines):
    """{(domain, address): fate}"""
    return {(domain, address): fate for _, domain, _, fate, address, _ in lines}


@pytest.fixture
def site(directory, dns, postfix_server):
    """A daemon that does not run yet, with a key in the DNS, and mail.example.test beyond."""
    dns.zone(*AWAY)
    make_key(directory, dns)
    daemon = sekisho.Daemon(directory, POLICY, settings=SETTINGS % 2533 + SIGN, start=False)
    yield daemon
    daemon.kill()


def publish(dns, domain, rua):
    text = f"v=DMARC1; p=none; rua={rua}"
    dns.zone(f"_dmarc.{domain} TXT " + " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200)))


def consent(dns, domain, host="away.example.test", text="v=DMARC1"):
    dns.zone(f'{domain}._report._dmarc.{host} TXT "{text}"')


def opened(text):
    """(message, the XML of the attachment, its name)"""
    message = email.message_from_bytes(text)
    part = [part for part in message.walk() if part.get_content_type() == "application/gzip"]
    assert len(part) == 1 and part[0].get_param("name") == part[0].get_filename()
    return message, ElementTree.fromstring(gzip.decompress(part[0].get_payload(decode=True))), part[0].get_filename()


def is_signed_and_aligned(text, dns_file):
    """Asks dkimpy, which is not ours, with the record that was published."""
    with open(dns_file) as f:
        line = next(line for line in f if "s1._domainkey.example.org" in line)
    record = "".join(re.findall(r'"([^"]*)"', line)).encode()
    asked = []

    def lookup(name, timeout=5):
        asked.append(name)
        return record
    return dkim.verify(text, dnsfunc=lookup) and asked == [b"s1._domainkey.example.org."]


def test_each_address_that_may_gets_a_report_signed_and_aligned(site, dns, token):
    domains = {kind: f"{kind}.{token[:8]}.example.net" for kind in ("yes", "no", "away", "slow", "moved", "silent")}
    for kind, domain in domains.items():
        publish(dns, domain, f"mailto:{kind}@away.example.test,mailto:second-{kind}@{domain}" if kind == "yes" else
                f"mailto:{kind}@away.example.test")
    dns.zone(f"{domains['yes']} MX 10 sink.example.test")
    consent(dns, domains["yes"])
    consent(dns, domains["away"], text="v=DMARC1; rua=mailto:x@victim.example.test")
    consent(dns, domains["moved"], text="v=DMARC1; rua=mailto:elsewhere@away.example.test")
    dns.fault(f"{domains['slow']}._report._dmarc.away.example.test TXT servfail")
    with Sink() as sink:
        collect(site, *domains.values(), messages=3)
        code, lines, errors = report(site, "send", "--now")
        told = fates(lines)
        assert code == 1, (lines, errors)  # one waits for the DNS
        assert told == {(domains["yes"], "yes@away.example.test"): "sent",
                        (domains["yes"], f"second-yes@{domains['yes']}"): "sent",
                        (domains["no"], "no@away.example.test"): "no-consent",
                        (domains["away"], "away@away.example.test"): "no-consent",
                        (domains["slow"], "slow@away.example.test"): "later",
                        (domains["moved"], "elsewhere@away.example.test"): "sent",
                        (domains["silent"], "silent@away.example.test"): "no-consent"}
        assert wait_for(lambda: len(sink.got) == 3), sink.envelopes
        for text, (sender, recipients) in zip(sink.got, sink.envelopes):
            message, xml, name = opened(text)
            domain = xml.find(f".//{NAMESPACE}policy_published/{NAMESPACE}domain").text
            identity = xml.find(f".//{NAMESPACE}report_id").text
            assert recipients == ["<" + message["To"] + ">"]
            assert re.fullmatch(r"<dmarc\+r[0-9a-f]+@example\.org>", sender)
            assert message["From"].endswith("<dmarc@example.org>") and message["Auto-Submitted"] == "auto-generated"
            assert " ".join(message["Subject"].split()) == \
                f"Report Domain: {domain} Submitter: example.org Report-ID: <{identity}>"
            assert name.split("!")[:2] == ["example.org", domain] and name.endswith(f"!{identity}.xml.gz")
            assert message["Message-ID"].startswith(f"<{identity}.") and message["Date"].endswith("+0000")
            assert [int(c.text) for c in xml.iter(f"{NAMESPACE}count")] == [3]
            assert is_signed_and_aligned(text, dns.more)
        local = [r for r in site.records() if r["kind"] == "local"]
        assert len(local) == 3, "the mails of the reports, and nothing else"
        code, lines, _ = report(site, "send", "--now")
        assert fates(lines) == {(domains["slow"], "slow@away.example.test"): "later"} and len(sink.got) == 3
        latest = {(line[1], line[4]): line[3] for line in report(site, "list")[1] if len(line) == 7}
        assert latest == told and waiting(site) == [domains["slow"]]
        assert site.status()["reports"]["counted"] == 0, "report mail causes no rows"
        site.stop()


def test_by_itself_the_daemon_sends_what_is_due(site, dns, token):
    if datetime.datetime.utcnow().hour < 3:
        pytest.skip("in the first hours of a day (UTC) the reports of the day before are not all due")
    domain = f"{token[:8]}.example.net"
    publish(dns, domain, f"mailto:rua@{domain}")
    dns.zone(f"{domain} MX 10 sink.example.test")
    with Sink() as sink:
        collect(site, domain)
        assert wait_for(lambda: sink.got, seconds=60, every=1), site.messages()[-5:]
        assert wait_for(lambda: any("1 sent, 0 refused" in line["message"] for line in site.messages()))
        site.stop()


@pytest.mark.parametrize("sign, policy, why", [
    ("", POLICY, "nothing signs for example.org"),
    (SIGN, "policy submission { on message { sign } }\n", "the policy for local mail does not sign"),
    (SIGN, "policy local { on message { sign  if sender.domain is other.example } }\n",
     "the policy for local mail does not sign a mail like a report: a condition of sign does not hold"),
    (SIGN, 'policy local { on message { reject "none"  if header("Auto-Submitted") matches /./\nsign } }\n',
     "the rules do not let such a mail pass: reject 550 5.7.1 none"),
    (SIGN.replace("s1 key", "s2 key"), POLICY, "the DNS has no record of our key at s2._domainkey.example.org"),
])
def test_what_would_not_be_aligned_is_kept(site, dns, token, sign, policy, why):
    domain = f"{token[:8]}.example.net"
    publish(dns, domain, f"mailto:rua@{domain}")
    dns.zone(f"{domain} MX 10 sink.example.test")
    site.settings = SETTINGS % 2533 + sign
    site.configure(policy)
    with Sink() as sink:
        collect(site, domain)
        code, lines, errors = report(site, "send", "--now")
        assert code == 1 and not lines and "would not pass DMARC" in errors and why in errors, errors
        assert any(why in line["message"] for line in site.messages())
        site.settings = SETTINGS % 2533 + SIGN
        site.configure(POLICY)
        assert site.reload()[0] == 0
        code, lines, errors = report(site, "send", "--now", domain)
        assert code == 0 and fates(lines) == {(domain, f"rua@{domain}"): "sent"}, errors
        assert wait_for(lambda: sink.got)
        site.stop()


def test_spf_that_covers_the_host_is_enough(site, dns, token):
    domain = f"{token[:8]}.example.net"
    publish(dns, domain, f"mailto:rua@{domain}")
    dns.zone(f"{domain} MX 10 sink.example.test")
    dns.fault("mx.example.org AAAA empty")  # the other address of mx.example.org is in the SPF record of example.org
    site.settings = SETTINGS % 2533 + SIGN  # and no rule signs
    site.configure("")
    with Sink() as sink:
        collect(site, domain)
        code, lines, errors = report(site, "send", "--now")
        assert code == 0 and fates(lines) == {(domain, f"rua@{domain}"): "sent"}, errors
        assert wait_for(lambda: sink.got)
        notes = [note["text"] for r in site.records() for note in r.get("notes", [])]
        assert "this DMARC report of ours leaves without a signature: no rule signed it" in notes, notes
        site.stop()


@pytest.fixture
def filtered_bounces(postfix_server):
    """Postfix shows the milter its own bounces."""
    path = postfix_server.d + "/conf/main.cf"
    with open(path) as f:
        before = f.read()

    def write(text):
        with open(path, "w") as f:
            f.write(text)
        os.utime(path, (time.time() - 60,) * 2)
        subprocess.run(["postfix", "-c", postfix_server.d + "/conf", "reload"], check=True, capture_output=True, timeout=30)
    write(before + "internal_mail_filter_classes = bounce\n")
    yield
    write(before)


BOUNCE = """From: MAILER-DAEMON@elsewhere.example\r
To: {to}\r
Subject: Undelivered Mail\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r
\r
--x\r
Content-Type: text/plain\r
\r
Sorry.\r
--x\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; elsewhere.example\r
\r
Final-Recipient: rfc822; a@b\r
Action: {action}\r
Status: 5.1.1\r
\r
--x--\r
"""


def test_an_address_whose_mail_bounces_has_a_rest(site, dns, token, postfix_server, filtered_bounces):
    names = [f"{kind}{token[:8]}.example.net" for kind in ("gone", "well", "grey")]
    grey = iter(["451 4.7.1 come back"] * 1)
    for name in names:
        publish(dns, name, f"mailto:{name[:4]}@{name}")
        dns.zone(f"{name} MX 10 sink.example.test")
    with Sink(answers={"gone": "550 5.1.1 no such mailbox", "grey": lambda: next(grey, "250 ok")}) as sink:
        collect(site, *names)
        code, lines, errors = report(site, "send", "--now")
        assert code == 0 and set(fates(lines).values()) == {"sent"}, (lines, errors)  # our own server took all of them
        assert wait_for(lambda: report(site, "suppressed")[1]), site.records()[-3:]
        shown = report(site, "suppressed")[1]
        assert [line[0] for line in shown] == [f"gone@{names[0]}"] and "550 5.1.1 no such mailbox" in shown[0][3]
        note = [note["text"] for r in site.records() for note in r.get("notes", []) if "came back" in note["text"]]
        assert len(note) == 1 and note[0].startswith(f"a report to gone@{names[0]} came back")
        assert wait_for(lambda: len(sink.got) == 1) and sink.envelopes[0][1] == [f"<well@{names[1]}>"]
        subprocess.run(["postqueue", "-c", postfix_server.d + "/conf", "-f"], check=True, timeout=30)
        assert wait_for(lambda: len(sink.got) == 2, seconds=30), postfix_server.tail()
        well = sink.envelopes[0][0].strip("<>")
        # what nobody can forge, and what is not a failure
        with smtp.Client(postfix_server, source=space.BAD) as client:
            for to, action in ((well.replace("+r", "+r0")[:-13] + "@example.org", "failed"), ("dmarc@example.org", "failed"),
                               (well, "delayed")):
                text = BOUNCE.format(to=to, action=action).encode()
                assert client.send("<>", [f"<{to}>"], text).end.code == 250
            text = BOUNCE.format(to=well, action="failed").encode()
            assert client.send("<someone@elsewhere.example>", [f"<{well}>"], text).end.code == 250
        site.records()
        assert len(report(site, "suppressed")[1]) == 1
        with smtp.Client(postfix_server, source=space.BAD) as client:
            assert client.send("<>", [f"<{well}>"], text).end.code == 250
        assert wait_for(lambda: len(report(site, "suppressed")[1]) == 2)
        assert report(site, "suppressed", "--clear", f"well@{names[1]}")[0] == 0
        assert report(site, "suppressed", "--clear", f"well@{names[1]}")[0] == 1
        assert [line[0] for line in report(site, "suppressed")[1]] == [f"gone@{names[0]}"]
        site.stop()


def test_a_domain_excluded_after_its_mail_was_counted_gets_no_report(site, dns, token):
    domain = f"{token[:8]}.example.net"
    publish(dns, domain, f"mailto:rua@{domain}")
    dns.zone(f"{domain} MX 10 sink.example.test")
    with Sink() as sink:
        collect(site, domain)
        with open(site.directory + "/quiet", "w") as f:
            f.write(domain + "\n")
        site.stop()
        site.settings = "list quiet file:{directory}/quiet\n" + site.settings.replace("from dmarc@example.org ",
                                                                                     "from dmarc@example.org exclude quiet ")
        site.configure(POLICY)
        site.start()
        code, lines, errors = report(site, "send", "--now")
        assert code == 0 and fates(lines) == {(domain, "-"): "excluded"}, (lines, errors)
        assert not sink.got
        site.stop()


def test_what_cannot_be_a_domain_is_no_request(site):
    site.start()
    code, lines, errors = report(site, "send", "--now", "a" * 300)
    assert code != 0 and not lines and "that is not a domain" in errors, (code, lines, errors)
    site.stop()


def test_a_mail_server_that_refuses_the_size_is_asked_once(site, dns, token):
    names = [f"{i}{token[:8]}.example.net" for i in range(2)]
    for name in names:
        publish(dns, name, f"mailto:rua@{names[0]}")
    consent(dns, names[1], host=names[0])
    site.settings = SETTINGS % 2534 + SIGN
    site.configure(POLICY)
    collect(site, *names)
    told = []
    for _ in range(10):  # a busy machine may take longer for an answer than we wait
        code, lines, errors = report(site, "send", "--now")
        told += [line for line in lines if line[3] not in ("later", "sent-before")]
        if code == 0:
            break
    assert code == 0 and [line[3] for line in told] == ["refused"] * 2, (told, errors)
    assert all("552" in line[5] for line in told), told
    assert report(site, "suppressed")[1] == [], "the address is not at fault"
    code, lines, errors = report(site, "send", "--now")
    assert code == 0 and not lines and "nothing to send" in errors
    site.stop()


DOMAINS = 6
BOXES = "abcdefgh"
KILLS = int(os.environ.get("KILLS", 8))


def test_killed_at_any_point_nothing_is_lost_and_nothing_recorded_is_repeated(site, dns, token):
    names = [f"d{i}.{token[:8]}.example.net" for i in range(DOMAINS)]
    for name in names:
        publish(dns, name, ",".join(f"mailto:{box}@{name}" for box in BOXES))
        dns.zone(f"{name} MX 10 sink.example.test")
    chance = random.Random(token)
    kills = 0
    with Sink() as sink:
        collect(site, *names)
        for _ in range(KILLS + 10):
            asking = threading.Thread(target=lambda: report(site, "send", "--now"))
            asking.start()
            if kills < KILLS:
                time.sleep(chance.uniform(0.02, 0.3))
                kills += 1
                site.kill()
                asking.join()
                site.start()
                continue
            asking.join()
            if not waiting(site):
                break
        assert waiting(site) == [], "something waits"
        wanted = {f"<{box}@{name}>" for name in names for box in BOXES}
        assert wait_for(lambda: {r for _, to in sink.envelopes for r in to} == wanted, seconds=30)
        time.sleep(1)
        copies = collections.Counter(to[0] for _, to in sink.envelopes)
        identities = collections.defaultdict(set)
        for text, (_, to) in zip(sink.got, sink.envelopes):
            message, xml, name = opened(text)
            identities[to[0]].add((message["Message-ID"], name, xml.find(f".//{NAMESPACE}report_id").text))
        repeated = sum(count - 1 for count in copies.values())
        print(f"{kills} kills, {len(copies)} reports, {repeated} repeated")
        assert all(len(found) == 1 for found in identities.values()), "a mail that is repeated is the same"
        assert repeated <= kills, "at most the one that was under way"
        site.stop()


@pytest.fixture
def redis(directory):
    """The URL of a Redis of the test."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed (package redis-server)")
    path = f"{directory}/redis.socket"
    process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--dir", str(directory), "--save", "",
                                "--appendonly", "yes"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: os.path.exists(path))
    yield f"redis+unix://{path}"
    process.terminate()
    process.wait(timeout=10)


def test_of_two_daemons_that_share_a_store_one_sends(site, dns, token, redis, directory):
    names = [f"d{i}.{token[:8]}.example.net" for i in range(12)]
    for name in names:
        publish(dns, name, f"mailto:a@{name},mailto:b@{name}")
        dns.zone(f"{name} MX 10 sink.example.test")
    site.settings = (SETTINGS % 2533 + SIGN).replace("lmdb:{directory}/store", redis + " timeout 2s")
    site.configure(POLICY)
    other = sekisho.Daemon(f"{directory}/other", POLICY, listen="inet:8892@127.0.0.1", start=False,
                           settings=site.settings.replace("{directory}/s1.pem", f"{directory}/s1.pem"))
    with Sink() as sink:
        collect(site, *names)
        other.start()
        told = []
        for _ in range(20):  # whoever comes second may find nothing, or the other one at work
            asking = [threading.Thread(target=lambda d=d: told.append(report(d, "send", "--now"))) for d in (site, other)]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join()
            if not waiting(site):
                break
        sent = [line for _, lines, _ in told for line in lines if line[3] == "sent"]
        assert len(sent) == 24, told
        assert wait_for(lambda: len(sink.got) >= 24)
        assert set(collections.Counter(to[0] for _, to in sink.envelopes).values()) == {1}
        # a machine that is busy may make a store of another process seem dead for a moment
        reasons = ("another daemon", "nothing to send", "store does not")
        assert all(any(reason in errors for reason in reasons) for _, lines, errors in told if not lines), told
        other.stop()
        site.stop()
