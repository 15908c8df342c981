#!/usr/bin/python3
"""authres_cases.py [ar-cases.json ...] - the Authentication-Results fields of the OpenARC corpus against authres_parse().

Each case is the fields of a message and the ARC-Authentication-Results that was made of them. The fields are parsed, and
what the receiver of the corpus keeps of them (kept()) must be the clauses of that, which is of the same grammar after
"i=1;" and is parsed too. Comments do not count. Prints each failing case and, last, the count; exits 1 when one
fails, 77 when the corpus is missing. The parser is the program authres_cases: $AUTHRES_CASES, or
tests/conformance/authres_cases of the build. Corpora are found as in from_cases.py.
"""
import json
import os
import subprocess
import sys

from corpora import find, summary, CHECKOUT

OUR_ID = "example.com"
RESULTS_MAX = 16  # that the receiver keeps
# RFC 8601 6.2 takes what it does not know; the receiver of the corpus drops a clause with a method, and a whole
# field with a property type, that is not registered.
METHODS = {"arc", "auth", "dkim", "dkim-adsp", "dkim-atps", "dmarc", "dnswl", "domainkeys", "iprev", "rrvs", "sender-id",
           "smime", "spf", "vbr"}
TYPES = {"body", "dns", "header", "policy", "smtp"}
# What it adds when no field says something of ARC.
ADDED = {"method": "arc", "version": 1, "result": "none", "reason": "",
         "properties": [["smtp", "remote-ip", "127.0.0.1"]]}


def parse(program, values):
    done = subprocess.run([program], input="".join(json.dumps(value) + "\n" for value in values), encoding="utf-8",
                          capture_output=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def kept(fields):
    """The clauses that the receiver keeps: of its own fields, one of each method, but all signatures."""
    clauses = []
    for field in fields:
        if field is None or field["id"] != OUR_ID:
            continue
        if any(kind not in TYPES for clause in field["clauses"] for kind, _, _ in clause["properties"]):
            continue
        for clause in field["clauses"]:
            if clause["method"] not in METHODS or len(clauses) == RESULTS_MAX:
                continue
            if clause["method"] == "dkim" or clause["method"] not in [other["method"] for other in clauses]:
                clauses.append(clause)
    return clauses if "arc" in [clause["method"] for clause in clauses] else clauses + [ADDED]


def run_case(program, number, case):
    expected = case["expected_aar"].strip()
    if not expected.startswith("i=1;"):
        raise ValueError("case %d: no ARC-Authentication-Results: %s" % (number, expected))
    *fields, expected = parse(program, case["authentication_results"] + [expected.removeprefix("i=1;")])
    clauses = kept(fields)
    if expected and expected["id"] == OUR_ID and clauses == expected["clauses"]:
        return True
    print("FAILED case %d: %r\n  found    %s\n  expected %s" % (number, case["authentication_results"],
                                                              json.dumps(clauses), json.dumps(expected)))
    return False


def main():
    program = os.environ.get("AUTHRES_CASES") or os.path.join(CHECKOUT, "build", "tests", "conformance", "authres_cases")
    wanted = sys.argv[1:] or [find("authres-openarc", "ar-cases.json")]
    found = [path for path in wanted if path]
    passed = []
    for path in found:
        with open(path, encoding="utf-8") as f:
            passed += [run_case(program, number, case) for number, case in enumerate(json.load(f), 1)]
    return summary(sum(passed), len(passed) - sum(passed), len(wanted) - len(found))


if __name__ == "__main__":
    sys.exit(main())
