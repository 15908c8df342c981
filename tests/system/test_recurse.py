"""resolver { recurse } and `sekisho lookup trace` against a root, a top-level domain and authoritative servers of our own."""
import json
import os
import time

import pytest

import private_dns
import sekisho

POLICY = 'policy inbound {{ on mail {{ log "x" if spf is pass }} }}\nauthserv-id mx.example.org\nlisten unix:/nonexistent/s\n' \
         "resolver {{ recurse root-hints {hints} trust-anchor {anchor} timeout 5s {more} }}\n"


@pytest.fixture(scope="module")
def net(world):
    reason = private_dns.why_not()
    if reason:
        pytest.skip(reason)
    running = private_dns.PrivateDns(os.path.join(world.root, "private-dns"))
    yield running
    running.stop()


@pytest.fixture
def ask(net, directory):
    """lookup with that resolver: exit code and answer."""
    def lookup(*arguments, more=""):
        path = os.path.join(directory, "policy")
        with open(path, "w", encoding="ascii") as f:
            f.write(POLICY.format(hints=net.hints, anchor=net.anchor, more=more))
        done = sekisho.run("lookup", "-c", path, "--json", *arguments)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)
    return lookup


def trace(net, *arguments):
    begun = time.monotonic()
    done = sekisho.run("lookup", "--hints", net.hints, "--json", "trace", *arguments)
    assert time.monotonic() - begun < 30
    return done.returncode, json.loads(done.stdout)


def test_an_answer_is_found_from_the_root_and_proved(ask):
    code, answer = ask("spf", "192.0.2.1", "a@good.zz")
    assert (code, answer["result"], answer["secure"]) == (0, "pass", True)


def test_an_unsigned_domain_has_answers_that_are_not_proved(ask):
    code, answer = ask("domain", "--no-smtp", "plain.zz")
    assert answer["mx"]["result"] == "none" and not answer["mx"]["secure"]


def test_a_domain_whose_keys_do_not_fit_is_a_temporary_error(ask):
    assert ask("spf", "192.0.2.1", "a@bogus.zz")[1]["result"] == "temperror"


def test_with_dnssec_permissive_its_answer_counts_but_is_not_proved(ask):
    code, answer = ask("spf", "192.0.2.1", "a@bogus.zz", more="dnssec permissive")
    assert answer["result"] == "pass" and not answer["secure"]


def test_tlsa_records_of_a_signed_domain_are_proved(ask):
    _, answer = ask("--no-smtp", "domain", "good.zz")
    codes = [advice["code"] for advice in answer["advice"]]
    assert answer["mx"]["secure"] and answer["dane"][0]["secure"] and answer["dane"][0]["records"][0]["data"] == "ab" * 32
    assert "dane-insecure" not in codes and "dane-mx" not in codes


def test_a_lame_server_is_passed_over(ask):
    code, answer = ask("spf", "192.0.2.1", "a@lame.zz")
    assert answer["result"] == "fail" and answer["secure"]


def test_a_domain_that_is_not_there(ask):
    assert ask("spf", "192.0.2.1", "a@nothing.zz")[1]["result"] == "none"


def test_root_hints_that_cannot_be_read_are_an_error(net, directory):
    path = os.path.join(directory, "policy")
    for hints, anchor in (("/nonexistent/hints", net.anchor), (net.hints, "/nonexistent/anchor")):
        with open(path, "w", encoding="ascii") as f:
            f.write(POLICY.format(hints=hints, anchor=anchor, more=""))
        done = sekisho.run("lookup", "-c", path, "mx", "good.zz")
        assert done.returncode == 69 and "/nonexistent/" in done.stderr, done.stderr


def test_the_trace_goes_from_the_root_to_the_authoritative_server(net):
    code, answer = trace(net, "good.zz", "MX")
    assert code == 0 and answer["result"] == "answer"
    assert [(step["zone"], step["ip"], step["result"]) for step in answer["steps"]] == \
        [(".", private_dns.ROOT, "referral"), ("zz", private_dns.TLD, "referral"), ("good.zz", private_dns.AUTH, "answer")]
    assert [step["ttl"] for step in answer["steps"]] == [1800, 900, 300]
    assert answer["steps"][0]["ds"] and "good.zz. 300 IN MX 10 mx.good.zz." in answer["steps"][2]["records"]


@pytest.mark.parametrize("name, kind, code, result", [
    ("nothing.good.zz", "A", 1, "nxdomain"), ("good.zz", "AAAA", 1, "nodata"), ("nothing.zz", "A", 1, "nxdomain"),
    ("dead.zz", "A", 1, "failed"), ("loop.good.zz", "A", 1, "failed"), ("x.one.zz", "A", 1, "failed")])
def test_traces_that_end_without_an_answer(net, name, kind, code, result):
    seen = trace(net, name, kind)
    assert (seen[0], seen[1]["result"]) == (code, result), seen[1]["steps"]


def test_servers_without_glue_get_a_walk_of_their_own_and_aliases_are_followed(net):
    code, answer = trace(net, "www.good.zz", "A")
    assert code == 0 and "www.other.zz. 200 IN A 192.0.2.2" in answer["steps"][-1]["records"]
    assert any(step["result"] == "alias" for step in answer["steps"])
    assert any(step["depth"] == 1 and step["asked"] == "ns2.good.zz" for step in answer["steps"])


def test_lame_servers_and_servers_that_differ_are_named(net):
    code, answer = trace(net, "lame.zz", "TXT")
    assert "lame" in [advice["code"] for advice in answer["advice"]] and answer["result"] == "answer"
    code, answer = trace(net, "differ.zz", "A")
    assert answer["differs"] and "servers-differ" in [advice["code"] for advice in answer["advice"]]


def test_no_root_server_at_all(net, directory):
    path = os.path.join(directory, "hints")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"a.root. A {private_dns.DEAD}\n")
    done = sekisho.run("lookup", "--hints", path, "trace", "good.zz", "A")
    assert done.returncode == 69 and "no root server answers" in done.stderr
