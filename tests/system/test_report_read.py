"""Reports of others, as strangers may write them: what was sent is what is shown, and no input makes the program take more
than 100 MB or read on for ever."""
import base64
import csv
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib

import pytest

import sekisho

ENGINES = ("native",)  # nothing here reads the milter protocol
MEMORY_MAX = 100 * 1024  # KB
GIGABYTE = 1 << 30
OUTSIDE_MAX = 300 << 20  # bytes that are taken of an input that does not end: the largest report, and what a pipe holds

NAMESPACES = {"none": "", "draft": ' xmlns="http://dmarc.org/dmarc-xml/0.1"', "RFC 9990": ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'}
PASSES = "<disposition>none</disposition><dkim>pass</dkim><spf>pass</spf>"
FAILS = "<disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf>"
REJECTED = "<disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf>"
LISTED = "<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf><reason><type>mailing_list</type></reason>"


def record(source, count, evaluated, results="", author="example.org"):
    return (f"<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>{evaluated}"
            f"</policy_evaluated></row><identifiers><header_from>{author}</header_from></identifiers>"
            f"<auth_results>{results}</auth_results></record>\n")


def dkim(domain, result):
    return f"<dkim><domain>{domain}</domain><selector>s</selector><result>{result}</result></dkim>"


def head(org="receiver.example", name="1", domain="example.org", namespace="", begin=int(time.time()) // 86400 * 86400 - 86400):
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback{namespace}><report_metadata><org_name>{org}</org_name>'
            f"<email>a@{org}</email><report_id>{name}</report_id><date_range><begin>{begin}</begin>"
            f"<end>{begin + 86399}</end></date_range></report_metadata><policy_published><domain>{domain}</domain>"
            f"<p>none</p><sp>none</sp></policy_published>\n")


def report(*records, **about):
    return (head(**about) + "".join(records or [record("192.0.2.1", 3, PASSES)]) + "</feedback>\n").encode()


def zipped(data, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr("report.xml", data)
    return out.getvalue()


def mail(data, type="application/gzip"):
    return (b"From: a@receiver.example\nSubject: Report Domain: example.org\nMIME-Version: 1.0\n"
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nA report.\n--b\nContent-Type: "
            + type.encode() + b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(data) + b"--b--\n")


def tls(name="t1", good=5, failed=2):
    return json.dumps({
        "organization-name": "Receiver", "report-id": name, "contact-info": "a@receiver.example",
        "date-range": {"start-datetime": "2026-11-26T00:00:00Z", "end-datetime": "2026-11-26T23:59:59Z"},
        "policies": [{"policy": {"policy-type": "sts", "policy-domain": "example.org"},
                      "summary": {"total-successful-session-count": good, "total-failure-session-count": failed},
                      "failure-details": [{"result-type": "certificate-expired", "receiving-mx-hostname": "mx1.example.org",
                                           "sending-mta-ip": "192.0.2.7", "failed-session-count": failed}]}]}).encode()


def read(*arguments, code=0, **options):
    done = sekisho.run("report", "read", *map(str, arguments), **options)
    assert done.returncode == code, done.stderr
    return done


def read_json(*arguments, code=0):
    done = read("--json", *arguments, code=code)
    return json.loads(done.stdout)


def write(directory, name, data):
    path = os.path.join(str(directory), name)
    with open(path, "wb") as f:
        f.write(data)
    return path


@pytest.fixture
def here(tmp_path):
    return tmp_path


# ---- what is read -------------------------------------------------------------------------------------


def forms():
    """Every form of a file, with a name that says nothing."""
    data = report()
    yield "xml", data
    yield "gzip", gzip.compress(data)
    yield "zip", zipped(data)
    yield "stored", zipped(data, zipfile.ZIP_STORED)
    yield "eml", mail(gzip.compress(data))
    yield "mbox", b"From a Thu Nov 26 00:00:00 2026\n" + mail(zipped(data), "application/zip") + b"\n"
    for name, namespace in NAMESPACES.items():
        yield name, report(namespace=namespace)


@pytest.mark.parametrize("form,data", forms(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_form_is_found_by_its_content(here, form, data):
    path = write(here, "file", data)
    for read_from in (path, "-"):
        with open(path, "rb") as f:
            done = subprocess.run([sekisho.PROGRAM, "report", "read", "--json", read_from], stdin=f, capture_output=True, timeout=30)
        found = json.loads(done.stdout)
        assert done.returncode == 0 and done.stderr == b""
        assert found["reports"] == 1 and found["domains"][0]["about"]["messages"] == 3


def test_a_maildir_is_read_and_what_came_twice_counts_once(here):
    for folder in ("new", "cur", "tmp"):
        os.makedirs(here / "box" / folder)
    write(here / "box" / "new", "1", mail(gzip.compress(report())))
    write(here / "box" / "cur", "2:2,S", mail(gzip.compress(report())))
    write(here / "box" / "cur", "3:2,S", mail(gzip.compress(report(name="2"))))
    write(here / "box" / "cur", "4", b"From: b@example.net\nSubject: hello\n\nhello\n")
    write(here / "box" / "tmp", "5", b"half")
    found = read_json(here / "box")
    assert (found["reports"], found["duplicates"]) == (2, 1)
    assert (found["messages"], found["messages-without-report"]) == (4, 1)
    assert found["domains"][0]["about"]["messages"] == 6
    assert "1 report came again and counts once" in read(here / "box").stdout


def test_the_table_tells_who_sends_and_what_a_policy_costs(here):
    path = write(here, "a.xml", report(
        record("192.0.2.1", 80, PASSES), record("192.0.2.1", 2, FAILS),
        record("198.51.100.1", 7, LISTED), record("198.51.100.2", 5, FAILS, dkim("mailer.example", "pass")),
        record("198.51.100.3", 4, REJECTED, dkim("example.org", "fail")), record("2001:db8::1", 2, REJECTED)))
    found = read_json(path)["domains"][0]
    assert found["about"]["pass"] == 80 and found["about"]["messages"] == 100
    sources = {source["source"]: source for source in found["sources"]}
    failed = {name: {kind: count for kind, count in source["failed"].items() if count} for name, source in sources.items()}
    assert failed == {"192.0.2.1": {"known-source": 2}, "198.51.100.1": {"forwarded": 7}, "198.51.100.2": {"other-domain": 5},
                      "198.51.100.3": {"broken-signature": 4}, "2001:db8::1": {"nothing-passes": 2}}
    assert sources["198.51.100.2"]["passes-as"] == "mailer.example"
    assert sources["198.51.100.3"]["reject"] == 4 and sources["198.51.100.1"]["reasons"] == ["mailing_list"]
    shown = read(path).stdout
    assert "p=quarantine or p=reject hits 20 messages (20.0 %), of which 18 look legitimate:" in shown
    assert "passes as mailer.example" in shown and "receiver.example" in shown
    assert "DMARC  example.org  p=none sp=none" in shown


def test_many_sources_are_shown_by_network_and_csv_has_each(here):
    path = write(here, "a.xml", report(*(record(f"192.0.2.{i}", 1, PASSES) for i in range(200)),
                                       *(record(f"10.{i}.0.1", 2, PASSES) for i in range(60))))
    shown = read(path).stdout
    assert "192.0.2.0/24 (200)" in shown and "more networks with" in shown
    rows = list(csv.DictReader(io.StringIO(read("--csv", path).stdout)))
    assert len(rows) == 260 and sum(int(row["messages"]) for row in rows) == 320
    assert all(row["domain"] == "example.org" and row["reporter"] == "receiver.example" for row in rows)


def test_a_domain_and_a_time_are_chosen(here):
    paths = [write(here, "1", report(record("192.0.2.1", 3, PASSES, author="example.net"), domain="example.net")), write(here, "2", report()),
             write(here, "3", report(record("192.0.2.9", 5, PASSES, author="sub.example.org"), name="2", begin=86400))]
    found = read_json("--domain", "Example.ORG", *paths)
    assert found["other-domains"] == 1 and [one["about"]["domain"] for one in found["domains"]] == ["example.org"]
    assert found["domains"][0]["about"]["messages"] == 8
    found = read_json("--domain", "sub.example.org", *paths)
    assert found["domains"][0]["about"]["messages"] == 5
    found = read_json("--since", "30d", *paths)
    assert found["older"] == 1 and found["reports"] == 2


def test_long_texts_are_cut_in_the_table(here):
    path = write(here, "a.xml", report(org="o" * 100))
    assert "o" * 40 + "..." in read(path).stdout and "o" * 41 not in read(path).stdout
    assert "o" * 100 in read("--csv", path).stdout


def test_tls_reports_are_shown(here):
    paths = [write(here, "1", tls()), write(here, "2", gzip.compress(tls("t2", 10, 1))),
             write(here, "3", mail(gzip.compress(tls("t2", 10, 1)), "application/tlsrpt+gzip"))]
    found = read_json(*paths)
    assert found["tls"]["reports"] == 2 and found["duplicates"] == 1
    assert [(row["result"], row["receiving-host"], row["sessions"]) for row in found["tls"]["results"]] == [
        ("success", "", 15), ("certificate-expired", "mx1.example.org", 3)]
    assert "certificate-expired, mx1.example.org" in read(*paths).stdout
    rows = list(csv.DictReader(io.StringIO(read("--csv", "--tls", *paths).stdout)))
    assert [row["sessions"] for row in rows] == ["15", "3"]


def test_texts_of_strangers_do_nothing_to_a_terminal_or_a_spreadsheet(here):
    evil = "=cmd|'/c calc'!A1&#x9b;31m,&#10;x"
    path = write(here, "a.xml", report(org=evil))
    shown = read(path).stdout
    assert "\x1b" not in shown and "\x9b" not in shown and "\\x" in shown
    row = read("--csv", path).stdout.splitlines()[1]
    assert list(csv.reader([row]))[0][17] == "'=cmd|'/c calc'!A1\\xc2\\x9b31m,\\x0ax"
    assert read("--json", path).stdout.isascii()
    assert read_json(path)["domains"][0]["sources"][0]["reporters"] == ["=cmd|'/c calc'!A1\x9b31m,\nx"]


# ---- what is not read ----------------------------------------------------------------------------------------


def entries(*kinds):
    """A document type with entities that grow tenfold each."""
    lines = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a0 "lol">{lines}]><feedback>&a9;</feedback>'.encode()


BAD = [
    ("entities in entities", entries(), "DOCTYPE"),
    ("an external entity", b'<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feedback>&x;</feedback>', "DOCTYPE"),
    ("an external document type", b'<!DOCTYPE feedback SYSTEM "http://192.0.2.1/x.dtd"><feedback/>', "DOCTYPE"),
    ("deep nesting", head().encode() + b"<x>" * 100000, "nested too deep"),
    ("gzip in gzip", gzip.compress(gzip.compress(report())), "archive in an archive"),
    ("zip in zip", zipped(zipped(report())), "archive in an archive"),
    ("a mailbox in zip", zipped(b"From a\n" + mail(report())), "neither XML nor JSON"),
    ("a cut archive", gzip.compress(report())[:-20], "ends early"),
    ("a bomb", gzip.compress(head().encode() + b" " * (50 << 20)), "250 times"),
    ("a bomb in zip in mail", mail(zipped(head().encode() + b" " * (50 << 20)), "application/zip"), "250 times"),
    ("HTML", b"<!doctype html><html></html>", "not correct XML"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(1000), "neither"),
    ("other JSON", b'{"a": 1}', "not a TLS report"),
]


@pytest.mark.parametrize("name,data,why", BAD, ids=[case[0] for case in BAD])
def test_what_cannot_be_read_is_told_and_the_others_are_read(here, name, data, why):
    bad, good = write(here, "bad", data), write(here, "good", report())
    done = read("--json", bad, good, code=1)
    found = json.loads(done.stdout)
    assert found["reports"] == 1 and found["domains"][0]["about"]["messages"] == 3
    assert found["skipped-count"] == 1 and why in found["skipped"][0]["why"]
    assert bad in done.stderr and why in done.stderr and "root:" not in done.stderr


def test_a_bad_message_of_a_mailbox_is_told_by_its_number(here):
    good = [mail(gzip.compress(report(name=str(i)))) for i in range(3)]
    box = b"".join(b"From a\n" + one + b"\n" for one in (good[0], mail(b"\x1f\x8bbad"), good[1], good[2]))
    done = read("--json", write(here, "box", box), code=1)
    assert json.loads(done.stdout)["reports"] == 3 and ": message 2: the archive is damaged" in done.stderr


def test_many_bad_files_do_not_fill_the_terminal(here):
    box = b"".join(b"From a\n" + mail(b"\x1f\x8bbad") + b"\n" for _ in range(60))
    done = read(write(here, "box", box), code=1)
    assert len(done.stderr.splitlines()) == 51 and "10 more were skipped" in done.stderr


def test_wrong_usage_and_files_that_are_missing_are_told(here):
    good = write(here, "good", report())
    assert "a file is needed" in read(code=64).stderr
    assert "--json or --csv" in read("--json", "--csv", good, code=64).stderr
    assert "--since takes" in read("--since", "soon", good, code=64).stderr
    assert "--domain takes" in read("--domain", "a b", good, code=64).stderr
    done = read("--json", here / "missing", good, code=66)
    assert "missing" in done.stderr and json.loads(done.stdout)["reports"] == 1
    assert "there is no report" in read(write(here, "mail", b"From: a@b\n\nhello\n"), code=1).stderr
    done = sekisho.run("report", "write")
    assert done.returncode == 64 and "not a subcommand" in done.stderr


# ---- bounds --------------------------------------------------------------------------------------------------------


# The kernel counts for a process the memory that its parent had when it was started, so a small one starts it.
STARTER = """import os, sys
_, status, usage = os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ), 0)
os.write(int(sys.argv[1]), b"%d" % usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))"""


def measured(pieces, timeout=80):
    """The exit code, the output, the peak of memory in KB, and how many bytes were taken, of an input that is made while
    it is read."""
    taken = [0]
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-S", "-c", STARTER, str(writer), sekisho.PROGRAM, "report", "read", "--json", "-"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[writer])
    os.close(writer)

    def pour():
        try:
            for piece in pieces:
                process.stdin.write(piece)
                taken[0] += len(piece)
            process.stdin.close()
        except BrokenPipeError:
            pass

    pourer, stopper = threading.Thread(target=pour, daemon=True), threading.Timer(timeout, process.kill)
    pourer.start()
    stopper.start()
    with os.fdopen(reader) as peak:
        output = process.stdout.read().decode()
        memory = int(peak.read())
    process.wait()
    stopper.cancel()
    pourer.join(10)
    return process.returncode, output, memory, taken[0]


def repeated(first, piece, size=GIGABYTE):
    block = piece * max(1, (1 << 18) // len(piece))
    yield first
    for _ in range(size // len(block)):
        yield block


def deflated(pieces, window_bits=31):
    packer = zlib.compressobj(1, zlib.DEFLATED, window_bits)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def numbered(first, form, count):
    yield first
    for start in range(0, count, 5000):
        yield b"".join([form % i for i in range(start, start + 5000)])


ROW = record("192.0.2.1", 1, PASSES).encode()
LONG = {
    "records": (repeated(head().encode(), ROW), "larger than 256 MB"),
    "text": (repeated(head().encode() + b"<x>", b"a"), "larger than 256 MB"),
    "results of one record": (repeated(head().encode() + b"<record><auth_results>", dkim("x" * 200, "pass").encode()), "larger than 256 MB"),
    "a tag": (repeated(head().encode() + b"<x y='", b"a"), "longer than 256 KB"),
    "attributes": (numbered(head().encode() + b"<x ", b"a%d='1' ", 10 ** 8), "longer than 256 KB"),
    "a comment": (repeated(head().encode() + b"<!--", b"a"), "longer than 256 KB"),
    "names": (numbered(head().encode(), b"<n%d/>", 10 ** 8), "different names"),
    "namespaces": (numbered(head().encode(), b"<x xmlns='u%d'/>", 10 ** 8), "different names"),
    "after the end": (repeated(report(), b" "), "larger than 256 MB"),
    "a header": (repeated(b"From: a@b\n", b"X-A: b\n"), "larger than 1024 KB"),
    "a field": (repeated(b"From: a@b\nX-A: ", b"b"), "larger than 1024 KB"),
    "JSON": (repeated(b'{"policies":[', b"[],"), "larger than 256 KB"),
    "gzip of records": (deflated(numbered(head().encode(), record("10.0.0.1", "%d", PASSES).encode(), 10 ** 8)), "than 256 MB"),
}


@pytest.mark.parametrize("name", LONG)
def test_an_input_that_does_not_end_is_not_read_to_its_end(name):
    pieces, why = LONG[name]
    code, output, memory, taken = measured(pieces)
    assert code == 1 and why in output, output[:500]
    assert memory < MEMORY_MAX
    assert taken < OUTSIDE_MAX


def test_a_mailbox_of_a_gigabyte_is_read_in_little_memory():
    one = b"From a\n" + mail(gzip.compress(report())) + b"\n" + b"From b\nSubject: x\n\n" + b"hello\n" * 40000 + b"\n"
    code, output, memory, taken = measured(repeated(b"", one))
    found = json.loads(output)
    assert code == 0 and taken > GIGABYTE * 0.9
    assert found["reports"] == 1 and found["duplicates"] == found["messages"] // 2 - 1 > 3000
    assert memory < MEMORY_MAX


def test_as_many_sources_names_and_reports_as_are_told_apart_fit():
    """Each table at its bound at the same time."""
    def pieces():
        yield b""
        for number in range(40):
            records = (record(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 1, FAILS, dkim(f"{i}.{'x' * 200}", "pass"))
                       for i in range(number * 2000, number * 2000 + 2000))
            yield b"From a\nContent-Type: text/xml\n\n" + report(*records, name=f"many{number}") + b"\n"
        one = b"From a\nContent-Type: text/xml\n\n" + report(name="%d") + b"\n"
        yield from numbered(b"", one, 260000)

    code, output, memory, _ = measured(pieces())
    found = json.loads(output)
    assert code == 0 and found["reports"] == 260040 and found["duplicates-complete"] is False
    assert found["domains"][0]["about"]["messages"] == 80000 + 3 * 260000
    assert any(source["source"] == "(others)" for source in found["domains"][0]["sources"])
    assert memory < MEMORY_MAX


def test_the_kernel_bounds_its_memory_too():
    process = subprocess.Popen([sekisho.PROGRAM, "report", "read", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        until, limit = time.monotonic() + 20, "unlimited"
        while limit == "unlimited" and time.monotonic() < until:
            with open(f"/proc/{process.pid}/limits") as f:
                limit = [line.split()[3] for line in f if line.startswith("Max data size")][0]
        assert limit != "unlimited" and int(limit) < 200 << 20
    finally:
        assert b"it is empty" in process.communicate(timeout=20)[1]


def test_a_tls_report_that_is_all_objects_fits():
    code, output, memory, _ = measured([b'{"policies":[' + b"{}," * 80000 + b"{}]}"])
    assert code == 1 and "more than 1000 policies" in output and memory < MEMORY_MAX


def test_zip_with_what_its_header_does_not_say(here):
    data = zlib.compress(report())[2:-4]
    lying = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(data), 1, 1, 0) + b"x" + data
    assert "check sum" in read(write(here, "lying", lying), code=1).stderr
