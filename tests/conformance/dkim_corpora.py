#!/usr/bin/python3
"""dkim_corpora.py - public messages with DKIM signatures against `sekisho verify`.

The corpus of Mail::DKIM (dkim-mail-dkim), judged by today's rules: DomainKeys is not DKIM (none), drafts without v=1 are
permanent errors, rsa-sha1 never passes (RFC 8301), a name server that does not answer is a temperror. And that of
dkimpy (dkim-dkimpy), with the vectors of RFC 8463 A. Prints each failing case and, last, the count; exits 1 when
one fails, 77 when no corpus is there. Corpora are looked for in $SEKISHO_CORPORA and in ../shared/corpora of the
checkout. The program is $SEKISHO, or build/sekisho of the checkout.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

from corpora import find, summary, CHECKOUT


# RFC 8463 A.2, RFC 6376 A: published by the RFCs themselves.
RFC_KEYS = {
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com":
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16J"
        "Yi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K"
        "4w3QIDAQAB",
    "sed._domainkey.test.ex": "v=DKIM1; k=ed25519; p=sPs07Vu29FpHT/80UXUcYHFOHifD4o2ZlP2+XUh9g6E=",
}

# Each file of dkimpy's corpus that has a signature: the results of its signatures.
DKIMPY = {
    "rfc6376.signed.msg": ["pass", "pass"],
    "ed25519test2.msg": ["pass"],
    "rfc6376.msg": [],
    "test.message": [],
    "test_nofrom.message": [],
}


def zone_line(name, record):
    if record in ("TIMEOUT", "SERVFAIL"):
        return "%s %s\n" % (name, record)
    record = "" if record == '""' else record
    parts = [record[i:i + 250] for i in range(0, len(record), 250)] or [""]
    return "%s TXT %s\n" % (name, " ".join('"%s"' % p.replace("\\", "\\\\").replace('"', '\\"') for p in parts))


def verify(program, zone, paths):
    done = subprocess.run([program, "verify", "--json", "--zone", zone] + paths, capture_output=True, timeout=60,
                          check=False)
    if done.returncode not in (0, 1):
        sys.exit("sekisho verify: exit code %d: %s" % (done.returncode, done.stderr.decode()))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {os.path.basename(answer["file"]): answer for answer in answers}


def dkim_signatures(path):
    """The DKIM-Signature fields of a message, unfolded."""
    with open(path, "rb") as f:
        header = re.split(rb"\r?\n\r?\n", f.read(), maxsplit=1)[0]
    fields = re.sub(rb"\r?\n[ \t]", b" ", header).splitlines()
    return [f.decode("latin-1") for f in fields if re.match(rb"dkim-signature\s*:", f, re.I)]


def wanted_of(name, result, signatures):
    """The results that are right today for a file of which Mail::DKIM says `result`."""
    if not signatures:
        return {"none"}
    if name in ("badkey_14.txt", "badkey_15.txt"):
        return {"temperror"}
    if name.startswith("ignore_"):
        return {"permerror", "neutral", "policy"}  # each has one tag that is out of date or unknown
    if all(not re.search(r"[:;]\s*v\s*=\s*1\s*(;|$)", s) for s in signatures):
        return {"permerror"}
    if all(re.search(r"[:;]\s*a\s*=\s*rsa-sha1\s*(;|$)", s) for s in signatures):
        return {"permerror"}
    if result == "pass":
        return {"pass"}
    return {"fail"} if result == "fail" else {"permerror", "neutral", "policy"}


def run_mail_dkim(program, folder, scratch):
    zone = os.path.join(scratch, "zone")
    with open(os.path.join(folder, "keys.tsv"), encoding="utf-8") as f, open(zone, "w", encoding="utf-8") as out:
        out.writelines(zone_line(*line.rstrip("\n").split("\t", 1)) for line in f if line.strip())
    with open(os.path.join(folder, "expected.tsv"), encoding="utf-8") as f:
        said = dict(line.split() for line in f if line.strip())
    corpus = os.path.join(folder, "t", "corpus")
    names = sorted(os.listdir(corpus))
    answers = verify(program, zone, [os.path.join(corpus, name) for name in names])
    wrong = []
    for name in names:
        wanted = wanted_of(name, said.get(name, "invalid"), dkim_signatures(os.path.join(corpus, name)))
        if answers[name]["dkim"] not in wanted and not (name == "multiple_2.txt" and answers[name]["dkim"] == "neutral"):
            wrong.append("%s: %s, not %s" % (name, answers[name]["dkim"], " or ".join(sorted(wanted))))
    return len(names), wrong


def run_dkimpy(program, folder, scratch):
    zone = os.path.join(scratch, "zone")
    with open(zone, "w", encoding="utf-8") as out:
        out.writelines(zone_line(name, record) for name, record in RFC_KEYS.items())
    data = os.path.join(folder, "dkim", "tests", "data")
    answers = verify(program, zone, [os.path.join(data, name) for name in DKIMPY])
    wrong = []
    for name, wanted in DKIMPY.items():
        results = [signature["result"] for signature in answers[name]["signatures"]]
        if results != wanted:
            wrong.append("%s: %s, not %s" % (name, results, wanted))
    return len(DKIMPY), wrong


def main():
    program = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
    runs = [("dkim-mail-dkim", run_mail_dkim), ("dkim-dkimpy", run_dkimpy)]
    count = failed = skipped = 0
    with tempfile.TemporaryDirectory() as scratch:
        for corpus, run in runs:
            folder = find(corpus)
            if not folder:
                skipped += 1
                continue
            number, wrong = run(program, folder, scratch)
            count += number
            failed += len(wrong)
            for line in wrong:
                print("FAILED %s %s" % (corpus, line))
            print("%s: %d of %d messages as they should be" % (corpus, number - len(wrong), number))
    return summary(count - failed, failed, skipped)


if __name__ == "__main__":
    sys.exit(main())
