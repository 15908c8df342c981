#!/usr/bin/python3
"""count.py BUILD LOGS [TARGET ...] - what the tests said, and one closing line that counts all of them.

Reads what `make check` and `make check-system` leave in the build directory: for each program of `make check` its
.trs (the verdict) and .log (what it printed), for pytest its JUnit file. A test is a cmocka test, a scenario, a
conformance case, a pytest test. A runner of ours that is not a cmocka program prints as its last line
"N passed, N failed", followed by ", N skipped" where tests were skipped, and before that one line for each
that says "skipped: NAME: why"; a cmocka test that is skipped prints such a line too. TARGET is a target of make that ended with an error: check, check-system. When no test
explains that, the end of LOGS/TARGET.log is shown and counts as a failure. Exits 1 when anything failed, or when nothing was run.
"""
import os
import re
import sys
import xml.etree.ElementTree as xml

CMOCKA = re.compile(r"^\[ +(PASSED|FAILED|SKIPPED|ERROR) +\] (\d+) test\(s\)", re.M)
CMOCKA_GOOD = re.compile(r"\[ (RUN|      OK) ")
CMOCKA_SKIPPED = re.compile(r"^\[ +SKIPPED +\] ([a-z]\w*)$", re.M)
OURS = re.compile(r"^(?:.*: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\.?$", re.M)
REASON = re.compile(r"^skipped: ([^:\n]*): (.*)$", re.M)
FAILED_LOG_LINES = 40
WIDTH = 160


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []  # (name, why)
        self.failures = []  # (name, text)

    def fail(self, name, text, count=1):
        self.failed += count
        self.failures.append((name, text))

    def __str__(self):
        line = f"{self.passed} passed, {self.failed} failed"
        return line + (f", {len(self.skipped)} skipped" if self.skipped else "")


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def numbers(log):
    """(passed, failed, skipped) as the log says, or None when it does not count."""
    cmocka = [(word, int(number)) for word, number in CMOCKA.findall(log)]
    if cmocka:
        return (sum(n for word, n in cmocka if word == "PASSED"),
                sum(n for word, n in cmocka if word in ("FAILED", "ERROR")),
                len(set(CMOCKA_SKIPPED.findall(log))))
    ours = OURS.findall(log)
    if ours:
        passed, failed, skipped = ours[-1]
        return int(passed), int(failed), int(skipped or 0)
    return None


def reasons(name, log, count):
    """[(what was skipped, why)] of so many tests."""
    given = [(f"{name}: {test}", why) for test, why in REASON.findall(log)]
    return (given + [(name, "no reason given")] * count)[:count]


def count_program(name, result, log, tally):
    passed, failed, skipped = numbers(log) or (int(result == "PASS"), 0, int(result == "SKIP"))
    tally.passed += passed
    tally.skipped += reasons(name, log, skipped)
    if result not in ("PASS", "SKIP") or failed:
        lines = [line for line in log.splitlines() if not CMOCKA_GOOD.match(line)]
        tally.fail(name, "\n".join(lines[-FAILED_LOG_LINES:]), max(failed, 1))


def count_programs(build, logs, tally):
    """The programs of `make check`."""
    found = []
    for directory, _, files in os.walk(os.path.join(build, "tests")):
        found += [os.path.join(directory, file) for file in files if file.endswith(".trs")]
    for path in sorted(found):
        result = re.search(r"^:test-result: (\w+)", read(path), re.M)
        name = os.path.relpath(path, build)[:-len(".trs")]
        count_program(name, result.group(1) if result else "ERROR", read(path[:-len(".trs")] + ".log"), tally)
    if not found:
        tally.fail("make check", "no test was run; see " + os.path.join(logs, "check.log"))


def count_pytest(build, logs, tally):
    try:
        cases = xml.parse(os.path.join(build, "check-system.xml")).iter("testcase")
    except (OSError, xml.ParseError):
        tally.fail("make check-system", "no test was run; see " + os.path.join(logs, "check-system.log"))
        return
    for case in cases:
        name = f"{case.get('classname') or case.get('file') or 'tests.system'}.{case.get('name')}"
        broken = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if broken is not None:
            lines = (broken.text or broken.get("message") or "").splitlines()[-FAILED_LOG_LINES:]
            tally.fail(name, "\n".join(lines))
        elif skipped is not None:
            tally.skipped.append((name, skipped.get("message")))
        else:
            tally.passed += 1


def count(target, count_one, build, logs, tally, broken):
    """Counts what a target of make left; a target that ended with an error has at least one failure."""
    before = tally.failed
    count_one(build, logs, tally)
    if target in broken and tally.failed == before:
        tally.fail("make " + target, "\n".join(read(os.path.join(logs, target + ".log")).splitlines()[-FAILED_LOG_LINES:]))


def show_skipped(skipped):
    """Each reason once, with one of the tests that it kept from running."""
    for why in sorted(set(why for name, why in skipped)):
        names = [name for name, reason in skipped if reason == why]
        also = f" and {len(names) - 1} more" if len(names) > 1 else ""
        print("  skipped ", f"{names[0]}{also}: {why}"[:WIDTH])


def main():
    build, logs, broken = sys.argv[1], sys.argv[2], sys.argv[3:]
    tally = Tally()
    count("check", count_programs, build, logs, tally, broken)
    count("check-system", count_pytest, build, logs, tally, broken)
    show_skipped(tally.skipped)
    for name, text in tally.failures:
        print("  FAILED  ", name[:WIDTH])
        print("\n".join("      " + line[:WIDTH] for line in text.splitlines()))
    print(tally)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
