#!/usr/bin/python3
"""body_changes.py - `sekisho verify --before FILE AFTER` tells what happened to the body of a message.

Prints what fails and, last, the count; exits 1 when something does. The program is $SEKISHO, or build/sekisho.
"""
import json
import os
import subprocess
import sys
import tempfile

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho"))
HEAD = b"From: a@example.org\r\nSubject: hello\r\n"
TEXT = b"Hello Bob,\r\n\r\nhow are you?\r\nAlice\r\n"
MIXED = b"--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b--\r\n"
GERMAN = "Gr\u00fc\u00dfe\r\naus K\u00f6ln\r\n".encode()
results = {True: 0, False: 0}

# name: (header before, body before, header after, body after, what the answer has, a line of the text)
CASES = {
    "the same": (b"", TEXT, b"", TEXT, {"same": True, "simple": True, "relaxed": True}, "the body is the same"),
    "another header": (b"", TEXT, b"X-More: 1\r\n", TEXT, {"same": True, "simple": True}, "the body is the same"),
    "line ends": (b"", TEXT, b"", TEXT.replace(b"\r\n", b"\n"),
                  {"same": False, "simple": True, "relaxed": True, "line-ends": ["CRLF", "LF"]}, "line ends: CRLF before, LF after"),
    "mixed line ends": (b"", TEXT, b"", TEXT.replace(b"\r\n", b"\n", 1), {"line-ends": ["CRLF", "LF and CRLF"]}, "LF and CRLF after"),
    "blanks at a line end": (b"", TEXT, b"", TEXT.replace(b"you?", b"you? \t"), {"simple": False, "relaxed": True, "trailing-blanks": 3},
                             "blanks at the end of lines were changed, first in line 3"),
    "empty lines at the end": (b"", TEXT, b"", TEXT + b"\r\n\r\n", {"simple": True, "empty-lines": [0, 2]}, "empty lines at the end: 0 before, 2 after"),
    "a changed line": (b"", TEXT, b"", TEXT.replace(b"how", b"who"),
                       {"simple": False, "relaxed": False, "change": "changed", "line": 3, "before": "how are you?", "after": "who are you?"},
                       "line 3 is the first that was changed"),
    "a footer": (b"", TEXT, b"", TEXT + b"-- \r\nthe list\r\n", {"change": "footer", "line": 5, "lines": 2, "before": None, "after": "-- "},
                 "a footer was added: 2 lines from line 5 on"),
    "a footer in LF": (b"", TEXT, b"", (TEXT + b"the list\r\n").replace(b"\r\n", b"\n"), {"change": "footer", "line": 5, "lines": 1},
                       "a footer was added: 1 line from line 5 on"),
    "a footer in a part": (b"", MIXED, b"", MIXED.replace(b"Hi\r\n", b"Hi\r\nthe list\r\n"),
                           {"change": "footer", "line": 5, "lines": 1, "before": "--b--", "after": "the list"}, "a footer was added: 1 line"),
    "lines on top": (b"", TEXT, b"", b"Warning!\r\n" + TEXT, {"change": "added", "line": 1, "lines": 1}, "1 line was added, from line 1 on"),
    "lines removed": (b"", TEXT, b"", TEXT.replace(b"how are you?\r\n", b""), {"change": "removed", "line": 3, "lines": 1}, "1 line was removed"),
    "cut": (b"", TEXT, b"", TEXT[:24], {"change": "changed", "line": 3}, "line 3"),
    "8 to 7 bit": (b"Content-Transfer-Encoding: 8bit\r\n", GERMAN, b"Content-Transfer-Encoding: quoted-printable\r\n",
                   b"Gr=C3=BC=C3=9Fe\r\naus K=C3=B6=\r\nln\r\n", {"seven-bits": True, "decoded": True, "simple": False, "change": None},
                   "8-bit text became 7-bit: Content-Transfer-Encoding was \"8bit\" and is \"quoted-printable\""),
    "8 to 7 bit and a footer": (b"Content-Transfer-Encoding: 8bit\r\n", GERMAN, b"Content-Transfer-Encoding: base64\r\n",
                                b"R3LDvMOfZQ0KYXVzIEvDtmxuDQp0aGUgbGlzdA0K\r\n",
                                {"seven-bits": True, "decoded": True, "change": "footer", "line": 3, "after": "the list"}, "a footer was added: 1 line from line 3 on"),
    "malformed": (b"Content-Transfer-Encoding: 8bit\r\n", GERMAN, b"Content-Transfer-Encoding: base64\r\n", b"???\r\n",
                  {"seven-bits": True, "decoded": False, "change": "changed", "line": 1}, "line 1 is the first"),
    "control characters": (b"", TEXT, b"", b"\x1b[31m\r\n", {"after": "\\027[31m"}, "\\027[31m"),
    "an empty body": (b"", b"", b"", TEXT, {"change": "footer", "line": 1, "lines": 4}, "4 lines from line 1 on"),
    "both empty": (b"", b"", b"", b"", {"same": True}, "the body is the same"),
}


def run(*arguments):
    return subprocess.run([PROGRAM, "verify", *arguments], capture_output=True, text=True, timeout=60, check=False)


def check(what, holds, *shown):
    results[bool(holds)] += 1
    if not holds:
        print("FAILED", what, *shown)


def compare(name, head_before, before, head_after, after, wanted, line):
    for path, head, body in ("before", head_before, before), ("after", head_after, after):
        with open(path, "wb") as f:
            f.write(HEAD + head + b"\r\n" + body)
    done = run("--json", "--before", "before", "after")
    answer = json.loads(done.stdout)
    check(name, all(answer.get(key) == value for key, value in wanted.items()), answer)
    check(name + ": the exit code", done.returncode == (0 if answer["simple"] else 1), done.returncode)
    done = run("--before", "before", "after")
    check(name + ": the text", line in done.stdout, done.stdout)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for name, case in CASES.items():
            compare(name, *case)
        check("two messages", run("--before", "before", "after", "after").returncode == 64)
        check("no message", run("--before", "before").returncode == 64)
        check("with a zone", run("--before", "before", "--zone", "x", "after").returncode == 64)
        check("a file that is not there", run("--before", "none", "after").returncode == 66)
    print("%d passed, %d failed" % (results[True], results[False]))
    return 1 if results[False] else 0


if __name__ == "__main__":
    sys.exit(main())
