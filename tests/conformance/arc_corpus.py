#!/usr/bin/python3
"""arc_corpus.py - the chains of ValiMail's ARC test suite (arc-valimail) against `sekisho verify`.

Five of the 171 cases contradict RFC 8617, which is newer than the suite; OTHERWISE says how. The other 166 must be as the
suite has them. Its signing cases are sealed by us with their key: instance, cv= and the hash of the body are as the suite
has them, what was sealed passes, and a chain that ended gets nothing. (The order and the folding of tags are free, so b=
is not the same.) Prints each case that is not as it should be and, last, the count; exits 1 when one fails, 77 when the corpus
or python3-yaml is not there. The programs are $SEKISHO and $ARC_CASES, or those in build of the checkout.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

from corpora import find, summary, CHECKOUT, YAML_MISSING

try:
    import yaml
except ImportError:
    yaml = None

# What the RFC says of them: 5.2 step 2 (a chain that ended fails; the suite says none); RFC 6376 3.5 (without c= it is
# simple/simple) and 5.4 (From must be signed).
OTHERWISE = {"cv_fail_i1_as_cv_fail": "fail", "cv_fail_i2_as2_fail": "fail", "cv_fail_i2_as1_fail": "fail",
             "ams_fields_c_na": "fail", "ams_fields_h_empty": "fail"}


def scenarios(path):
    with open(path, encoding="utf-8") as f:
        return [scenario for scenario in yaml.safe_load_all(f) if scenario]


def zone_of(records):
    lines = []
    for name, text in (records or {}).items():
        text = re.sub(r"\s+", " ", text).replace("\\", "\\\\").replace('"', '\\"')
        parts = [text[i:i + 250] for i in range(0, len(text), 250)] or [""]
        lines.append("%s TXT %s\n" % (name, " ".join('"%s"' % part for part in parts)))
    return "".join(lines)


def verify(program, scratch, records, messages):
    """{name: the answer} of messages {name: text}."""
    zone = os.path.join(scratch, "zone")
    with open(zone, "w", encoding="utf-8") as f:
        f.write(zone_of(records))
    paths = []
    for name, text in messages.items():
        paths.append(os.path.join(scratch, name))
        with open(paths[-1], "w", encoding="utf-8") as f:
            f.write(text)
    done = subprocess.run([program, "verify", "--json", "--zone", zone] + paths, capture_output=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        sys.exit("sekisho verify: exit code %d: %s" % (done.returncode, done.stderr.decode()))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {os.path.basename(answer["file"]): answer for answer in answers}


def wanted_of(name, case):
    return OTHERWISE.get(name, (case["cv"] or "none").lower())


def run_validation(program, scratch, path):
    count, wrong = 0, []
    for scenario in scenarios(path):
        answers = verify(program, scratch, scenario["txt-records"],
                         {name: case["message"] or "\n" for name, case in scenario["tests"].items()})
        for name, case in scenario["tests"].items():
            answer, wanted = answers[name], wanted_of(name, case)
            count += 1
            if answer["arc"] != wanted or (wanted in ("fail", "temperror")) != bool(answer["arc-reason"]):
                wrong.append("%s (%s): %s (%s), not %s" % (name, case["description"], answer["arc"], answer["arc-reason"], wanted))
    return count, wrong


def tags_of(text):
    """The tags of a field, without blanks in their values."""
    return {name.strip(): re.sub(r"\s", "", value)
            for name, _, value in (tag.partition("=") for tag in text.split(";") if tag.strip())}


def seal(scratch, scenario, case):
    """The message with a set of ours, or None."""
    program = os.environ.get("ARC_CASES") or os.path.join(CHECKOUT, "build", "tests", "conformance", "arc_cases")
    for name, text in ("key", scenario["privatekey"]), ("zone", zone_of(scenario["txt-records"])):
        with open(os.path.join(scratch, name), "w", encoding="utf-8") as f:
            f.write(text)
    done = subprocess.run([program, scenario["domain"], scenario["sel"], os.path.join(scratch, "key"),
                           os.path.join(scratch, "zone"), str(case["t"]), case["srv-id"] + "; arc=none"],
                          input=case["message"].encode(), capture_output=True, timeout=60, check=False)
    return done.stdout.decode() if done.returncode == 0 else None


def judge_sealed(program, scratch, scenario, name, case):
    """None, or what is wrong."""
    made = seal(scratch, scenario, case)
    if not case["AS"].strip():
        return "sealed, but the chain had ended" if made else None
    if not made:
        return "not sealed"
    fields = re.split(r"\n(?![ \t])", made)
    ours, theirs = tags_of(fields[0].split(":", 1)[1]), tags_of(case["AS"])
    ours_ams, theirs_ams = tags_of(fields[1].split(":", 1)[1]), tags_of(case["AMS"])
    wrong = ["%s=%s, not %s" % (tag, ours[tag], theirs[tag]) for tag in ("i", "cv", "a", "d", "s", "t") if ours[tag] != theirs[tag]]
    wrong += ["%s=%s, not %s" % (tag, ours_ams[tag], theirs_ams[tag]) for tag in ("i", "bh") if ours_ams[tag] != theirs_ams[tag]]
    wanted = "fail" if theirs["cv"] == "fail" else "pass"
    answer = verify(program, scratch, scenario["txt-records"], {name: made})[name]
    if answer["arc"] != wanted:
        wrong.append("%s (%s), not %s" % (answer["arc"], answer["arc-reason"], wanted))
    return "; ".join(wrong) or None


def run_signing(program, scratch, path):
    count, wrong = 0, []
    for scenario in scenarios(path):
        for name, case in scenario["tests"].items():
            count += 1
            what = judge_sealed(program, scratch, scenario, name, case)
            if what:
                wrong.append("%s (%s): %s" % (name, case["description"], what))
    return count, wrong


def main():
    if not yaml:
        print("skipped: " + YAML_MISSING)
        return 77
    folder = find("arc-valimail")
    if not folder:
        return 77
    program = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
    count = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for run, name in (run_validation, "arc-draft-validation-tests.yml"), (run_signing, "arc-draft-sign-tests.yml"):
            number, wrong = run(program, scratch, os.path.join(folder, "tests", name))
            count += number
            failed += len(wrong)
            for line in wrong:
                print("FAILED " + line)
            print("%s: %d of %d cases as they should be" % (name, number - len(wrong), number))
    return summary(count - failed, failed, 0)


if __name__ == "__main__":
    sys.exit(main())
