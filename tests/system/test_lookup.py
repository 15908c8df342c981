"""`sekisho lookup` through libunbound: it asks the server that is named, and prints its answer."""
import json

import pytest

import sekisho

ENGINES = ("libmilter",)  # no mail server is in these tests: once is enough


def lookup(*arguments):
    done = sekisho.run("lookup", "--resolver", "127.0.0.1", "--json", "--", *arguments)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("name, result", [("pass", "pass"), ("fail", "fail"), ("softfail", "softfail"),
                                          ("neutral", "neutral"), ("none", "none"), ("permerror", "permerror"),
                                          ("temperror", "temperror")])
def test_each_result_of_spf(dns, name, result):
    code, answer = lookup("spf", "203.0.113.5", f"alice@{name}.example.net", "mail.example.net")
    assert (code, answer["result"]) == (0 if result == "pass" else 1, result)


def test_the_explanation_is_the_domains_own(dns):
    _, answer = lookup("spf", "203.0.113.5", "alice@fail.example.net")
    assert answer["explanation"] == "203.0.113.5 is not one of fail.example.net, 100% sure"


@pytest.mark.parametrize("local, owner", [("a b", "a\\032b"), ("a\\b", "a\\\\b"), ("a\"(b", "a\\034\\040b"),
                                          ("a.b;c", "a.b\\059c"), ("a@b", "a\\@b")])
def test_odd_bytes_of_a_local_part_reach_the_name_server_as_they_are(dns, token, local, owner):
    dns.zone(f'{token}.example.net TXT "v=spf1 exists:%{{l}}.{token}.example.net -all"',
             f"{owner}.{token}.example.net A 127.0.0.2")
    code, answer = lookup("spf", "203.0.113.5", f"{local}@{token}.example.net")
    assert (code, answer["result"]) == (0, "pass"), answer


def test_a_record_of_60_kilobytes_is_a_permerror(dns, token):
    dns.zone(f'{token}.example.net TXT "v=spf1"' + ' " ip4:192.0.2.1 ip4:192.0.2.2 ip4:192.0.2.3"' * 1250)
    _, answer = lookup("spf", "203.0.113.5", f"alice@{token}.example.net")
    assert answer["result"] == "permerror" and "too long" in answer["reason"]


def test_a_tree_of_includes_is_a_permerror_and_is_shown_up_to_a_hundred_records(dns, token):
    for level in range(3):
        includes = " ".join(f"include:{branch}.l{level + 1}.{token}.example.net" for branch in range(9))
        dns.zone(f'*.l{level}.{token}.example.net TXT "v=spf1 {includes} -all"')
    dns.zone(f'*.l3.{token}.example.net TXT "v=spf1 -all"')
    _, answer = lookup("spf", "203.0.113.5", f"alice@top.l0.{token}.example.net")
    assert answer["result"] == "permerror" and answer["lookups"] == 10
    assert len(answer["tree"]) == 100 and "too-many-lookups" in [advice["code"] for advice in answer["advice"]]
    with open(dns.log) as f:
        assert sum(token in line and " TXT " in line for line in f) <= 100


def test_mx_hosts_come_by_preference_with_their_addresses(dns):
    code, answer = lookup("mx", "pass.example.net")
    assert code == 0 and answer["result"] == "ok"
    assert [(host["preference"], host["host"]) for host in answer["hosts"]] == [(10, "mail.example.net"),
                                                                               (20, "backup.example.net")]
    assert answer["hosts"][0]["addresses"] == ["203.0.113.5", "2001:db8::5"]


@pytest.mark.parametrize("name, result", [("none.example.net", "implicit"), ("nullmx.example.net", "null"),
                                          ("nothing.example.net", "none")])
def test_domains_without_mx_hosts(dns, name, result):
    assert lookup("mx", name)[1]["result"] == result


def test_only_a_name_that_leads_back_is_confirmed(dns):
    assert lookup("ptr", "203.0.113.5")[1]["name"] == "mail.example.net"
    assert lookup("ptr", "2001:db8::5")[1]["name"] == "mail.example.net"
    assert lookup("ptr", "198.51.100.7")[1]["name"] is None
