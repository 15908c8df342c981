"""The web: metrics that Prometheus takes, a password before the rest, and no effect on mail whatever its clients do."""
import base64
import html
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import sekisho
import smtp
from mta import wait_for

PORT = 9891
PASSWORD = "a password of 4 words"
BOB = "<bob@example.org>"
CONF = os.path.join(os.path.dirname(os.path.dirname(sekisho.HERE)), "conf")

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.1 "refused, case %{case}"               if sender matches /^"?early/
    try defer 451 4.7.1 "later"                            if sender matches /^odd/
  }
  on message {
    add-header X-Seen "yes"                                if spf is pass
    log "a spoof"                                          if dmarc is fail
  }
}
"""


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    made = sekisho.run("web-password", f"{module_directory}/password", input=PASSWORD + "\n")
    assert made.returncode == 0, made.stderr
    made = sekisho.run("genkey", "pass.example.net", "s1", "--out", f"{module_directory}/s1.pem")
    assert made.returncode == 0, made.stderr
    settings = f"""sign pass.example.net {{ selector s1 key {module_directory}/s1.pem }}
history sqlite:{module_directory}/history.db
store memory:
web {{ listen inet:{PORT}@127.0.0.1  password-file {module_directory}/password  host mx.example.org }}
"""
    with sekisho.Daemon(module_directory, POLICY, settings=settings) as running:
        yield running


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()


def get(path="/", password=PASSWORD, method="GET", **headers):
    """An answer of the daemon; with password None, none is sent."""
    if password is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    connection.request(method, path, headers=headers)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def metrics(**headers):
    answer = get("/metrics", password=None, **headers)
    assert answer.status == 200
    return answer.text


def metric(start):
    """The value of the line that begins so; 0 when there is none."""
    found = [line for line in metrics().split("\n") if line.startswith(start)]
    assert len(found) < 2, found
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def promtool(*arguments, text=None):
    program = shutil.which("promtool")
    if not program:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    return subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=60)


# ---- metrics


def test_promtool_takes_the_metrics(daemon):
    done = promtool("check", "metrics", text=metrics())
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_promtool_takes_the_alerts_and_they_name_metrics_that_exist(daemon):
    done = promtool("check", "rules", os.path.join(CONF, "sekisho-alerts.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    with open(os.path.join(CONF, "sekisho-alerts.yml")) as alerts, open(os.path.join(CONF, "sekisho-grafana.json")) as board:
        text = alerts.read() + json.dumps(json.loads(board.read()))
    named = set(re.findall(r"sekisho_[a-z_]+", text))
    with open(os.path.join(os.path.dirname(CONF), "filter/web/sekisho-metrics.7")) as f:
        manual = f.read()
    assert len(named) > 10
    for name in named:
        base = name[:-len("_bucket")] if name.endswith("_bucket") else name
        assert f".It Li {base}\n" in manual, name


def test_messages_are_counted_by_their_rule_and_nothing_of_them_is_shown(daemon, mta, token):
    rule, tried = daemon.line("reject 550"), daemon.line("try defer")
    refused = f'sekisho_verdicts_total{{kind="inbound",verdict="reject",rule="{rule}"}}'
    would = f'sekisho_would_total{{kind="inbound",rule="{tried}"}}'
    before = metric(refused), metric(would), metric("sekisho_dns_questions_total"), metric("sekisho_history_records_total")
    smtp.send(mta, f"<early-{token}@pass.example.net>", [BOB], smtp.message(token))
    smtp.send(mta, f"<odd-{token}@pass.example.net>", [BOB], smtp.message(token))
    assert wait_for(lambda: metric(refused) == before[0] + 1 and metric(would) == before[1] + 1)
    assert metric("sekisho_dns_questions_total") > before[2]
    assert wait_for(lambda: metric("sekisho_history_records_total") >= before[3] + 2, seconds=10)
    text = metrics()
    assert token not in text and "pass.example.net" not in text and "203.0.113" not in text


def test_openmetrics_is_there_for_who_accepts_it(daemon):
    answer = get("/metrics", password=None, Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("\n# EOF\n") and "# TYPE sekisho_messages counter" in answer.text
    assert get("/metrics", password=None).headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_reload_is_counted(daemon):
    before = metric("sekisho_reloads_total"), metric("sekisho_reload_failures_total")
    assert daemon.reload()[0] == 0
    daemon.configure(POLICY + "nonsense\n")
    assert daemon.reload()[0] == 1
    daemon.configure(POLICY)
    assert (metric("sekisho_reloads_total"), metric("sekisho_reload_failures_total")) == (before[0] + 1, before[1] + 1)


# ---- who may see what


def test_healthz_needs_no_password(daemon):
    answer = get("/healthz", password=None)
    assert (answer.status, answer.text) == (200, "ok\n")


def test_the_page_needs_the_password(daemon):
    assert get("/").status == 200
    for path in ("/", "/nothing"):
        answer = get(path, password=None)
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert get("/nothing").status == 404


def test_every_answer_has_a_strict_policy(daemon):
    for answer in (get("/"), get("/", password=None), get("/metrics"), get("/", method="POST"), get("/", Host="evil.example")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"


def test_nothing_can_be_changed(daemon):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert get("/", method=method).status == 405


def test_another_name_for_this_host_is_refused(daemon):
    for path in ("/", "/metrics", "/healthz"):
        assert get(path, Host="rebound.evil.example").status == 421
    for name in ("mx.example.org", "localhost", f"127.0.0.1:{PORT}", "[::1]"):
        assert get("/", Host=name).status == 200


def test_guessing_is_slowed_and_does_not_find_the_password(nameserver, directory):
    assert sekisho.run("web-password", f"{directory}/password", input=PASSWORD).returncode == 0
    settings = f"web {{ listen inet:{PORT + 1}@127.0.0.1  password-file {directory}/password }}\n"
    with sekisho.Daemon(directory, POLICY, listen="inet:8991@127.0.0.1", settings=settings):
        codes = []
        for guess in [f"guess {i}" for i in range(6)] + [PASSWORD]:
            connection = http.client.HTTPConnection("127.0.0.1", PORT + 1, timeout=20)
            word = base64.b64encode(f"me:{guess}".encode()).decode()
            connection.request("GET", "/", headers={"Authorization": "Basic " + word})
            codes.append(connection.getresponse().status)
            connection.close()
        assert codes == [401] * 5 + [429, 429]


def test_a_unix_socket_needs_no_password_and_has_a_mode(nameserver, directory):
    path = f"{directory}/web.sock"
    with sekisho.Daemon(directory, POLICY, listen="inet:8991@127.0.0.1", settings=f"web {{ listen unix:{path}  mode 0600 }}\n"):
        assert os.stat(path).st_mode & 0o777 == 0o600
        done = subprocess.run(["curl", "-s", "--unix-socket", path, "http://sekisho/"], capture_output=True, text=True)
        assert "<h1>" in done.stdout
    assert not os.path.exists(path)


def test_a_password_file_that_everybody_can_read_stops_the_start(nameserver, directory):
    assert sekisho.run("web-password", f"{directory}/password", input=PASSWORD).returncode == 0
    os.chmod(f"{directory}/password", 0o644)
    daemon = sekisho.Daemon(directory, POLICY, start=False, settings=f"web {{ listen inet:{PORT + 1}@127.0.0.1  "
                            f"password-file {directory}/password }}\n", listen="inet:8991@127.0.0.1")
    daemon.launch()
    assert daemon.process.wait(timeout=15) == 69
    assert "every user of this host can read it" in daemon.errors()


# ---- mail goes on


def connect():
    return socket.create_connection(("127.0.0.1", PORT), timeout=20)


def test_a_thousand_connections_and_slow_ones_do_not_reach_mail(daemon, mta, token):
    """1000 connections, of which each sends a byte now and then and never a whole request."""
    crowd, ended = [], threading.Event()
    for _ in range(1000):
        try:
            crowd.append(connect())
        except OSError:
            break

    def drip():
        while not ended.wait(0.5):
            for one in crowd[:200]:
                try:
                    one.send(b"G")
                except OSError:
                    pass
    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert len(crowd) > 500
        for i in range(10):
            done = smtp.send(mta, f"<{token}-{i}@pass.example.net>", [BOB], smtp.message(f"{token}{i}"))
            assert done.end.code == 250
        descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        assert descriptors < 200
    finally:
        ended.set()
        thread.join()
        for one in crowd:
            one.close()
    assert wait_for(lambda: get("/healthz", password=None).status == 200, seconds=30)


def test_a_request_that_comes_byte_by_byte_is_cut_off(daemon):
    with connect() as slow:
        slow.settimeout(1)
        ends = time.time() + 40
        while time.time() < ends:
            try:
                slow.send(b"G")
                if slow.recv(100) == b"":
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        else:
            raise AssertionError("the connection is still open after 40 s")


def test_what_is_no_request_is_refused_or_cut_off(daemon):
    for data in (b"\x00" * 1000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET " + b"/" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic !!!\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"):
        with connect() as one:
            try:
                one.sendall(data)
            except OSError:
                continue
            answer = one.makefile("rb").read(12)
            assert answer == b"" or answer[9:10] == b"4", (data[:40], answer)
    assert get("/healthz", password=None).status == 200


# ---- the page and its search


def test_the_page_shows_the_traffic_and_who_was_refused(daemon, mta, token):
    smtp.send(mta, f"<early-{token}@pass.example.net>", [BOB], smtp.message(token))
    assert wait_for(lambda: f"early-{token}@pass.example.net" in get("/?range=hour").text, seconds=10)
    text = get("/").text
    assert daemon.line("reject 550") in text and "<svg" in text and "<script" not in text and "style=" not in text
    for path in ("/style.css", "/icon.svg"):
        assert get(path).status == 200
    assert get("/?range=week").status == get("/?range=nonsense").status == 200


def test_the_page_of_our_domains_shows_who_sends_as_them(daemon, mta, token):
    """Of a domain with a key, each client is a line; the mail of others is not there, whatever a request says."""
    def rows(path="/domains?range=hour"):
        page = get(path).text
        assert "<script" not in page and "style=" not in page
        found = re.findall(r"<tr><td class=\"mail\">(.*?)</tr>", page)
        return [[html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row.split("<td")] for row in found]

    def count():
        return sum(int(row[4].split(">")[-1]) for row in rows() if len(row) == 5 and "203.0.113.5" in row[0])
    before = count()
    for sender in ("alice@pass.example.net", "alice@elsewhere.example.net"):
        smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(token, sender=sender))
    assert wait_for(lambda: count() == before + 1, seconds=10), rows()
    assert [row[0] for row in rows() if len(row) == 2] == ["pass.example.net"]
    for said in ("pass.example.net", "PASS.example.net", "elsewhere.example.net", '"><script>alert(1)</script>', "%00"):
        assert rows("/domains?range=hour&domain=" + urllib.parse.quote(said)) == rows()


def test_the_search_tells_the_story_that_why_tells(daemon, mta, token):
    done = smtp.send(mta, f"<early-{token}@pass.example.net>", [BOB], smtp.message(token))
    case = re.search(r"case ([0-9a-z]{12})", done.last.text).group(1)
    assert wait_for(lambda: case in get(f"/search?q={case}").text.split("<main", 1)[1].split("<dd", 1)[-1], seconds=10)
    page = html.unescape(re.sub(r"<[^>]*>", " ", get(f"/search?q={case}").text))
    told = sekisho.run("why", "-c", daemon.file, case)
    words = [word for line in told.stdout.split("\n") for word in line.split()]
    assert told.returncode == 0 and len(words) > 30
    assert [word for word in words if word not in page and word not in ("on", "dns")] == []
    for sought in (f"early-{token}@pass.example.net", "203.0.113.5"):
        assert case in get(f"/search?q={sought}").text


def test_what_is_searched_is_never_more_than_a_text(daemon):
    for sought in ("' OR 1=1 --", "%00", "x' UNION SELECT line FROM m1; DROP TABLE count", "<script>alert(1)</script>",
                   '"><img src=x onerror=alert(1)>', "\x7f\x1b[31m", "a@b\u202e", "..%2f..%2fetc/passwd", "<>", "@", "%"):
        answer = get("/search?q=" + urllib.parse.quote(sought))
        assert answer.status == 200, sought
        assert "<script" not in answer.text and "<img" not in answer.text
        assert "<article" not in answer.text or sought in ("<>", "%")
    assert get("/search?q=" + "x" * 65536).status in (413, 414, 431)
    assert "No case and no address is so long" in get("/search?q=" + "x" * 1000).text
    assert get("/").status == 200


def test_markup_of_a_sender_stays_a_text(daemon, mta, token):
    smtp.send(mta, f'<"early<b>{token}</b>&amp;"@pass.example.net>', [BOB], smtp.message(token))
    assert wait_for(lambda: f"&lt;b&gt;{token}&lt;/b&gt;&amp;amp;" in get("/?range=hour").text, seconds=10)
    assert f"<b>{token}" not in get("/?range=hour").text
