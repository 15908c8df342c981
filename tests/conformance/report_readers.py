#!/usr/bin/python3
"""report_readers.py - public programs read the DMARC reports that we write, with the counts that went in.

report_make writes them: one with every word of the vocabulary, one with a thousand rows. xmllint (package libxml2-utils)
validates them by aggregate-report.xsd, dmarc-cat (package dmarc-cat) reads them; each is asked when it is there.
dmarc-report-parser reads the second one, when $DMARC_REPORT_PARSER is a folder with it in node_modules (npm install
dmarc-report-parser): it takes no word that RFC 9990 added, so not the first.
"""
import glob
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile

from corpora import summary, HERE

MAKE = os.environ.get("REPORT_MAKE") or os.path.join(os.getcwd(), "tests/conformance/report_make")
SCHEMA = os.path.join(HERE, "aggregate-report.xsd")


def validated(path):
    """What xmllint says against it; "" when it is valid."""
    with gzip.open(path) as packed:
        done = subprocess.run(["xmllint", "--nonet", "--noout", "--schema", SCHEMA, "-"], input=packed.read(), capture_output=True,
                              check=False)
    return "" if done.returncode == 0 else done.stderr.decode(errors="replace")


def counted(path):
    """(messages, rows) by dmarc-cat; what it says when it cannot read it."""
    done = subprocess.run(["dmarc-cat", "-N", path], capture_output=True, text=True, check=False)
    rows = re.findall(r"^[0-9a-f.:]+ +(\d+) ", done.stdout, re.M)
    said = re.search(r"^Reports\((\d+)\):", done.stdout, re.M)
    if done.returncode != 0 or not said or int(said.group(1)) != len(rows):
        return done.stdout[:500] + done.stderr[:500]
    return sum(map(int, rows)), len(rows)


def parsed(path):
    """(messages, rows) by dmarc-report-parser; what it says when it cannot read it."""
    done = subprocess.run(["node", os.path.join(HERE, "report_parser.mjs"), path], capture_output=True, text=True, check=False)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else done.stderr[-500:]


def questions(path, there, right):
    """(program, what it says, what it must say)"""
    if "xmllint" in there:
        yield "xmllint", validated(path), ""
    if "dmarc-cat" in there:
        yield "dmarc-cat", counted(path), right
    if "!many.example!" in path and os.environ.get("DMARC_REPORT_PARSER") and shutil.which("node"):
        yield "dmarc-report-parser", parsed(path), right


def main():
    passed = failed = 0
    readers = {"xmllint": "libxml2-utils", "dmarc-cat": "dmarc-cat"}
    there = {name for name in readers if shutil.which(name)}
    skipped = [name for name in readers if name not in there]
    for name in skipped:
        print(f"skipped: {name} is missing (package {readers[name]})")
    if not os.environ.get("DMARC_REPORT_PARSER") or not shutil.which("node"):
        print("skipped: dmarc-report-parser: DMARC_REPORT_PARSER names no folder with it, or node is missing")
    with tempfile.TemporaryDirectory() as directory:
        said = subprocess.run([MAKE, directory], capture_output=True, text=True, check=True).stdout.splitlines()
        if len(said) != len(glob.glob(os.path.join(directory, "*.xml.gz"))):
            sys.exit("report_make did not write what it says")
        for line in said:
            name, messages, rows = line.rsplit(" ", 2)
            path = os.path.join(directory, name)
            for program, answer, wanted in questions(path, there, (int(messages), int(rows))):
                passed, failed = passed + (answer == wanted), failed + (answer != wanted)
                if answer != wanted:
                    print(f"{program}: {name}: {answer}, not {wanted}")
    return summary(passed, failed, len(skipped))


if __name__ == "__main__":
    sys.exit(main())
