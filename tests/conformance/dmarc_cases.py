#!/usr/bin/python3
"""dmarc_cases.py [cases.yml ...] - the evaluation cases of dmarc/ against `sekisho lookup dmarc --from`.

Each case is a zone, a From field, and what SPF and DKIM said; result, policy, domain, organization, alignment and, where
given, the names that the walk asked are compared. The public suffix cases (psl/tests.txt) are asked with --psl. Prints
each failing case and, last, the count; exits 1 when one fails, 77 when none can be run. Corpora and program are found as
in from_cases.py.
"""
import json
import os
import subprocess
import sys
import tempfile

from corpora import find, ours, summary, CHECKOUT, YAML_MISSING
from spf_suite import yaml, zone_name, zone_rdata

# The corpus knows only receivers that stop at two author domains; it names this one as allowed.
CORRECTED = {
    "from-two-domains": (dict(result="fail", policy="reject", record_domain="example.com", org_domain="example.com",
                              aligned_spf=None, aligned_dkim=[]),
                         "RFC 9989 11.5: each domain is judged, and the strictest outcome counts"),
    # The corpus reads the record whatever is in it twice.
    **{name: (dict(result="none", policy=None, record_domain=None, org_domain="example.com", aligned_spf=None,
                   aligned_dkim=[]),
              "RFC 9989 4.7, RFC 6376 3.2: a list with a repeated tag is invalid as a whole")
       for name in ("record-duplicate-p", "record-chunks-joined-no-space")},
}
# Results where RFC 9989 is silent and this is the one of the corpus' result_any_of that was chosen.
CHOSEN = {
    "error-dkim-temperror-would-align": ("temperror", "RFC 9989 5.3.6: without the answer it is neither pass nor fail"),
}


def zone_text(zone, failures):
    lines = []
    for name, types in zone.items():
        for kind, values in types.items():
            for value in values if isinstance(values, list) else [values]:
                lines.append("%s %s %s" % (zone_name(name), kind, zone_rdata(kind, value)))
    return "".join(line + "\n" for line in lines + ["%s SERVFAIL" % failure for failure in failures])


def look_up(program, *arguments):
    done = subprocess.run([program, "lookup", "--json", *arguments], capture_output=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        return {"result": "exit code %d: %s" % (done.returncode, done.stderr.decode("utf-8", "replace").strip())}
    return json.loads(done.stdout)


def arguments_of(case):
    spf = case["spf"]
    yield from ("--from", case["from"])
    yield from ("--spf", "%s:%s%s" % (spf["result"], spf["domain"] or "", ":helo" if spf["scope"] == "helo" else ""))
    for dkim in case["dkim"]:
        yield from ("--dkim", "%s:%s" % (dkim["result"], dkim["domain"]))


def aligned_name(expect):
    return {(0, 0): "none", (1, 0): "spf", (0, 1): "dkim", (1, 1): "both"}[
        (bool(expect["aligned_spf"]), bool(expect["aligned_dkim"]))]


def compare(name, expect, answer):
    """None, or what is wrong."""
    if name in CORRECTED:
        expect = CORRECTED[name][0]
    wanted = CHOSEN[name][0] if name in CHOSEN else expect["result"]
    pairs = [("result", wanted), ("policy", expect["policy"]), ("domain", expect["record_domain"]),
             ("org", expect["org_domain"]), ("aligned", aligned_name(expect)),
             ("spf-aligned", expect["aligned_spf"])]
    # Where any of several results will do, the policy is asserted by none of them.
    if expect["policy"] is None and "result_any_of" in expect:
        pairs.pop(1)
    for key, value in pairs:
        if answer.get(key) != value:
            return "%s is %r, not %r (%s)" % (key, answer.get(key), value, answer.get("reason"))
    if [d.rstrip(".") for d in expect["aligned_dkim"]] != [d.rstrip(".") for d in answer["dkim-aligned"]]:
        return "dkim-aligned is %r, not %r" % (answer["dkim-aligned"], expect["aligned_dkim"])
    walk = [step["name"] for step in answer["walk"]]
    if expect.get("author_walk_queries", walk) != walk:
        return "asked %r, not %r" % (walk, expect["author_walk_queries"])
    return None


def run_cases(program, path, scratch):
    with open(path, encoding="utf-8") as f:
        cases = [case for case in yaml.safe_load(f) if case["kind"] == "evaluate"]
    zone = os.path.join(scratch, "zone")
    passed = []
    for case in cases:
        with open(zone, "w", encoding="ascii") as f:
            f.write(zone_text(case["zone"], case.get("dns_fail", [])))
        wrong = compare(case["name"], case["expect"], look_up(program, "--zone", zone, *arguments_of(case), "dmarc"))
        passed.append(not wrong)
        if wrong:
            print("FAILED %s: %s" % (case["name"], wrong))
        elif case["name"] in CORRECTED:
            print("corrected: %s: %s" % (case["name"], CORRECTED[case["name"]][1]))
        elif case["name"] in CHOSEN:
            print("chosen: %s: %s: %s" % (case["name"], *CHOSEN[case["name"]]))
    return passed


def run_suffixes(program, path):
    """Lines "NAME REGISTRABLE"; a suffix by itself, null there, is its own organization."""
    passed = []
    with open(path, encoding="utf-8") as f:
        lines = [line.split() for line in f if line.strip() and not line.startswith("//")]
    for name, wanted in lines:
        if name == "null" or name.startswith("."):
            continue  # not a name that an address could have
        wanted = name if wanted == "null" else wanted
        wanted = wanted.lower().encode("idna").decode("ascii")
        org = look_up(program, "--psl", "--zone", "/dev/null", "dmarc", name).get("org")
        passed.append(org == wanted)
        if org != wanted:
            print("FAILED %s: the organization is %r, not %r" % (name, org, wanted))
    return passed


def main():
    program = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
    if not yaml:
        print("skipped: dmarc_cases: " + YAML_MISSING)
        return summary(0, 0, 1)
    wanted = sys.argv[1:] or [ours("cases.yml"), find("psl", "tests.txt")]
    found = [path for path in wanted if path]
    passed = []
    with tempfile.TemporaryDirectory(prefix="sekisho-dmarc-") as scratch:
        for path in found:
            if path.endswith(".txt"):
                built_without = "without the public suffix list" in look_up(
                    program, "--psl", "--zone", "/dev/null", "dmarc", "example.org").get("result", "")
                if built_without:
                    print("skipped: psl: the program was built without libpsl")
                    wanted.append(None)
                cases = [] if built_without else run_suffixes(program, path)
            else:
                cases = run_cases(program, path, scratch)
            print("%s: %d of %d cases pass" % (os.path.basename(path), sum(cases), len(cases)))
            passed += cases
    return summary(sum(passed), len(passed) - sum(passed), len(wanted) - len(found))


if __name__ == "__main__":
    sys.exit(main())
