#!/usr/bin/python3
"""lookup.py - `sekisho lookup` over zone text: what it prints, as text and as JSON, and its exit codes.

The program is $SEKISHO. The last line counts the cases.
"""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

from lookup_cases import (ADVICE_CASES, ALONE_CASES, CONFIG, DOMAIN_CASES, JSON_CASES, LIST_CASES, LISTS, RECORD_CASES, TEXT_CASES,
                          WRONG_CASES, ZONE)

PROGRAM = os.environ.get("SEKISHO", "build/sekisho")


def run(arguments):
    done = subprocess.run([PROGRAM, "lookup", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert "k0123456789" not in done.stdout + done.stderr, "the key in the name of a zone: " + done.stdout + done.stderr
    return done


def check_json(arguments, code, wanted):
    done = run(arguments + ["--json"])
    answer = json.loads(done.stdout)
    different = {key: answer.get(key) for key in wanted if answer.get(key) != wanted[key]}
    return (done.returncode, different) == (code, {}), (done.returncode, different)


def check_text(arguments, code, wanted):
    done = run(arguments)
    missing = [text for text in wanted if text not in done.stdout]
    return (done.returncode, missing) == (code, []), (done.returncode, missing, done.stdout)


def check_wrong(arguments, code, wanted):
    done = run(arguments)
    good = done.returncode == code and wanted in done.stderr and done.stderr.count("\n") == 1 and \
        (code == 69 or not done.stdout)  # what is known of a name is printed all the same
    return good, (done.returncode, done.stderr, done.stdout)


def check_advice(arguments, code, wanted):
    answer = json.loads(run(arguments + ["--json"]).stdout)
    codes = sorted(advice["code"] for advice in answer["advice"])
    printed = run(arguments).stdout
    return codes == wanted and all("  %s: " % code in printed for code in codes), codes


def check_record(arguments, text, wanted):
    answer = json.loads(run(arguments + ["--json"]).stdout)
    codes = sorted(advice["code"] for advice in answer["advice"])
    printed = run(arguments).stdout
    good = all("  %s: " % code in printed for code in codes) and text in printed and \
        (not text or any(text in advice["text"] for advice in answer["advice"]))
    return codes == wanted and good, (codes, printed)


def check_list(arguments, name, wanted):
    done = run(arguments + ["--dnsbl", name, "blacklist", "192.0.2.4", "--json"])
    code = {"listed": 1, "clean": 0}.get(wanted, 69)  # a list that does not answer says nothing
    seen = json.loads(done.stdout)["lists"][0]["result"]
    return (seen, done.returncode) == (wanted, code), (seen, done.returncode)


def check_domain(arguments, absent, wanted):
    answer = json.loads(run(arguments + ["--json"]).stdout)
    codes = [advice["code"] for advice in answer["advice"]]
    printed = run(arguments).stdout
    good = not set(wanted) - set(codes) and not set(absent) & set(codes) and all(" %s " % code in printed for code in codes)
    return good and "\033" not in printed, codes


def check_terminal(zone, config):
    """On a terminal of 70 columns: no line is longer, none ends with a blank, and marks have colours unless NO_COLOR says
    no."""
    def printed(*words, **more):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
        environment = {**os.environ, "TERM": "xterm", **more}
        environment.pop("NO_COLOR", None) if not more else None
        process = subprocess.Popen([PROGRAM, "lookup", "--zone", zone, *words], stdout=theirs, env=environment)
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:  # the end of a terminal
            pass
        process.wait(timeout=60)
        os.close(ours)
        return seen.decode()
    coloured, plain = printed("domain", "mail.example"), printed("domain", "mail.example", NO_COLOR="1")
    listed = printed("-c", config, "blacklist", "192.0.2.8", NO_COLOR="1").replace("\r", "")
    if "weight 5\n" not in listed or " \n" in listed + plain.replace("\r", ""):
        return False, listed
    stripped = re.sub("\033\\[[0-9;]*m", "", coloured)
    longest = max(len(line) for line in stripped.replace("\r", "").split("\n"))
    return stripped == plain and coloured != plain and longest <= 70 and "mx-alias" in plain, (longest, coloured)


def main():
    passed = failed = 0
    libspf2 = "built without" not in run(["--engine", "libspf2", "--zone", "/nonexistent", "spf", "::1", "a.b"]).stderr
    with tempfile.TemporaryDirectory(prefix="sekisho-lookup-") as scratch:
        zone = os.path.join(scratch, "zone")
        bad = os.path.join(scratch, "bad")
        with open(zone, "w", encoding="ascii") as f:
            f.write(ZONE)
        with open(bad, "w", encoding="ascii") as f:
            f.write("example.org A 192.0.2.999\n")
        config = os.path.join(scratch, "lists.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(LISTS)
        cases = [(check, ["--zone", zone] + arguments, code, wanted)
                 for check, table in ((check_json, JSON_CASES), (check_text, TEXT_CASES), (check_wrong, WRONG_CASES))
                 for arguments, code, wanted in table if libspf2 or not {"libspf2", "compare"} & set(arguments)]
        cases += [(check_wrong, *case) for case in ALONE_CASES]
        cases += [(check_advice, ["--zone", zone, "spf", "203.0.113.9", domain], 1, codes) for domain, codes in ADVICE_CASES]
        cases += [(check_record, ["--zone", zone, kind, domain] + ["s1"] * (kind == "dkim"), text, codes)
                  for kind, domain, codes, text in RECORD_CASES]
        cases += [(check_list, ["--zone", zone], name, wanted) for name, wanted in LIST_CASES]
        cases += [(check_domain, ["--zone", zone, "domain", *words], absent, wanted) for words, wanted, absent in DOMAIN_CASES]
        cases.append((check_wrong, ["mx", "a.b", "--zone", bad], 66, "bad:1:"))
        cases.append((lambda *_: check_terminal(zone, config), ["domain", "on a terminal"], 0, "folded lines"))
        for check, arguments, code, wanted in cases:
            arguments = [config if argument == CONFIG else argument for argument in arguments]
            good, seen = check(arguments, code, wanted)
            passed += good
            failed += not good
            if not good:
                print("FAILED lookup %s: wanted %r, %r; got %r" % (" ".join(arguments)[:200], code, wanted, seen))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
