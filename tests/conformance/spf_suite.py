#!/usr/bin/python3
"""spf_suite.py [SUITE.yml ...] - the public SPF suites against `sekisho lookup spf`.

Each scenario's zonedata becomes zone text; each case is one look-up with --json by each engine of the program, whose
result and explanation are compared. Prints each failing case and, last, the count; exits 1 when one fails, 77 when no suite is there.
Suites are looked for in $SEKISHO_CORPORA, in ../shared/corpora of the checkout, and where Debian's package
golang-blitiri-go-spf-dev puts them. The program is $SEKISHO, or build/sekisho of the checkout.
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

from corpora import summary, tops, CHECKOUT, YAML_MISSING

DEBIAN = "/usr/share/gocode/src/blitiri.com.ar/go/spf/testdata"
SUITES = ["rfc7208-tests.yml", "rfc4408-tests.yml", "blitirispf-tests.yml", "test.yml"]
ONE_LABEL = "RFC 7208 4.3: the result for a domain of one label is none"
UNKNOWN_MODIFIER = "RFC 7208 6: a modifier that is not known changes nothing"

# Cases whose suite is wrong by RFC 7208: what is right instead, and the paragraph that says so.
CORRECTED = {
    "blitirispf-tests.yml 8 resolution-with-10-lookups":
        ("permerror", "RFC 7208 7.1: a domain-spec ends in a macro or in a dot and a top-level label"),
    "blitirispf-tests.yml 9 mx-resolution-10-terms": ("none", ONE_LABEL),
    "blitirispf-tests.yml 9 mx-resolution-11-terms": ("none", ONE_LABEL),
    "blitirispf-tests.yml 10 one-mx-not-found": ("none", ONE_LABEL),
    "blitirispf-tests.yml 10 all-mx-not-found": ("none", ONE_LABEL),
    "blitirispf-tests.yml 10 include-not-found": ("none", ONE_LABEL),
    "blitirispf-tests.yml 10 redirect-not-found": ("none", ONE_LABEL),
    "test.yml 4 default-modifier": ("neutral", UNKNOWN_MODIFIER),
    "test.yml 4 default-modifier-harsh": ("neutral", UNKNOWN_MODIFIER),
}


def zone_name(text):
    """A name of the suite in presentation form (RFC 1035 5.1); "" is the root."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    return "".join(c if c in plain else "\\%03d" % b for c in text for b in c.encode("latin-1")) or "."


def zone_strings(value):
    """The strings of a TXT record: one or a list, any bytes."""
    strings = []
    for text in value if isinstance(value, list) else [value]:
        data = text.encode("latin-1")
        strings += [data[i:i + 255] for i in range(0, len(data), 255)] or [b""]
    quoted = ['"%s"' % "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else "\\%03d" % b for b in s)
              for s in strings]
    return " ".join(quoted or ['""'])


def zone_rdata(kind, value):
    if kind == "TXT":
        return zone_strings(value)
    if kind == "MX":
        return "%d %s" % (value[0], zone_name(value[1]))
    if kind in ("PTR", "CNAME"):
        return zone_name(value)
    return str(value)


def zone_lines(name, entries):
    """Records of type SPF count as TXT records, unless the name itself lists its TXT records."""
    has_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
    for entry in entries:
        if isinstance(entry, str):
            entry = {entry: True}
        for kind, value in entry.items():
            if kind in ("TIMEOUT", "SERVFAIL"):
                yield "%s %s" % (zone_name(name), kind)
                continue
            if kind == "SPF":
                if has_txt:
                    continue
                kind = "TXT"
            if value != "NONE":
                yield "%s %s %s" % (zone_name(name), kind, zone_rdata(kind, value))


def zone_text(zonedata):
    return "".join(line + "\n" for name, entries in zonedata.items() for line in zone_lines(str(name), entries))


def look_up(program, engine, zone, case):
    """What the program answers: an object, or a dict with the trouble as its result."""
    command = [program, "lookup", "--engine", engine, "--zone", zone, "--json", "--receiver", case.get("receiver", "mx.example"),
               "--", "spf", str(case["host"]), case.get("mailfrom") or "<>"]
    if case.get("helo"):
        command.append(case["helo"])
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return {"result": "exit code %d" % done.returncode, "reason": said[-1] if said else ""}
    return json.loads(done.stdout)


def compare(name, case, answer):
    """None, or what is wrong."""
    wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
    if name in CORRECTED:
        wanted = [CORRECTED[name][0]]
    if answer["result"] not in wanted:
        return "%s, not %s; reason: %s" % (answer["result"], " or ".join(wanted), answer.get("reason"))
    explanation = case.get("explanation")
    explanation = "" if explanation == "DEFAULT" else explanation
    if explanation is not None and answer["result"] == "fail" and answer["explanation"] != explanation:
        return "explains %r, not %r" % (answer["explanation"], explanation)
    return None


def run_suite(program, engine, path, scratch):
    passed = failed = 0
    zone = os.path.join(scratch, "zone")
    with open(path, encoding="utf-8") as f:
        scenarios = [s for s in yaml.safe_load_all(f) if s and s.get("tests")]
    for number, scenario in enumerate(scenarios, 1):
        with open(zone, "w", encoding="ascii") as f:
            f.write(zone_text(scenario["zonedata"]))
        for case_name, case in scenario["tests"].items():
            name = "%s %d %s" % (os.path.basename(path), number, case_name)
            wrong = compare(name, case, look_up(program, engine, zone, case))
            if wrong:
                failed += 1
                print("FAILED %s by %s (%s): %s" % (name, engine, scenario.get("description", "-"), wrong))
                continue
            passed += 1
            if name in CORRECTED and engine == "native":
                print("corrected: %s: %s, not %s: %s" % (name, CORRECTED[name][0], case["result"], CORRECTED[name][1]))
    print("%s by %s: %d of %d cases pass" % (os.path.basename(path), engine, passed, passed + failed))
    return passed, failed


def find_suites():
    """Each suite once, from the first place that has it."""
    found = {}
    for top in tops() + [DEBIAN]:
        for directory, _, files in sorted(os.walk(top)):
            if os.path.basename(directory) in ("spf-rfc7208", "spf-blitiri", "testdata") or directory == top:
                for file in SUITES:
                    if file in files:
                        found.setdefault(file, os.path.join(directory, file))
    return [found[file] for file in SUITES if file in found]


def engines(program):
    """The engines that the program was built with."""
    done = subprocess.run([program, "lookup", "--engine", "libspf2", "--zone", os.devnull, "spf", "192.0.2.1", "a.example"],
                          capture_output=True, timeout=60, check=False)
    return ["native", "libspf2"] if done.returncode == 1 else ["native"]


def main():
    program = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
    if not yaml:
        print("skipped: spf_suite: " + YAML_MISSING)
        return summary(0, 0, 1)
    suites = sys.argv[1:] or find_suites()
    if not suites:
        print("skipped: spf_suite: no SPF suite is here (package golang-blitiri-go-spf-dev on Debian and Ubuntu, or"
              " SEKISHO_CORPORA=DIR)")
        return summary(0, 0, 1)
    if not os.access(program, os.X_OK):
        print("%s does not exist; build it, or set SEKISHO to its path" % program)
        return 1
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sekisho-spf-") as scratch:
        for engine in engines(program):
            for path in suites:
                good, bad = run_suite(program, engine, path, scratch)
                passed += good
                failed += bad
    return summary(passed, failed, 0)


if __name__ == "__main__":
    sys.exit(main())
