#!/usr/bin/python3
"""arc_chains.py - hundreds of chains of ARC, given to `sekisho verify` and three other verifiers.

Chains of one to four sets are sealed by a generator of ours (arc_chain.py), by dkimpy, by Mail::DKIM and by the program
itself, in mixed order, and then changed in one place; others are well-formed but for the one thing that their name says.
Of each it is known what RFC 8617 says (see the paragraph beside it). The program must say that. dkimpy, Mail::DKIM and
mailauth are asked, too; where one says something else, FAULTS must have the reason, by paragraph, so that no difference
is without a judge.

Deterministic but for the time. Prints what is wrong and, last, the count; exits 1 when something is, 77 without dkimpy.
The programs are $SEKISHO and $ARC_CASES, or those in build of the checkout. mailauth is asked when $MAILAUTH is a folder
with it in node_modules (npm install mailauth).
"""
import base64
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from corpora import summary, CHECKOUT, HERE

try:
    import dkim
    from arc_chain import BODY, ED_SEED, Message, SIGNED, body_of
    import nacl.signing
except ImportError:
    dkim = None

NOW = int(time.time())
KEY = os.path.join(HERE, "dkim", "rsa2048.pem")
PROGRAM = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
SEALER = os.environ.get("ARC_CASES") or os.path.join(CHECKOUT, "build", "tests", "conformance", "arc_cases")


def der(*more):
    done = subprocess.run(["openssl", "rsa", "-in", KEY, "-outform", "DER"] + list(more), capture_output=True, check=True)
    return base64.b64encode(done.stdout).decode()


def usual_keys():
    ed = base64.b64encode(bytes(nacl.signing.SigningKey(ED_SEED).verify_key)).decode()
    rsa = "v=DKIM1; k=rsa; p=" + der("-pubout")
    return {"rsa._domainkey.example.org": [rsa], "rsa._domainkey.example.net": [rsa], "ed._domainkey.example.org": ["v=DKIM1; k=ed25519; p=" + ed]}


# ---- what changes a finished chain -------------------------------------------------------------------------

def replace(old, new, count=1):
    def change(text):
        return text.replace(old, new, count) if old in text else None
    return change


def pattern(old, new, count=1):
    def change(text):
        made = re.sub(old, new, text, count=count, flags=re.S | re.I)
        return None if made == text else made
    return change


def drop(name, instance):
    """Without the field of that name and instance."""
    return pattern(rb"(?<![^\n])%s:[^\n]*?\bi=%d;.*?\r\n(?![ \t])" % (name, instance), b"")


def in_field(name, instance, old, new):
    def change(text):
        found = re.search(rb"(?<![^\n])%s:[^\n]*?\bi=%d\b.*?\r\n(?![ \t])" % (name, instance), text, re.S | re.I)
        if not found:
            return None
        field = re.sub(old, new, found.group(), count=1, flags=re.S)
        return None if field == found.group() else text[:found.start()] + field + text[found.end():]
    return change


AAR, AMS, AS = rb"ARC-Authentication-Results", rb"ARC-Message-Signature", rb"ARC-Seal"

# name -> (change, what a chain of n sets then is, or a function of n, and the rule)
CHANGES = {
    "as sealed": (lambda text: text, "pass", "5.2"),
    "Received added": (replace(b"Received:", b"Received: from c by d\r\nReceived:"), "pass", "4.1.2: not signed"),
    "other field added": (replace(b"Received:", b"X-Other: x\r\nReceived:"), "pass", "4.1.2: not signed"),
    "names in lower case": (pattern(rb"(?<![^\n])ARC-Seal:", b"arc-seal:", 0), "pass", "RFC 6376 3.4.2"),
    "more blanks in the seal": (in_field(AS, 1, rb"; ", b";  "), "pass", "RFC 6376 3.4.2"),
    "seal of set 1 folded": (in_field(AS, 1, rb"; ", b";\r\n\t"), "pass", "RFC 6376 3.4.2"),
    "subject changed": (replace(b"two  blanks", b"three  blanks"), "fail", "5.2 step 4"),
    "From changed": (replace(b"Alice <", b"Mallory <"), "fail", "5.2 step 4"),
    "body changed": (replace(b"Hello", b"Hallo"), "fail", "5.2 step 4"),
    "line appended": (lambda text: text + b"more\r\n", "fail", "5.2 step 4"),
    "blanks at a line end": (replace(b"and  another.", b"and  another. "), "pass", "RFC 6376 3.4.4"),
    "empty lines appended": (lambda text: text + b"\r\n\r\n", "pass", "RFC 6376 3.4.4"),
    "results of set 1 changed": (in_field(AAR, 1, rb"spf=pass", b"spf=fail"), "fail", "5.2 step 6"),
    "results of set 2 changed": (in_field(AAR, 2, rb"spf=pass", b"spf=fail"), "fail", "5.2 step 6"),
    "seal of set 1 changed": (in_field(AS, 1, rb"\bt=\d+", b"t=1600000000"), "fail", "5.2 step 6"),
    "seal of set 1: another domain": (in_field(AS, 1, rb"\bd=example\.org", b"d=example.net"), "fail", "5.2 step 6"),
    "seal of set 2 changed": (in_field(AS, 2, rb"\bt=\d+", b"t=1600000000"), "fail", "5.2 step 6"),
    "no seal of set 1": (drop(AS, 1), "fail", "5.2 step 3"),
    "no message signature of set 1": (drop(AMS, 1), "fail", "5.2 step 3"),
    "no results of set 1": (drop(AAR, 1), "fail", "5.2 step 3"),
    "no seal of set 2": (drop(AS, 2), "fail", "5.2 step 3"),
    "no results of set 2": (drop(AAR, 2), "fail", "5.2 step 3"),
    "a second seal of set 1": (replace(b"Received:", b"ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=example.org; s=rsa; b=YQ==\r\nReceived:"), "fail", "5.2 step 3"),
    "a second message signature": (replace(b"Received:", b"ARC-Message-Signature: i=1; a=rsa-sha256; d=example.org; s=rsa; h=from; bh=YQ==; b=YQ==\r\nReceived:"), "fail", "5.2 step 3"),
    "second results of set 1": (replace(b"Received:", b"ARC-Authentication-Results: i=1; x.example; none\r\nReceived:"), "fail", "5.2 step 3"),
    "a seal with h=": (in_field(AS, 1, rb"; b=", b"; h=from; b="), "fail", "4.1.3"),
    "a seal without cv=": (in_field(AS, 1, rb"\bcv=none; ", b""), "fail", "4.1.3"),
    "the seal of set 1 says pass": (in_field(AS, 1, rb"\bcv=none", b"cv=pass"), "fail", "5.2 step 3"),
    "the seal of set 2 says none": (in_field(AS, 2, rb"\bcv=pass", b"cv=none"), "fail", "5.2 step 3"),
    "set 1 becomes set 9": (pattern(rb"\bi=1\b", b"i=9", 0), "fail", "5.2 step 3: a gap"),
    "the seal of set 1 is gone and i=0": (in_field(AS, 1, rb"\bi=1;", b"i=0;"), "fail", "4.2.1"),
}

# ---- chains that are well-formed but for one thing: name -> (how it is made, what it is, the rule) ------------


def of(*hops, **message):
    """A chain of sets, each with its options; a function changes the message between two."""
    def make():
        made = Message(**message)
        for hop in hops:
            if callable(hop):
                hop(made)
            else:
                made.seal(**hop)
        return made.text()
    return make


def body_changed(message):
    message.body += b"a footer\r\n"


def scattered(made):
    """The fields of the older set above those of the newer one."""
    text = made()
    fields = re.split(rb"\r\n(?![ \t])", text.split(b"\r\n\r\n", 1)[0])
    return b"\r\n".join(fields[3:5] + fields[:3] + fields[5:]) + b"\r\n\r\n" + text.split(b"\r\n\r\n", 1)[1]


def with_field(field, make):
    return lambda: field + b"\r\n" + make()


OLD, SOON = b"1600000000", b"%d" % (NOW + 864000)
CHAINS = {
    "no chain": (of(), "none", "5.2 step 1"),
    "50 sets": (of(*[{}] * 50), "pass", "4.2.1"),
    "51 sets": (of(*[{}] * 51), "fail", "4.2.1"),
    "body changed between two sets": (of({}, body_changed, {}), "pass", "5.2 step 5"),
    "only set 2": (of({"i": b"2", "cv": b"pass"}), "fail", "5.2 step 3"),
    "cv=pass in set 1": (of({"cv": b"pass"}), "fail", "5.2 step 3"),
    "cv=fail in set 1": (of({"cv": b"fail"}), "fail", "5.2 step 2"),
    "cv=none in set 2": (of({}, {"cv": b"none"}), "fail", "5.2 step 3"),
    "cv=fail in set 2, seal of its set": (of({}, {"cv": b"fail", "alone": True}), "fail", "5.2 step 2"),
    "cv=fail in the middle": (of({}, {"cv": b"fail"}, {}), "fail", "5.2 step 3"),
    "cv=NONE, cv=PASS": (of({"cv": b"NONE"}, {"cv": b"PASS"}), "pass", "RFC 5234 2.3: without case"),
    "unknown tag in the seal": (of({"seal": {b"y": b"1"}}), "pass", "RFC 6376 3.2"),
    "seal with c=": (of({"seal": {b"c": b"simple/simple"}}), "pass", "4.1.3: always relaxed"),
    "seal with x= in the past": (of({"seal": {b"x": b"1700000001"}}), "pass", "4.1.3: no such tag"),
    "seal without t=": (of({"seal": {b"t": None}}), "pass", "4.1.3: optional"),
    "seal without d=": (of({"seal": {b"d": None}}), "fail", "4.1.3"),
    "seal without s=": (of({"seal": {b"s": None}}), "fail", "4.1.3"),
    "seal without a=": (of({"seal": {b"a": None}}), "fail", "4.1.3"),
    "message signature without t=": (of({"ams": {b"t": None}}), "pass", "RFC 6376 3.5"),
    "message signature with x= ahead": (of({"ams": {b"x": SOON}}), "pass", "RFC 6376 3.5"),
    "older message signature with x= in the past": (of({"ams": {b"t": OLD, b"x": b"1600000001"}}, {}), "pass", "5.2: only the newest counts"),
    "newest message signature with x= in the past": (of({"ams": {b"t": OLD, b"x": b"1600000001"}}), "fail", "RFC 6376 6.1.1"),
    "message signature with t= ahead": (of({"ams": {b"t": SOON}}), "pass", "RFC 6376 3.5: MAY"),
    "message signature covers ARC-Seal": (of({}, {"ams": {b"h": b"from:to:arc-seal"}}), "fail", "4.1.2"),
    "message signature without From": (of({"ams": {b"h": b"to:subject"}}), "fail", "RFC 6376 5.4"),
    "message signature with v=1": (of({"ams": {b"v": b"1"}}), "pass", "4.1.2: not defined, RFC 6376 3.2"),
    "message signature simple/simple": (of({"ams": {b"c": b"simple/simple"}}), "pass", "RFC 6376 3.4"),
    "message signature relaxed/simple": (of({"ams": {b"c": b"relaxed/simple"}}), "pass", "RFC 6376 3.4"),
    "message signature without c=, signed simple": (of({"ams": {b"c": None}}), "pass", "RFC 6376 3.5"),
    "message signature without c=, signed relaxed": (of({"ams": {b"c": None}, "signed_as": (b"relaxed", b"relaxed")}), "fail", "RFC 6376 3.5"),
    "message signature q=dns/foo": (of({"ams": {b"q": b"dns/foo"}}), "fail", "RFC 6376 3.5"),
    "message signature with l=, line appended": (of({"ams": {b"l": b"10"}, "length": 10}, ), "pass", "RFC 6376 3.5"),
    "seal and message signature of two domains": (of({"seal": {b"d": b"example.net"}}), "pass", "4.1.3"),
    "i= as the last tag of the seal": (of({"seal": {b"i": None}, "last": b"; i=1"}), "pass", "RFC 6376 3.2: tags have no order"),
    "i=01": (of({"i": b"01"}), "pass", "4.2.1: 1*2DIGIT"),
    "I=1": (of({"seal": {b"i": None, b"I": b"1"}}), "fail", "RFC 6376 3.2: tags have a case"),
    "d= twice": (of({"last": b"; d=example.org"}), "fail", "RFC 6376 3.2"),
    "an empty tag": (of({"last": b"; ;"}), "fail", "RFC 6376 3.2"),
    "rsa-sha1": (of({"algorithm": b"rsa-sha1"}), "fail", "RFC 8301 3.1"),
    "Ed25519": (of({"algorithm": b"ed25519-sha256"}), "pass", "RFC 8463 3"),
    "RSA, then Ed25519": (of({}, {"algorithm": b"ed25519-sha256"}), "pass", "RFC 8463 3"),
    "an older seal is wrong, and a later one covers it": (of({"order": lambda f: f[::-1]}, {}, {}), "fail", "5.2 step 6"),
    "the seal covers the newest set first": (of({}, {"order": lambda f: f[3:] + f[:3]}), "fail", "5.1.1"),
    "the seal covers the message signature before the results": (of({"order": lambda f: f[::-1]}), "fail", "5.1.1"),
    "fields scattered": (lambda: scattered(of({}, {})), "pass", "5.1.1: in the order of i="),
    "results empty": (of({"results": b"i=%s;"}), "pass", "4.1.1"),
    "results garbage": (of({"results": b"i=%s; \x07 = (("}), "pass", "4.1.1"),
    "results in UTF-8": (of({"results": "i=%s; mx.example.net; none (\u00fc)".encode()}), "pass", "3.9"),
    "results without blanks": (of({"results": b"i=%s;mx.example.net;spf=pass"}), "pass", "4.1.1"),
    "results folded": (of({"results": b"i=%s;\r\n\tmx.example.net;\r\n\tspf=pass"}), "pass", "4.1.1"),
    "comments around i= of the results": (of({"results": b"(a) i (b) = (c) 1 (d) ; mx.example.net; none"}), "pass", "4.1.1"),
    "stray results without i=": (with_field(b"ARC-Authentication-Results: mx.example.net; none", of({})), "fail", "5.2 step 3"),
    "stray results i=3": (with_field(b"ARC-Authentication-Results: i=3; mx.example.net; none", of({})), "fail", "5.2 step 3"),
    "stray results i=51": (with_field(b"ARC-Authentication-Results: i=51; mx.example.net; none", of({})), "fail", "4.2.1"),
    "an unknown key": (of({"selector": b"none"}), "fail", "RFC 6376 6.1.2"),
}

# By verifier: names of chains, with any sealers, that it judges otherwise, and why it is wrong or free to.
FAULTS = {
    "dkimpy": {
        "51 sets": "4.2.1 allows 50",
        "cv=NONE, cv=PASS": "RFC 5234 2.3: words of an ABNF have no case",
        "seal with c=": "4.1.3: the seal has no c=, and is relaxed",
        "seal with x= in the past": "4.1.3: the seal has no x=; unknown tags are ignored",
        "older message signature with x= in the past": "5.2 step 5 does not change the result",
        "message signature with t= ahead": "RFC 6376 3.5: verifiers MAY ignore it",
        "message signature without From": "RFC 6376 5.4: From MUST be signed",
        "message signature without c=, signed simple": "RFC 6376 3.5: simple/simple is the default",
        "message signature without c=, signed relaxed": "RFC 6376 3.5: simple/simple is the default",
        "Ed25519": "RFC 8463 is for DKIM; it knows rsa-sha256 alone in ARC",
        "RSA, then Ed25519": "the same",
        "fields scattered": "5.1.1: in the order of i=, not of their place",
        "comments around i= of the results": "4.1.1: CFWS is allowed",
        "stray results without i=": "5.2 step 3: a field that is in no set; it overlooks it",
        "key with h=sha1": "RFC 6376 3.6.1: h= names the hashes that are allowed",
    },
    "Mail::DKIM": {
        "cv=NONE, cv=PASS": "RFC 5234 2.3: words of an ABNF have no case",
        "seal with x= in the past": "4.1.3: the seal has no x=; unknown tags are ignored",
        "older message signature with x= in the past": "5.2 step 5 does not change the result",
        "message signature without From": "RFC 6376 5.4: From MUST be signed",
        "Ed25519": "RFC 8463 is for DKIM; it knows rsa-sha256 alone in ARC",
        "comments around i= of the results": "4.1.1: CFWS is allowed",
        "stray results without i=": "5.2 step 3: a field that is in no set; it overlooks it",
        "stray results i=3": "5.2 step 3: set 3 is not complete; it counts seals alone",
        "stray results i=51": "4.2.1: the same",
        "key as RSAPublicKey": "RFC 6376 3.6.1 has this form",
    },
    "mailauth": {
        "message signature without c=, signed relaxed": "RFC 6376 3.5: simple/simple is the default",
        "message signature q=dns/foo": "RFC 6376 3.5: no query method that we know",
        "I=1": "RFC 6376 3.2: names of tags have a case",
        "d= twice": "RFC 6376 3.2: no tag appears twice",
        "an empty tag": "RFC 6376 3.2: a tag has a name",
        "stray results without i=": "5.2 step 3: a field that is in no set; it overlooks it",
    },
}
SLOW = "50 sets", "51 sets"  # Mail::DKIM hashes all sets anew for each: half a minute


# ---- sealers ------------------------------------------------------------------------------------------------

RESULTS = b"mx.example.net; spf=pass smtp.mailfrom=a@example.org; arc=%s"


def seal_ours(text, keys, scratch, cv):
    zone = os.path.join(scratch, "sealers")
    write_zone(zone, keys)
    done = subprocess.run([SEALER, "example.org", "rsa", KEY, zone, str(NOW), (RESULTS % cv).decode()], input=text, capture_output=True,
                          timeout=60, check=True)
    made = done.stdout[:len(done.stdout) - len(text)]
    return re.sub(rb"\r?\n", b"\r\n", made) + text


def seal_dkimpy(text, keys, scratch, cv):
    with open(KEY, "rb") as f:
        fields = dkim.arc_sign(b"Authentication-Results: " + RESULTS % cv + b"\r\n" + text, b"rsa", b"example.org", f.read(),
                               b"mx.example.net", include_headers=list(SIGNED), timestamp=NOW)
    return b"".join(field.rstrip(b"\r\n") + b"\r\n" for field in fields) + text


def seal_perl(text, keys, scratch, cv):
    done = subprocess.run(["/usr/bin/perl", os.path.join(HERE, "arc_oracle.pl"), "seal", KEY, "example.org", "rsa", cv.decode()],
                          input=b"Authentication-Results: " + RESULTS % cv + b"\r\n" + text, capture_output=True, timeout=60, check=True)
    return re.sub(rb"\r?\n", b"\r\n", done.stdout).rstrip(b"\r\n") + b"\r\n" + text


def chain_of(sealers, keys, scratch):
    text = Message().text()
    for number, sealer in enumerate(sealers):
        text = sealer(text, keys, scratch, b"pass" if number else b"none")
    return text


# ---- cases --------------------------------------------------------------------------------------------------

Case = collections.namedtuple("Case", "name variant text keys wanted rule")


def key_cases(keys):
    """Records of the key of a good chain."""
    rsa = keys["rsa._domainkey.example.org"][0]
    for name, records, wanted, rule in (
            ("key revoked", ["v=DKIM1; k=rsa; p="], "fail", "RFC 6376 3.6.1"),
            ("key with t=y:s", [rsa.replace("k=rsa;", "k=rsa; t=y:s;")], "pass", "RFC 6376 3.6.1"),
            ("key with h=sha1", [rsa.replace("k=rsa;", "k=rsa; h=sha1;")], "fail", "RFC 6376 3.6.1"),
            ("key with s=tlsrpt", [rsa.replace("k=rsa;", "k=rsa; s=tlsrpt;")], "fail", "RFC 6376 3.6.1"),
            ("key of another kind", [rsa.replace("k=rsa;", "k=ed25519;")], "fail", "RFC 6376 3.6.1"),
            ("key without v=", [rsa.replace("v=DKIM1; ", "")], "pass", "RFC 6376 3.6.1"),
            ("key as RSAPublicKey", ["v=DKIM1; k=rsa; p=" + der("-RSAPublicKey_out")], "pass", "RFC 6376 3.6.1"),
            ("no key", [], "fail", "RFC 6376 6.1.2")):
        changed = dict(keys)
        changed["rsa._domainkey.example.org"] = records
        yield Case(name, name, of({}, {})(), changed, wanted, rule)


def make_cases(scratch, has_perl):
    keys = usual_keys()
    mixed = [("ours", [seal_ours]), ("dkimpy", [seal_dkimpy]), ("ours, ours", [seal_ours] * 2),
             ("dkimpy, ours", [seal_dkimpy, seal_ours]), ("ours, dkimpy", [seal_ours, seal_dkimpy]),
             ("ours, dkimpy, ours", [seal_ours, seal_dkimpy, seal_ours]), ("four of ours", [seal_ours] * 4)]
    if has_perl:
        mixed += [("perl, ours", [seal_perl, seal_ours]), ("ours, perl", [seal_ours, seal_perl]),
                  ("dkimpy, perl, ours, perl", [seal_dkimpy, seal_perl, seal_ours, seal_perl])]
    bases = [("%d made" % n, of(*[{}] * n)()) for n in (1, 2, 3)]
    bases += [(name, chain_of(sealers, keys, scratch)) for name, sealers in mixed]
    for base, text in bases:
        for name, (change, wanted, rule) in CHANGES.items():
            made = change(text)
            if made:
                yield Case("%s: %s" % (base, name), name, made, keys, wanted, rule)
    for name, (make, wanted, rule) in CHAINS.items():
        yield Case(name, name, make(), keys, wanted, rule)
    yield from key_cases(keys)


# ---- verifiers -------------------------------------------------------------------------------------------------

def write_zone(path, keys):
    with open(path, "w", encoding="ascii") as f:
        for name, texts in keys.items():
            for text in texts:
                f.write("%s TXT %s\n" % (name, " ".join('"%s"' % text[i:i + 250] for i in range(0, len(text), 250))))


def write_keys(path, keys):
    with open(path, "w", encoding="ascii") as f:
        f.writelines("%s\t%s\n" % (name, text) for name, texts in keys.items() for text in texts)


def ask_sekisho(keys, files, scratch):
    zone = os.path.join(scratch, "zone")
    write_zone(zone, keys)
    done = subprocess.run([PROGRAM, "verify", "--json", "--zone", zone] + files, capture_output=True, timeout=120, check=False)
    if done.returncode not in (0, 1):
        sys.exit("sekisho verify: exit code %d: %s" % (done.returncode, done.stderr.decode()))
    answers = (json.loads(line) for line in done.stdout.splitlines())
    return {answer["file"]: answer["arc"] for answer in answers}


def ask_dkimpy(keys, files, scratch):
    def lookup(name, timeout=5):
        texts = keys.get(name.decode().rstrip(".").lower(), [])
        return texts[-1].encode() if texts else None
    results = {}
    for path in files:
        with open(path, "rb") as f:
            try:
                results[path] = (dkim.arc_verify(f.read(), dnsfunc=lookup)[0] or b"fail").decode()
            except Exception:
                results[path] = "died"
    return results


def ask_program(command, keys, files, scratch):
    """None: it cannot be asked."""
    path = os.path.join(scratch, "keys")
    write_keys(path, keys)
    done = subprocess.run(command + [path] + files, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        return None
    return dict(line.split("\t") for line in done.stdout.decode().splitlines())


def ask_perl(keys, files, scratch):
    return ask_program(["/usr/bin/perl", os.path.join(HERE, "arc_oracle.pl"), "verify"], keys, files, scratch)


def ask_mailauth(keys, files, scratch):
    return ask_program(["node", os.path.join(HERE, "arc_oracle.mjs")], keys, files, scratch)


def oracles():
    """{name: how to ask}; says why one is not asked."""
    found = {"dkimpy": ask_dkimpy}
    if subprocess.run(["/usr/bin/perl", "-MMail::DKIM::ARC::Verifier", "-e", "1"], capture_output=True, check=False).returncode == 0:
        found["Mail::DKIM"] = ask_perl
    else:
        print("skipped: arc_chains by Mail::DKIM: Mail::DKIM is missing (package libmail-dkim-perl on Debian and Ubuntu)")
    if os.environ.get("MAILAUTH") and shutil.which("node"):
        found["mailauth"] = ask_mailauth
    else:
        print("skipped: arc_chains by mailauth: MAILAUTH names no folder with mailauth, or node is missing (npm install mailauth)")
    return found


# ---- trust -------------------------------------------------------------------------------------------------------

def trust_cases():
    """(name, message, arc.trusted, arc.dmarc): whose word counts, when example.org is in the list."""
    yield "a sealer in the list", of({})(), True, "pass"
    yield "both in the list", of({}, {})(), True, "pass"
    yield "a stranger sealed first", of({"domain": b"example.net"}, {})(), False, None
    yield "a stranger sealed last", of({}, {"domain": b"example.net"})(), False, None
    yield "the chain fails", of({})().replace(b"Hello", b"Hallo"), False, None
    yield "a part of the body is not sealed", of({"ams": {b"l": b"10"}, "length": 10})(), False, None
    yield "l= is as long as the body", of({"ams": {b"l": b"%d" % len(body_of(BODY, b"relaxed"))}})(), True, "pass"
    yield "no result of DMARC", of({"results": b"i=%s; mx.example.net; none"})(), True, None
    yield "results that are not well-formed", of({"results": b"i=%s; dmarc=pass"})(), True, None
    yield "an unknown result", of({"results": b"i=%s; mx.example.net; dmarc=bestguesspass"})(), True, None
    yield "the first sealer counts", of({"results": b"i=%s; mx.example.net; dmarc=fail"}, {})(), True, "fail"


def run_trust(scratch):
    """How many are as they should be, and lines about the others."""
    files = {name: os.path.join(scratch, name) for name in ("policy", "trusted", "trust-zone", "message")}
    write_zone(files["trust-zone"], usual_keys())
    with open(files["trusted"], "w", encoding="ascii") as f:
        f.write("example.org\n")
    with open(files["policy"], "w", encoding="ascii") as f:
        f.write("list trusted file:trusted\narc { trust trusted }\nrecord { facts all }\npolicy inbound { on message { log \"x\" } }\n")
    wrong, count = [], 0
    for name, text, trusted, dmarc in trust_cases():
        with open(files["message"], "wb") as f:
            f.write(text)
        done = subprocess.run([PROGRAM, "explain", "--json", "-c", files["policy"], "--zone", files["trust-zone"], "--client", "192.0.2.1",
                               "--sender", "a@example.org", files["message"]], capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            sys.exit("sekisho explain: exit code %d: %s" % (done.returncode, done.stderr.decode()))
        facts = json.loads(done.stdout)["facts"]
        count += 1
        if (facts["arc.trusted"], facts["arc.dmarc"]) != (trusted, dmarc):
            wrong.append("%s: trusted %s, dmarc %s" % (name, facts["arc.trusted"], facts["arc.dmarc"]))
    return count - len(wrong), wrong


def judge(case, results):
    """What is wrong, line by line."""
    if results["sekisho"] != case.wanted:
        yield "%s, not %s (%s)" % (results["sekisho"], case.wanted, case.rule)
    for verifier, result in results.items():
        if verifier == "sekisho" or (result == "pass") == (case.wanted == "pass"):
            continue
        if case.variant not in FAULTS[verifier]:
            yield "%s (%s), but %s says %s, and nobody has judged that" % (case.wanted, case.rule, verifier, result)


def main():
    if not dkim:
        print("skipped: arc_chains: dkimpy or PyNaCl is missing (packages python3-dkim and python3-nacl on Debian and Ubuntu)")
        return summary(0, 0, 1)
    asked = oracles()
    failed = differences = 0
    with tempfile.TemporaryDirectory() as scratch:
        cases = list(make_cases(scratch, "Mail::DKIM" in asked))
        groups = collections.OrderedDict()
        for number, case in enumerate(cases):
            path = os.path.join(scratch, "m%d" % number)
            with open(path, "wb") as f:
                f.write(case.text)
            groups.setdefault(json.dumps(case.keys, sort_keys=True), (case.keys, {}))[1][path] = case
        for keys, files in groups.values():
            quick = [path for path, case in files.items() if case.variant not in SLOW]
            said = {name: ask(keys, quick if name == "Mail::DKIM" else list(files), scratch)
                    for name, ask in [("sekisho", ask_sekisho)] + list(asked.items())}
            for path, case in files.items():
                results = {name: answers[path] for name, answers in said.items() if answers and path in answers}
                differences += sum((result == "pass") != (results["sekisho"] == "pass") for result in results.values())
                wrong = list(judge(case, results))
                failed += bool(wrong)
                for line in wrong:
                    print("FAILED %s: %s" % (case.name, line))
        trusted, wrong = run_trust(scratch)
        for line in wrong:
            print("FAILED " + line)
    print("%d chains, asked %s, too: %d differences" % (len(cases), ", ".join(asked), differences))
    return summary(len(cases) - failed + trusted, failed + len(wrong), 3 - len(asked))


if __name__ == "__main__":
    sys.exit(main())
