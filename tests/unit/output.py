#!/usr/bin/python3
"""output.py - what a verb prints arrives, or its exit code says that it did not.

The program is $SEKISHO. The last line counts the cases.
"""
import os
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get("SEKISHO", "build/sekisho")
EXPLAIN = ["explain", "-c", "policy", "--zone", "zone", "--client", "192.0.2.1", "--sender", "a@example.org"]
VERBS = [["--help"], ["--version"], ["check", "--help"], ["check", "policy"], EXPLAIN, EXPLAIN + ["--json"],
         ["lookup", "mx", "example.org", "--zone", "zone"], ["lookup", "mx", "example.org", "--zone", "zone", "--json"]]
HOW = [(">/dev/full", 74), (">&-", 74), ("<&- >&-", 74), ("2>&-", 0), ("<&- 2>&-", 0)]


def main():
    passed = failed = 0
    program = os.path.abspath(PROGRAM)
    with tempfile.TemporaryDirectory(prefix="sekisho-output-") as scratch:
        with open(os.path.join(scratch, "policy"), "w", encoding="ascii") as f:
            f.write("authserv-id mx.example.org\npolicy inbound { on mail { log \"x\" } }\n")
        with open(os.path.join(scratch, "zone"), "w", encoding="ascii") as f:
            f.write("example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n")
        for verb in VERBS:
            for redirection, code in HOW:
                done = subprocess.run(["sh", "-c", '"$@" ' + redirection, "sh", program] + verb, cwd=scratch, timeout=20,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                good = done.returncode == code and (code == 0 or b"could not be written" in done.stderr)
                passed += good
                failed += not good
                if not good:
                    print("FAILED %s %s: wanted %d, got %d, %r" % (" ".join(verb), redirection, code, done.returncode, done.stderr))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
