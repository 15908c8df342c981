"""`sekisho lookup smtp` against a real Postfix, a real Sendmail, and servers that misbehave."""
import json
import os
import subprocess
import threading
import time

import pytest

import hostile
import sekisho
import space

POLICY = "policy inbound { on mail { accept } }\n"


def lookup(*arguments):
    done = sekisho.run("lookup", "--resolver", "127.0.0.1", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def codes(answer):
    return {advice["code"] for advice in answer["advice"]}


def trusted(mta):
    return os.path.join(mta.d, "conf", "cert.pem")


def test_every_step_of_a_real_server_is_shown_with_its_time(daemon, mta, dns):
    code, answer = lookup("smtp", mta.address)
    (tested,) = answer["addresses"]
    assert code == 0 and answer["ok"] and tested["ok"]
    assert [step["step"] for step in tested["steps"]] == ["connect", "banner", "ehlo", "starttls", "tls", "ehlo-tls", "quit"]
    assert all(step["ok"] and step["ms"] >= 0 for step in tested["steps"])
    assert tested["banner-name"] == tested["ehlo-name"] == space.HOSTNAME
    assert tested["starttls"] and tested["tls"].startswith("TLSv1.") and "STARTTLS" in tested["extensions"]


def test_the_certificate_is_judged_by_name_date_and_issuer(daemon, mta, dns, token):
    name = f"{token}.example.test"
    dns.zone(f"{name} A {mta.address}")
    _, answer = lookup("smtp", name)
    certificate = answer["addresses"][0]["certificate"]
    assert certificate["names"] == [space.HOSTNAME] and not certificate["trusted"] and not certificate["named"]
    assert certificate["from"] < certificate["until"]
    assert {"certificate-untrusted", "certificate-name"} <= codes(answer)
    _, answer = lookup("--ca", trusted(mta), "smtp", "mx.example.org")
    certificate = answer["addresses"][0]["certificate"]
    assert certificate["named"] and (certificate["trusted"] or mta.name != "postfix")


def test_tlsa_records_are_compared_with_the_certificate(daemon, mta, dns, token):
    def tlsa(path):
        key = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-pubkey"], capture_output=True, check=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True).stdout
        return subprocess.run(["openssl", "dgst", "-sha256", "-hex"], input=der, capture_output=True,
                              check=True).stdout.decode().split()[-1]
    for name, digest, result in (("right", tlsa(trusted(mta)), "match"), ("wrong", "00" * 32, "mismatch")):
        host = f"{name}.{token}.example.test"
        dns.zone(f"{host} A {mta.address}", f"_25._tcp.{host} TLSA 3 1 1 {digest}")
        _, answer = lookup("smtp", host)
        assert answer["addresses"][0]["dane"] == result
        assert ("dane-mismatch" in codes(answer)) == (name == "wrong")


def test_names_that_agree_and_names_that_do_not(daemon, mta, dns, token):
    reverse = ".".join(reversed(mta.address.split("."))) + ".in-addr.arpa"
    assert {"ptr"} <= codes(lookup("smtp", mta.address)[1])
    dns.zone(f"{reverse} PTR {token}.example.test", f"{token}.example.test A {mta.address}")
    time.sleep(1.1)
    _, answer = lookup("smtp", mta.address)
    assert answer["addresses"][0]["name"] == f"{token}.example.test" and "ptr" not in codes(answer)
    assert ("helo-name" in codes(answer)) == (mta.name == "sendmail")  # mx.example.org is the address of Postfix


def test_a_real_server_does_not_relay(daemon, postfix_server, dns):
    """Sendmail always relays for its own address, from which this test comes."""
    code, answer = lookup("--relay-test", "smtp", postfix_server.address)
    relays = answer["addresses"][0]["relays"]
    assert code == 0 and len(relays) == 4 and not relays[0]["accepted"] and "open-relay" not in codes(answer), json.dumps([answer["advice"], relays])


def test_an_open_relay_is_recognized(dns):
    def open_relay(connection):
        connection.sendall(b"220 open.example\r\n")
        while line := connection.recv(4096):
            connection.sendall(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 open.example\r\n")
            assert not line.startswith(b"DATA")
    with hostile.Server(open_relay) as server:
        code, answer = lookup("--relay-test", "smtp", f"127.0.0.1:{server.port}")
    assert code == 1 and {"open-relay", "no-starttls"} <= codes(answer)


@pytest.mark.parametrize("case", hostile.CASES)
def test_a_server_that_misbehaves_fails_at_the_right_step(dns, case):
    behave, step, why = hostile.CASES[case]
    with hostile.Server(behave) as server:
        code, answer = lookup("smtp", f"127.0.0.1:{server.port}")
    last = answer["addresses"][0]["steps"][-1]
    assert (code, last["step"], last["ok"]) == (1, step, False) and why in last["why"], last


def test_servers_that_drip_cost_less_than_30_seconds(dns):
    seen = {}

    def ask(case, port):
        begun = time.monotonic()
        seen[case] = (*lookup("smtp", f"127.0.0.1:{port}"), time.monotonic() - begun)
    servers = {case: hostile.Server(behave) for case, behave in hostile.SLOW.items()}
    threads = [threading.Thread(target=ask, args=(case, server.port)) for case, server in servers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for case, (code, answer, seconds) in seen.items():
        assert code == 1 and "in time" in answer["addresses"][0]["steps"][-1]["why"] and seconds < 30, (case, seconds)
    assert set(seen) == set(hostile.SLOW)


def test_a_name_without_an_address_and_a_dead_resolver(dns):
    assert lookup("smtp", "nothing.example.net")[0] == 1
    done = sekisho.run("lookup", "--resolver", "127.0.0.1@9", "smtp", "mail.example.net")
    assert done.returncode == 69 and "no name server answers" in done.stderr
