#!/usr/bin/python3
"""from_cases.py [from-cases.yml ...] - From fields against `sekisho explain`: those of dmarc/, and OpenDMARC's.

Each header block becomes a message; the facts from.valid, from.count and from.domains say the verdict. Prints each
failing case and, last, the count; exits 1 when one fails, 77 when none can be run. The corpora of others are looked for
as corpora.py says; the program is $SEKISHO, or build/sekisho of the checkout.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    yaml = None

from corpora import find, ours, summary, CHECKOUT, YAML_MISSING

CONFIG = """authserv-id mx.example.org
record { facts all }
"""
NOT_A_FIELD = "this is not a From field of RFC 5322, and which domain a reader shows is not known"
TWO_AUTHORS = "two authors: RFC 9989 5.3.1 takes none of them alone"

# Values of the OpenDMARC corpus whose domain is the guess of a tolerant parser, and what is right instead.
CORRECTED = {
    '"Johnson, Joe <joe@joe.com>" joe@joe.com': ("invalid", [], NOT_A_FIELD),
    "<<<><joe@joe.com>>>": ("invalid", [], NOT_A_FIELD),
    "Joe Johnson <joe@joe.com>, ace@ace.com": ("multi", ["joe.com", "ace.com"], TWO_AUTHORS),
    "joe@joe.com, ace@ace.com": ("multi", ["joe.com", "ace.com"], TWO_AUTHORS),
    "Mail From:<joe@joe.com>": ("invalid", [], NOT_A_FIELD),
    '"( bob@bob.com)" joe@joe.com': ("invalid", [], NOT_A_FIELD),
}


def facts_of(program, scratch, header):
    message = os.path.join(scratch, "message")
    with open(message, "wb") as f:
        f.write(header.encode("utf-8") + b"\r\nbody\r\n")
    done = subprocess.run([program, "explain", "-c", os.path.join(scratch, "conf"), "--zone", "/dev/null", "--json",
                           "--client", "203.0.113.5", "--sender", "<>", message],
                          capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode("utf-8", "replace"))
    return json.loads(done.stdout)["facts"]


def verdict_of(facts):
    domains = (facts.get("from.domains") or "").split()
    if len(domains) != facts["from.count"]:
        return "from.count is not the number of from.domains", domains
    if not facts["from.valid"]:
        return "invalid", domains
    return ("none", "single", "multi")[min(len(domains), 2)], domains


def run_case(program, scratch, name, header, accepted):
    got = verdict_of(facts_of(program, scratch, header))
    if got in accepted:
        return True
    print("FAILED %s: %s, not %s" % (name, got, " or ".join(map(str, accepted))))
    return False


def run_yaml(program, path, scratch):
    with open(path, encoding="utf-8") as f:
        cases = yaml.safe_load(f)
    passed = []
    for case in cases:
        wanted = [case["expect"]]
        # A message without From is not a message (RFC 5322 3.6), whatever it is called.
        if case["name"] == "from-no-from-field":
            wanted += case["expect"]["also_acceptable"]
        passed.append(run_case(program, scratch, case["name"], case["header"],
                               [(w["verdict"], w["domains"]) for w in wanted]))
    return passed


def run_json(program, path, scratch):
    with open(path, encoding="utf-8") as f:
        cases = json.load(f)
    passed = []
    for case in cases:
        value = case["from"].removeprefix("From: ")
        verdict, domains, why = CORRECTED.get(value, ("single", [case["domain"]], None))
        passed.append(run_case(program, scratch, value, "From: %s\r\n" % value, [(verdict, domains)]))
        if why:
            print("corrected: %s: %s, not %s: %s" % (value, verdict, case["domain"], why))
    return passed


def main():
    program = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
    if not yaml:
        print("skipped: from_cases: " + YAML_MISSING)
        return summary(0, 0, 1)
    wanted = sys.argv[1:] or [ours("from-cases.yml"), find("from-parsing-opendmarc", "finddomain.json")]
    found = [path for path in wanted if path]
    passed = []
    with tempfile.TemporaryDirectory(prefix="sekisho-from-") as scratch:
        with open(os.path.join(scratch, "conf"), "w", encoding="ascii") as f:
            f.write(CONFIG)
        for path in found:
            cases = (run_json if path.endswith(".json") else run_yaml)(program, path, scratch)
            print("%s: %d of %d cases pass" % (os.path.basename(path), sum(cases), len(cases)))
            passed += cases
    return summary(sum(passed), len(passed) - sum(passed), len(wanted) - len(found))


if __name__ == "__main__":
    sys.exit(main())
