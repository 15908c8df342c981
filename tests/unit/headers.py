#!/usr/bin/python3
"""headers.py - `sekisho headers`, and `sekisho explain` of a message without --client and --sender.

The program is $SEKISHO. The last line counts the cases.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("SEKISHO", "build/sekisho")

GOOD = """\
Return-Path: <alice@example.net>
Received: from mx.example.org (mx.example.org [192.0.2.25])
\tby store.example.org (Postfix) with ESMTPS id AAA
\tfor <bob@example.org>; Fri, 27 Nov 2026 18:00:05 +0100 (CET)
Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=alice@example.net; dkim=none
Received: from mail.example.net (mail.example.net [203.0.113.5])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))
\tby mx.example.org (Postfix) with ESMTPS id BBB
\tfor <bob@example.org>; Fri, 27 Nov 2026 17:00:01 +0000
Received: from [10.0.0.7] (unknown [10.0.0.7])
\tby mail.example.net (Postfix) with ESMTPA id CCC;
\tFri, 27 Nov 2026 11:59:59 EST
From: Alice <alice@example.net>
To: bob@example.org
Subject: hello
Date: Fri, 27 Nov 2026 16:59:58 +0000
Message-ID: <1@example.net>

body
"""


def edit(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


# A message, the exit code, and codes of advice: all of them.
ADVICE = [
    (GOOD, 0, []),
    (edit("17:00:01 +0000", "13:00:01 +0000"), 1, ["slow-hop", "time-backwards"]),
    (edit("18:00:05 +0100", "22:00:05 +0100"), 0, ["slow-hop"]),
    (edit("Fri, 27 Nov 2026 17:00:01 +0000", "whenever"), 0, ["no-date"]),
    (edit("from mx.example.org (mx.example.org", "from other.test (other.test"), 0, ["gap"]),
    (edit("Authentication-Results: mx.example.org", "Authentication-Results: elsewhere.test"), 0, ["results-by-others"]),
    (edit("Authentication-Results: mx.example.org; spf=pass", "Authentication-Results: ;;"), 0, ["results-unreadable"]),
    (edit("Date: Fri, 27 Nov 2026", "Date: Fri, 27 Nov 2025"), 0, ["date-far"]),
    (edit("Date: Fri, 27 Nov 2026 16:59:58 +0000", "Date: tomorrow"), 1, ["date"]),
    (edit("To: bob", "From: Eve <eve@example.net>\nTo: bob"), 1, ["author", "repeated-field"]),
    (edit("From: Alice <alice@example.net>\n", ""), 1, ["missing-field"]),
    (edit("<alice@example.net>\nReceived", "<bounce@list.test>\nReceived"), 0, ["other-sender"]),
    ("Subject: draft\n\nbody\n", 1, ["missing-field", "missing-field"]),
]


def run(*arguments, text=None):
    return subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, timeout=60, check=False)


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, what, seen):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print("FAILED %s: %r" % (what, seen))


def check_parts(count):
    answer = json.loads(run("headers", "--json", "-", text=GOOD.encode()).stdout)
    hops = answer["hops"]
    count.check([hop["by"] for hop in hops] == ["mail.example.net", "mx.example.org", "store.example.org"], "order", hops)
    count.check([hop["delay"] for hop in hops] == [None, 2, 4], "delays with time zones", hops)
    count.check([hop["encrypted"] for hop in hops] == [False, True, True], "encryption", hops)
    count.check(hops[1]["tls"] == "TLSv1.3" and hops[1]["ip"] == "203.0.113.5" and hops[1]["id"] == "BBB" and
                hops[1]["for"] == "<bob@example.org>", "parts of a hop", hops[1])
    count.check(answer["first-taken-by"] == "mail.example.net", "who first took it", answer)
    results = answer["authentication"][0]
    count.check(results["by"] == "mx.example.org" and results["above"] == "mx.example.org" and
                results["results"][0] == {"method": "spf", "result": "pass",
                                          "properties": {"smtp.mailfrom": "alice@example.net"}}, "results", results)
    count.check(answer["message"]["from"] == "Alice <alice@example.net>" and answer["advice"] == [], "message", answer)
    printed = run("headers", "-", text=GOOD.encode()).stdout.decode()
    count.check(all(text in printed for text in ("mail.example.net [203.0.113.5] -> mx.example.org", "2 s", "TLSv1.3",
                                                 "spf=pass smtp.mailfrom=alice@example.net", "everything fits together"))
                and "\033" not in printed, "text", printed)
    printed = run("headers", "-", text=edit("hello", "\033[31mred").encode()).stdout.decode()
    count.check("\\027[31mred" in printed and "\033" not in printed, "a terminal is not written to", printed)


def check_bad_input(count):
    """Pieces of headers in any order, cut anywhere: an answer, in time, and JSON that can be read."""
    chance = random.Random(1)
    pieces = [b"Received: from ", b"(", b")", b"by ", b";", b"\n\t", b"\n", b"\0", b"\xff\xfe", b"\\", b'"', b"Fri, 27 Nov 2026 ",
              b"99:99", b"+9999", b"Authentication-Results: ", b"a.b; spf=pass", b"x=", b"[192.0.2.1]", b"(" * 300, b"From: ",
              b"<@>", b"Date: ", b"Return-Path: ", b"a" * 2000, b"TLSv", b"with ESMTPS "]
    for number in range(150):
        text = b"Received: " + b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 80)))
        done = run("headers", "--json", "-", text=text)
        try:
            good = done.returncode in (0, 1) and (not done.stdout or json.loads(done.stdout))
        except ValueError:
            good = False
        count.check(good and not done.returncode < 0, "bad input %d" % number, (done.returncode, text[:200], done.stderr[:200]))
    done = run("headers", "--json", "-", text=b"Received: from a (b [192.0.2.1]) by c.d; now\n" * 4000)
    count.check(len(json.loads(done.stdout)["hops"]) == 100, "hops are bounded", done.stderr)
    for text, wanted in ((b"", 1), (b"\n\nbody", 1), (b"\0" * 1000, 1)):
        done = run("headers", "-", text=text)
        count.check(done.returncode == wanted and b"header field" in done.stderr, "no header", done)


def check_explain(count, scratch):
    policy = os.path.join(scratch, "policy")
    zone = os.path.join(scratch, "zone")
    message = os.path.join(scratch, "message")
    for path, text in ((policy, "policy inbound { on mail { reject if sender.domain is \"nobody.test\" } }\n"), (zone, "a.test A 192.0.2.1\n"),
                       (message, GOOD)):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    def explain(*more, message=message):
        return run("explain", "-c", policy, "--zone", zone, *more, message)
    done = explain()
    count.check(done.returncode == 0 and b"sender <alice@example.net> from Return-Path" in done.stdout and
                b"192.0.2.25" in done.stdout and b"top Received field" in done.stdout, "explain takes them", done)
    answer = json.loads(explain("--json").stdout)
    count.check(answer["facts"]["client"] == "192.0.2.25" and answer["facts"]["sender"] == "alice@example.net" and
                answer["facts"]["helo"] == "mx.example.org" and
                answer["taken"] == {"sender": "Return-Path", "client": "Received", "helo": "Received"}, "explain --json", answer)
    answer = json.loads(explain("--json", "--client", "198.51.100.1", "--sender", "<>").stdout)
    count.check(answer["facts"]["client"] == "198.51.100.1" and answer["taken"] == {} and
                answer["facts"]["helo"] != "mx.example.org", "what is given counts", answer)
    bare = os.path.join(scratch, "bare")
    with open(bare, "w", encoding="ascii") as f:
        f.write("Subject: x\n\n")
    done = explain(message=bare)
    count.check(done.returncode == 64 and b"--client IP is missing" in done.stderr, "nothing to take", done)


def main():
    count = Count()
    for text, code, wanted in ADVICE:
        done = run("headers", "--json", "-", text=text.encode())
        codes = sorted(advice["code"] for advice in json.loads(done.stdout)["advice"])
        count.check((done.returncode, codes) == (code, wanted), wanted, (done.returncode, codes, done.stdout))
    check_parts(count)
    check_bad_input(count)
    with tempfile.TemporaryDirectory(prefix="sekisho-headers-") as scratch:
        check_explain(count, scratch)
    print("%d passed, %d failed" % (count.passed, count.failed))
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
