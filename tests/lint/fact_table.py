#!/usr/bin/python3
"""fact_table.py SOURCE BUILD [--write] - the section ALL FACTS of sekisho.conf(5) is what the program says of its facts
(tests/lint/fact_table.c), and each of its examples can be compiled.

With --write the section is written anew.
"""
import os
import re
import subprocess
import sys
import tempfile

PAGE = "filter/policy/sekisho.conf.5"
BEGIN, END = '.\\" Facts: written by make manual-facts\n', '.\\" Facts: the end\n'
NAMES = "limit NAME { key client count messages hard 1 per 1h }\n"


def wrong_examples(program, table):
    """Rules that cannot be compiled."""
    rules = "\n".join("  log \"a\" " + rule for rule in re.findall(r"^\\.Li (if .*)$", table, re.M))
    rules = rules.replace("\\e", "\\")
    stages = {"message": [], "rcpt": []}
    for rule in rules.split("\n"):
        stages["rcpt" if " recipient" in rule else "message"].append(rule)
    notes = "on connect {\n  set NAME \"a\"\n}\n"
    text = NAMES + "policy inbound {\n" + notes
    for stage in ("rcpt", "message"):
        text += "on %s {\n%s\n}\n" % (stage, "\n".join(stages[stage]))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(text + "}\n")
        file.flush()
        done = subprocess.run([program, "check", file.name], capture_output=True, text=True, timeout=60)
    return done.stderr if done.returncode else ""


def main():
    source, build = sys.argv[1], sys.argv[2]
    path = os.path.join(source, PAGE)
    table = subprocess.run([os.path.join(build, "tests/lint/fact_table")], check=True, capture_output=True, text=True).stdout
    with open(path, encoding="utf-8") as f:
        page = f.read()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write(before + BEGIN + table + END + after)
        old = table
    wrong = wrong_examples(os.path.join(os.path.abspath(build), "sekisho"), table)
    if old != table:
        wrong += "%s: ALL FACTS is older than the tables of filter/check; run make manual-facts\n" % PAGE
    print("%s%d facts" % (wrong, table.count(".It ")))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
