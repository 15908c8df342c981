#!/usr/bin/python3
"""counting.py - what is skipped is counted, with its reason: by tests/count.py, by tests/skipped.sh, and without Python.

Prints what fails and, last, the count; exits 1 when something does.
"""
import os
import subprocess
import sys
import tempfile

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
YAML = "python3-yaml is missing"

# Program: (verdict of the test driver, what it printed). The driver adds the line "SKIP ..." to a log.
LOGS = {
    "suite": ("SKIP", f"skipped: suite: {YAML}\n0 passed, 0 failed, 1 skipped\nSKIP tests/suite.py (exit status: 77)\n"),
    "other": ("SKIP", f"skipped: other: {YAML}\nSKIP tests/other.py (exit status: 77)\n"),
    "part": ("PASS", "skipped: corpus: not here\n7 passed, 0 failed, 1 skipped\nPASS tests/part.py (exit status: 0)\n"),
    "silent": ("SKIP", "SKIP tests/silent (exit status: 77)\n"),
    "cmocka": ("PASS", "[==========] 2 test(s) run.\nskipped: a_test: only root can\n[  PASSED  ] 1 test(s).\n"
                       "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] a_test\n"),
}
COUNTED = ("tests/other: other and 1 more: " + YAML, "tests/part: corpus: not here", "tests/silent: no reason given",
           "tests/cmocka: a_test: only root can", "8 passed, 0 failed, 5 skipped")
SHOWN = (f"skipped: other and 1 more: {YAML}\n", "skipped: corpus: not here\n", "skipped: a_test: only root can\n")


def say(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def wrong_of(what, said, code, expected, texts):
    missing = [text for text in texts if text not in said]
    if code != expected or missing:
        yield f"{what}: exit code {code}, without {missing}:\n{said}"


def write(build):
    os.mkdir(os.path.join(build, "tests"))
    for name, (verdict, log) in LOGS.items():
        for ending, text in ((".trs", f":test-result: {verdict}\n"), (".log", log)):
            with open(os.path.join(build, "tests", name + ending), "w") as f:
                f.write(text)
    with open(os.path.join(build, "check-system.xml"), "w") as f:
        f.write("<testsuites/>")


def main():
    with tempfile.TemporaryDirectory() as build:
        write(build)
        code, said = say(sys.executable, "-B", os.path.join(TESTS, "count.py"), build, build)
        wrong = list(wrong_of("count.py", said, code, 0, COUNTED))
        logs = sorted(os.path.join(build, "tests", name + ".log") for name in LOGS)
        code, said = say("/bin/sh", os.path.join(TESTS, "skipped.sh"), *logs)
        wrong += wrong_of("skipped.sh", said, code, 0, SHOWN)
    code, said = say("/bin/sh", os.path.join(TESTS, "python.sh"), "/no/python3", "-B", "tests/unit/lookup.py")
    wrong += wrong_of("python.sh", said, code, 77, ("skipped: lookup.py: /no/python3 is missing (package python3",))
    for text in wrong:
        print("FAILED", text)
    print(f"{3 - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
