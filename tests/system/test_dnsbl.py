"""DNS lists behind real mail servers: rbldnsd serves them, BIND asks it; and lists that die, are slow, answer everything,
or contain the entry that they must not contain."""
import json
import time

import pytest

import lists
import sekisho
import smtp
import space
from mta import wait_for

pytestmark = pytest.mark.skipif(lists.why_not() is not None, reason=str(lists.why_not()))

BOB = "<bob@example.org>"
KEY = "s3cr3tk3ys3cr3tk3y"
ZONE = KEY + ".bl.test"
WHITE = "white.test"
HEALTHY = """:127.0.0.2:listed, see https://bl.test/$ (%s)
$SOA 2 ns.bl.test host.bl.test 1 600 300 86400 1
127.0.0.2
%s
:127.0.0.77:odd
198.51.100.250
""" % (ZONE, space.BAD)
GOOD = f":127.0.10.2:example.net\n$SOA 2 ns.w h.w 1 600 300 86400 1\n127.0.0.2\n{space.GOOD}\n"

BASE = sekisho.SETTINGS.replace("127.0.0.1@53", f"127.0.0.1@{lists.RESOLVER_PORT}").replace("{ spf auth }", "{ dnsbl }")
SETTINGS = """
record { facts used }
dnsbl zen   { zone %s  code 127.0.0.2 spam  weight 5 }
dnsbl white { zone %s  code 127.0.*.2 medium  weight -3 }
dnsbl slow  { zone slow.example.net }
dnsbl every { zone every.example.net }
""" % (ZONE, WHITE)
POLICY = """
policy inbound {
  on connect {
    reject 550 5.7.1 "listed: %{dnsbl.code("zen")}, %{dnsbl.text("zen")}"  if dnsbl("zen") is listed
  }
  on mail {
    reject 550 5.7.1 "every"  if dnsbl("every") is listed
    log "slow is %{dnsbl("slow")}, %{dnsbl.reason("slow")}"
    log "score %{dnsbl.score}"
  }
}
"""


@pytest.fixture(scope="module")
def lists_running(module_directory, nameserver):
    server = lists.Rbldnsd(module_directory, {ZONE: ("ip4set", HEALTHY), WHITE: ("ip4set", GOOD)})
    resolver = lists.Named(module_directory, [ZONE, WHITE])
    yield server
    resolver.stop()
    server.stop()


@pytest.fixture(scope="module")
def daemon(lists_running, module_directory):
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=BASE) as running:
        assert wait_for(lambda: running.status()["dnsbl"]["zen"]["state"] == "used", seconds=10)
        yield running


@pytest.fixture
def lists_right(lists_running, daemon):
    yield lists_running
    if not lists_running.process:
        lists_running.start()
    lists_running.write(ZONE, HEALTHY)
    # An answer from before is used for half a minute while servers fail (RFC 8767), and proves nothing of them.
    assert wait_for(lambda: daemon.reload() and state(daemon) == "used", seconds=60, every=2)


def state(daemon, name="zen"):
    return daemon.status()["dnsbl"][name]["state"]


def logged(daemon, text):
    """Lines of the log of the daemon itself with the text."""
    with open(daemon.record_file) as f:
        return [line for line in f if text in line and "verdict" not in json.loads(line)]


def test_a_listed_client_is_refused_and_told_why_but_not_the_zone(daemon, mta, token):
    replies = smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.last.code == 550 and "listed: spam, listed, see https://bl.test/" in replies.last.text
    assert KEY not in repr(replies) and "(zen)" in replies.last.text
    record = daemon.record(sender=f"{token}@example.net")
    assert record["facts"]['dnsbl("zen")'] == "listed" and KEY not in json.dumps(record)


def test_another_client_is_let_through_with_a_field_of_the_allow_list(daemon, mta, token):
    smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token))
    fields = mta.delivered(token).fields("Authentication-Results")
    assert any("dnswl=pass" in field and "dns.zone=white" in field and "policy.ip=127.0.10.2" in field for field in fields)
    assert all(WHITE not in field for field in fields)
    assert daemon.record(sender=f"{token}@example.net")["facts"]["dnsbl.score"] == -3


def test_a_list_that_contains_its_negative_entry_is_off_until_it_is_right(daemon, lists_right, mta, token):
    lists_right.change(ZONE, HEALTHY + "127.0.0.1\n", "1.0.0.127", True)
    replies = smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.end and replies.end.code == 250, replies
    assert wait_for(lambda: state(daemon) == "off", seconds=5)
    assert wait_for(lambda: logged(daemon, "dnsbl zen: switched off"), seconds=5)
    assert not logged(daemon, KEY)
    lists_right.change(ZONE, HEALTHY, "1.0.0.127", False)
    daemon.reload()  # or after a minute
    assert wait_for(lambda: state(daemon) == "used", seconds=5)
    assert logged(daemon, "dnsbl zen: it is right again")
    again = smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert again.last.code == 550


def test_a_list_that_dies_refuses_nobody_and_costs_no_more_than_an_answer(daemon, lists_right, mta, token):
    lists_right.stop()
    time.sleep(lists.SETTLE)
    started = time.monotonic()
    replies = smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token), source=space.BAD)
    assert replies.end and replies.end.code == 250, replies
    assert time.monotonic() - started < 10
    record = daemon.record(sender=f"{token}@example.net")
    assert record["facts"]['dnsbl("zen")'] == "temperror" and record["facts"]["dnsbl.score"] == 0


def test_a_slow_list_is_temperror_and_holds_up_no_other(daemon, dns, mta, token):
    dns.fault("*.slow.example.net ANY slow=6")
    started = time.monotonic()
    replies = smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token))
    assert replies.end and replies.end.code == 250, replies
    assert time.monotonic() - started < 8
    notes = [note["text"] for note in daemon.record(sender=f"{token}@example.net")["notes"]]
    assert any(text.startswith("slow is temperror, ") for text in notes) and "score -3" in notes


@pytest.mark.parametrize("address", ["127.0.0.2", "192.0.2.80"])
def test_a_list_or_a_resolver_that_answers_everything_lists_nobody(daemon, dns, mta, token, address):
    dns.zone(f"*.every.example.net 1 A {address}")
    time.sleep(lists.SETTLE)
    daemon.reload()
    replies = smtp.send(mta, f"<{token}@example.net>", [BOB], smtp.message(token))
    assert replies.end and replies.end.code == 250, replies
    said = "dnsbl every: switched off" if address == "127.0.0.2" else "dnsbl every: it answered 192.0.2.80, which no list does"
    assert wait_for(lambda: logged(daemon, said), seconds=5)


def test_status_shows_each_list(daemon, lists_running):
    shown = sekisho.run("status", "-c", daemon.file).stdout
    for name in ("zen", "white", "slow", "every"):
        assert f"dnsbl      {name} " in shown
    assert KEY not in shown
    assert daemon.status()["dnsbl"]["zen"]["asked"] > 0
