"""`sekisho lookup domain` and `blacklist` with real servers: DNS, SMTP, HTTPS, rbldnsd."""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time

import pytest

import sekisho
import space
from mta import wait_for

POLICY = "policy inbound { on mail { accept } }\n"
POLICY_TEXT = "version: STSv1\r\nmode: enforce\r\nmx: {mx}\r\nmax_age: 604800\r\n"


def lookup(*arguments):
    done = sekisho.run("lookup", "--resolver", "127.0.0.1", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def codes(answer):
    return {advice["code"] for advice in answer["advice"]}


class Https:
    """Serves one text over HTTPS on port 443 of an address, with a certificate of the host."""

    def __init__(self, directory, host, address, body, status=200, kind="text/plain"):
        self.cert = os.path.join(directory, host + ".pem")
        key = os.path.join(directory, host + ".key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "30", "-subj", "/CN=test", "-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out",
                        self.cert], check=True, capture_output=True, timeout=60)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                good = self.path == "/.well-known/mta-sts.txt"
                self.send_response(status if good else 404)
                self.send_header("Content-Type", kind + "; charset=us-ascii")
                self.send_header("Location", "https://elsewhere.example/")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer((address, 443), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def zone_of(name, mta, *more):
    return (f"{name} 3600 MX 10 mail.{name}", f"mail.{name} 300 A {mta.address}", f'{name} TXT "v=spf1 mx -all"',
            f'_dmarc.{name} TXT "v=DMARC1; p=reject; rua=mailto:d@{name}"', *more)


def test_one_report_has_everything_about_a_good_domain(daemon, mta, dns, token):
    name = f"{token[:20]}.example.test"
    dns.zone(*zone_of(name, mta, f'_smtp._tls.{name} TXT "v=TLSRPTv1; rua=mailto:t@{name}"',
                      f'default._bimi.{name} TXT "v=BIMI1; l=https://{name}/l.svg"'))
    code, answer = lookup("domain", name)
    assert code == 0, answer["advice"]
    assert answer["mx"]["hosts"][0]["addresses"] == [{"ip": mta.address, "ttl": 300}] and answer["mx"]["ttl"] == 3600
    assert answer["smtp"][0]["ok"] and answer["spf"]["usable"] and answer["dmarc"]["policy"] == "reject"
    assert answer["tls-rpt"] and answer["bimi"] and answer["mta-sts"] is None


def test_connections_are_only_made_when_wanted(daemon, mta, dns, token):
    name = f"{token[:20]}.example.test"
    dns.zone(*zone_of(name, mta))
    assert "smtp" not in lookup("--no-smtp", "domain", name)[1]


@pytest.mark.parametrize("mx, status, kind, wanted", [
    ("mail.{name}", 200, "text/plain", set()), ("*.{name}", 200, "text/plain", set()),
    ("other.{name}", 200, "text/plain", {"sts-mx"}), ("mail.{name}", 302, "text/plain", {"sts-fetch"}),
    ("mail.{name}", 200, "text/html", {"sts-type"})])
def test_the_policy_of_mta_sts_is_fetched_and_judged(daemon, postfix_server, dns, token, directory, mx, status, kind, wanted):
    name = f"{token[:20]}.example.test"
    dns.zone(*zone_of(name, postfix_server, f'_mta-sts.{name} TXT "v=STSv1; id=1;"', f"mta-sts.{name} A {space.TRUSTED}"))
    body = POLICY_TEXT.format(mx=mx.format(name=name))
    with Https(directory, "mta-sts." + name, space.TRUSTED, body, status, kind) as server:
        _, answer = lookup("--ca", server.cert, "domain", name)
        assert {code for code in codes(answer) if code.startswith("sts")} == wanted, answer["advice"]
        if status == 200:
            assert answer["mta-sts"]["policy"]["mode"] == "enforce"
        # the system's certificates do not know this one
        _, answer = lookup("--no-smtp", "--smtp", "domain", name)
        assert "sts-fetch" in codes(answer)


def test_mistakes_are_named(dns, token):
    name = f"{token[:20]}.example.test"
    dns.zone(f"{name} MX 10 alias.{name}", f"alias.{name} CNAME real.{name}", f"real.{name} A 192.0.2.80",
             f"{name} MX 20 192.0.2.81", f"{name} MX 30 nowhere.{name}", f"{name} MX 40 .",
             f'{name} TXT "v=spf1 ip4:0.0.0.0/0"', f'{name} TXT " v=spf1 -all"',
             f'_dmarc.{name} TXT "v=dmarc1; p=reject"', f'_smtp._tls.{name} TXT "v=TLSRPTv1; rua=t@{name}"',
             f'_mta-sts.{name} TXT "v=STSv1; id=2026-11;"')
    code, answer = lookup("--no-smtp", "domain", name)
    assert code == 1
    assert {"mx-alias", "mx-address", "mx-nowhere", "null-mx-beside", "open-network", "no-all", "leading-blank", "version-case",
            "report-address", "sts-id"} <= codes(answer)


def test_a_null_mx_is_not_a_mistake(dns):
    code, answer = lookup("--no-smtp", "domain", "nullmx.example.net")
    assert answer["mx"]["result"] == "null" and "no-mx" not in codes(answer)


def test_a_dead_resolver_is_not_an_answer():
    done = sekisho.run("lookup", "--resolver", "127.0.0.1@9", "--no-smtp", "domain", "example.net")
    assert done.returncode == 69 and "no name server answers" in done.stderr


@pytest.fixture
def rbldnsd(directory):
    if not shutil.which("rbldnsd"):
        pytest.skip("rbldnsd is missing (package rbldnsd)")
    for name, text in (("ip", ":127.0.0.2:listed $\n127.0.0.2\n198.51.100.7\n"), ("domain", ":127.0.1.2:bad\nbad.example.test\ntest\n"),
                       ("error", ":127.255.255.254:no\n203.0.113.0/24\n"), ("all", ":127.0.0.2:all\n203.0.113.0/24\n127.0.0.0/24\n")):
        with open(os.path.join(directory, name), "w") as f:
            f.write(text)
    process = subprocess.Popen(["rbldnsd", "-n", "-b", "127.0.0.88/53", "-u", "nobody", "-t", "60", "-w", directory,
                                "ip.test:ip4set:ip", "dom.test:dnset:domain", "err.test:ip4set:error", "all.test:ip4set:all"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: sekisho.run("lookup", "--resolver", "127.0.0.88", "ptr", "127.0.0.2").returncode == 1)
    yield "127.0.0.88"
    process.terminate()
    process.wait(timeout=10)


def test_listings_of_rbldnsd(rbldnsd):
    def ask(*arguments):
        done = sekisho.run("lookup", "--resolver", rbldnsd, "--json", *arguments)
        return done.returncode, {entry["list"]: entry["result"] for entry in json.loads(done.stdout)["lists"]}
    assert ask("--dnsbl", "ip.test", "blacklist", "198.51.100.7") == (1, {"ip.test": "listed"})
    assert ask("blacklist", "203.0.113.5", "--dnsbl", "ip.test") == (0, {"ip.test": "clean"})
    assert ask("--dnsbl", "dom.test", "--dnsbl", "ip.test", "blacklist", "bad.example.test") == \
        (1, {"dom.test": "listed", "ip.test": "clean"})
    assert ask("--dnsbl", "err.test", "--dnsbl", "all.test", "--dnsbl", "ip.test", "blacklist", "203.0.113.5") == \
        (0, {"err.test": "error", "all.test": "broken", "ip.test": "clean"})


def test_lists_of_a_policy_file_are_asked_by_its_resolver_and_shown_by_name(rbldnsd, directory):
    path = os.path.join(directory, "lists.conf")
    with open(path, "w") as f:
        f.write("resolver { forward %s }\ndnsbl first { zone ip.test  code 127.0.0.2 spam  weight 5 }\n"
                "dnsbl second { zone dom.test  of from.domain  code 127.0.1.2 phish }\ndnsbl gone { zone gone.ip.test }\n" % rbldnsd)
    done = sekisho.run("lookup", "-c", path, "blacklist", "198.51.100.7")
    assert done.returncode == 1 and "ip.test" not in done.stdout
    assert "first" in done.stdout and "spam  weight 5" in done.stdout and "second" not in done.stdout
    assert "its test entry (127.0.0.2)" in done.stdout.split("gone", 1)[1]
    done = sekisho.run("lookup", "-c", path, "--json", "blacklist", "bad.example.test")
    assert done.returncode == 1 and [entry["word"] for entry in json.loads(done.stdout)["lists"]] == ["phish"]
