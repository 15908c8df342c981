#!/usr/bin/python3
"""spf_differential.py [COUNT [SEED]] - generated records and zones, evaluated by every engine and by pyspf.

All engines of the program, and pyspf (python3-spf) where it is installed, must reach the same result. Of cases
on which they do not, the first is made as small as it goes and printed. The cases depend on the seed alone.
The evaluator is the program spf_cases: $SPF_CASES, or tests/conformance/spf_cases of the build. Known faults of
pyspf are listed in PYSPF_FAULTS with the paragraph that says so.
"""
import json
import os
import random
import subprocess
import sys

try:
    import spf as pyspf
except ImportError:
    pyspf = None

COUNT, SEED = 4000, 7208
from corpora import summary, HERE

DOMAINS = ["a.example", "b.example", "c.example", "d.example", "e.example", "nothing.example"]
HOSTS = ["h1.a.example", "h2.a.example", "h3.b.example", "mx.c.example", "nothing.d.example"]
CLIENTS4 = ["192.0.2.1", "192.0.2.2", "198.51.100.7"]
CLIENTS6 = ["2001:db8::1", "2001:db8::2", "2001:db8:7::7"]
MACROS = ["%{i}", "%{ir}", "%{l}", "%{lr-}", "%{s}", "%{d}", "%{d2}", "%{o}", "%{h}", "%{v}", "%{L}", "%{d1r}", "%%", "%_"]
WRONG = ["a:", "include", "ip4:192.0.2", "ip4:192.0.2.1/33", "ip6:2001:db8::/129", "all:a.example", "foo", "foo:a.example",
         "exists:%{x}.example", "a:%{d", "mx:a..example/", "exp=", "redirect=", "a:b", "-", "ptr:", "=x", "1x=y", "a/24/64",
         "include:%.example", "+exp=a.example", "exists:%{d0}.example", "ip4:192.0.2.1/032", "a//129"]

def has_term(case, text):
    return any(kind == "TXT" and text in word for _, kind, value in case.zone for word in value)


def has_type(case, *types):
    return any(kind in types for _, kind, _ in case.zone)


# Known faults of pyspf: the paragraph of RFC 7208 that says otherwise, and how they are known: by the case and by
# what pyspf says (result, text).
PYSPF_FAULTS = [
    ("4.6.2: terms are evaluated from left to right; a record that includes itself is an error only when that is reached",
     lambda case, result, text: result == "permerror" and "trivial recursion" in text),
    ("7.1, 7.3: a macro that keeps 0 labels is a syntax error",
     lambda case, result, text: has_term(case, "{d0}")),
    ("7.1: %% means a percent sign, in the value of an unknown modifier too",
     lambda case, result, text: result == "permerror" and "invalid-macro-char" in text and has_term(case, "=%%")),
    ("4.6.4: void are terms whose own question has no answer; the addresses of MX hosts and of names are not counted",
     lambda case, result, text: result == "permerror" and "Void lookup limit" in text and has_type(case, "MX", "PTR")),
    ("5.5: trouble with the address of a client's name skips that name",
     lambda case, result, text: result == "temperror" and has_type(case, "PTR") and has_type(case, "TIMEOUT", "SERVFAIL")),
]


# ---- generating ------------------------------------------------------------------------------

class Case:
    """A client, a sender, a HELO name; `zone` is a list of [name, type, value] (TXT: a list of words)."""

    def __init__(self, client, sender, helo, zone):
        self.client, self.sender, self.helo, self.zone = client, sender, helo, zone

    def lines(self):
        out = ["case %s %s %s" % (self.client, self.sender, self.helo)]
        for name, kind, value in self.zone:
            if kind == "TXT":
                text = " ".join(value)
                value = " ".join('"%s"' % text[i:i + 200].replace("\\", "\\\\").replace('"', '\\"')
                                 for i in range(0, len(text), 200)) or '""'
            elif kind == "MX":
                value = "%d %s" % value
            out.append("%s %s %s" % (name, kind, value) if value else "%s %s" % (name, kind))
        return out + ["end"]

    def with_zone(self, zone):
        return Case(self.client, self.sender, self.helo, zone)

    def smaller(self):
        """All cases that have one line or one word less."""
        for i, (name, kind, value) in enumerate(self.zone):
            yield self.with_zone(self.zone[:i] + self.zone[i + 1:])
            if kind == "TXT":
                for k in range(1, len(value)):
                    yield self.with_zone(self.zone[:i] + [[name, kind, value[:k] + value[k + 1:]]] + self.zone[i + 1:])


def a_name(rng):
    if rng.random() < 0.15:
        return rng.choice(MACROS) + "." + rng.choice(DOMAINS + HOSTS)
    return rng.choice(DOMAINS + HOSTS)


def a_term(rng):
    kind = rng.choice(["a", "a", "mx", "mx", "include", "include", "include", "ip4", "ip4", "ip6", "ip6", "exists", "ptr"])
    target = ":" + a_name(rng)
    if kind in ("a", "mx"):
        term = kind + rng.choice(["", target, target])
        term += rng.choice(["", "", "/%d" % rng.randint(0, 32), "//%d" % rng.randint(0, 128),
                            "/%d//%d" % (rng.randint(0, 32), rng.randint(0, 128))])
    elif kind == "ip4":
        term = "ip4:" + rng.choice(CLIENTS4 + ["203.0.113.0"]) + rng.choice(["", "/%d" % rng.randint(0, 32)])
    elif kind == "ip6":
        term = "ip6:" + rng.choice(CLIENTS6 + ["2001:db8:9::"]) + rng.choice(["", "/%d" % rng.randint(0, 128)])
    else:
        term = kind + (rng.choice(["", target]) if kind == "ptr" else target)
    return rng.choice(["", "", "", "+", "-", "~", "?"]) + (term.upper() if rng.random() < 0.03 else term)


def a_record(rng):
    words = ["v=spf1"] + [a_term(rng) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 5, 12]))]
    if rng.random() < 0.08:
        words.insert(rng.randint(1, len(words)), rng.choice(WRONG))
    if rng.random() < 0.2:
        words.insert(rng.randint(1, len(words)), "redirect=" + a_name(rng))
    if rng.random() < 0.1:
        words.insert(rng.randint(1, len(words)), "x-%d=%s" % (rng.randint(0, 9), rng.choice(MACROS)))
    if rng.random() < 0.6:
        words.append(rng.choice(["-all", "~all", "?all", "all", "-all", "-ALL"]))
    if rng.random() < 0.05:
        words[rng.randint(0, len(words) - 1)] += " "
    return words


def reverse(client):
    if ":" not in client:
        return ".".join(reversed(client.split("."))) + ".in-addr.arpa"
    head, _, tail = client.partition("::")
    head, tail = [p for p in head.split(":") if p], [p for p in tail.split(":") if p]
    full = "".join(p.zfill(4) for p in head + ["0"] * (8 - len(head) - len(tail)) + tail)
    return ".".join(reversed(full)) + ".ip6.arpa"


def a_case(rng):
    client = rng.choice(CLIENTS4 + CLIENTS6)
    zone = []
    for name in DOMAINS[:5]:
        for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 1, 1, 1, 2]) if rng.random() < 0.5 else 1):
            zone.append([name, "TXT", a_record(rng)])
    for name in DOMAINS[:5] + HOSTS[:4]:
        for _ in range(rng.choice([0, 1, 1, 2])):
            zone.append([name, "A", rng.choice(CLIENTS4 + ["203.0.113.5"])])
        for _ in range(rng.choice([0, 0, 1, 2])):
            zone.append([name, "AAAA", rng.choice(CLIENTS6 + ["2001:db8:5::5"])])
        for _ in range(rng.choice([0, 0, 0, 1, 2, 3])):
            zone.append([name, "MX", (rng.randint(0, 20), rng.choice(HOSTS))])
        if rng.random() < 0.02:
            zone.append([name, rng.choice(["TIMEOUT", "SERVFAIL"]), ""])
    for _ in range(rng.choice([0, 1, 1, 2])):
        zone.append([reverse(client), "PTR", rng.choice(HOSTS + DOMAINS)])
    sender = "%s@%s" % (rng.choice(["joe", "a-b-c", "x"]), rng.choice(DOMAINS[:5]))
    return Case(client, sender, rng.choice(HOSTS), zone)


# ---- evaluating -------------------------------------------------------------------------------

class Evaluator:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, case):
        self.process.stdin.write("\n".join(case.lines()) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("spf_cases ended on:\n" + "\n".join(case.lines()))
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


def pyspf_lookup(case):
    """The function that pyspf asks the DNS by."""
    records, broken = {}, set()
    for name, kind, value in case.zone:
        if kind in ("TIMEOUT", "SERVFAIL"):
            broken.add(name)
            continue
        if kind == "TXT":
            value = (" ".join(value).encode("latin-1"),)
        if kind == "AAAA":
            value = __import__("socket").inet_pton(10, value)
        records.setdefault((name.lower(), kind), []).append(value)

    def lookup(name, qtype, *_ignored, **_also):
        name = str(name).lower().rstrip(".")
        found = records.get((name, qtype), [])
        if not found and name in broken:
            raise pyspf.TempError("DNS failure")
        return [((name, qtype), value) for value in found]
    return lookup


def by_pyspf(case):
    pyspf.DNSLookup = pyspf_lookup(case)
    query = pyspf.query(i=case.client, s=case.sender, h=case.helo, receiver="mx.example", strict=True)
    result, _, text = query.check()
    return result, text


def known_fault(case, result, text):
    return any(is_it(case, result, text) for _, is_it in PYSPF_FAULTS)


def disagreement(case, evaluate):
    """What they say, or None when all say the same."""
    said = evaluate(case)
    if len({tuple(value) for value in said.values()}) > 1:
        return said
    if not pyspf:
        return None
    result, text = by_pyspf(case)
    if result == said["native"][0] or known_fault(case, result, text):
        return None
    return dict(said, pyspf=[result, text])


def smallest(case, evaluate):
    found = True
    while found:
        found = False
        for smaller in case.smaller():
            if disagreement(smaller, evaluate):
                case, found = smaller, True
                break
    return case


def main():
    program = os.environ.get("SPF_CASES") or os.path.join(HERE, "..", "..", "build", "tests", "conformance", "spf_cases")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    rng = random.Random(seed)
    evaluate = Evaluator(program)
    failed, results = 0, {}
    for number in range(count):
        case = a_case(rng)
        if not disagreement(case, evaluate):
            result = evaluate(case)["native"][0]
            results[result] = results.get(result, 0) + 1
            continue
        failed += 1
        if failed == 1:
            case = smallest(case, evaluate)
            print("FAILED case %d of seed %d; they say %s on" % (number, seed, disagreement(case, evaluate)))
            print("\n".join(case.lines()))
    engines = sorted(evaluate(case)) + (["pyspf"] if pyspf else [])
    evaluate.close()
    if not pyspf:
        print("skipped: spf_differential by pyspf: pyspf is missing (package python3-spf on Debian and Ubuntu)")
    print("engines: %s; results: %s" % (" ".join(engines), " ".join("%s %d" % item for item in sorted(results.items()))))
    return summary(count - failed, failed, not pyspf)


if __name__ == "__main__":
    sys.exit(main())
