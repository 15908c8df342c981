#!/usr/bin/python3
"""dkim_variants.py - signatures that are changed in one place, given to `sekisho verify` and two other verifiers.

Messages are signed with dkimpy (python3-dkim) in all canonicalisations, with RSA and Ed25519; each variant then changes
one thing in the message, the signature field or the key record. Every variant is judged by `sekisho verify`, by
dkimpy, and (RSA alone: older versions know no other) by Mail::DKIM. All must agree on whether it passes, except where a
rule of RFC 6376, 8301 or 8616 says otherwise: such a variant names the rule and our result.
Deterministic: nothing is random. Prints what disagrees and, last, the count; exits 1 when one fails, 77 when there is
no dkimpy. The program is $SEKISHO, or build/sekisho of the checkout.
"""
import base64
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time

try:
    import dkim
    import nacl.signing
except ImportError:
    dkim = None

from corpora import summary, CHECKOUT, HERE

NOW = int(time.time())
ED_SEED = bytes(range(32))


def read_key(name):
    with open(os.path.join(HERE, "dkim", name), "rb") as f:
        return f.read()


def rsa_public(name):
    done = subprocess.run(["openssl", "rsa", "-in", os.path.join(HERE, "dkim", name), "-pubout", "-outform", "DER"],
                          capture_output=True, check=True)
    return base64.b64encode(done.stdout).decode()


def rsa_bare(name):
    done = subprocess.run(["openssl", "rsa", "-in", os.path.join(HERE, "dkim", name), "-RSAPublicKey_out", "-outform",
                           "DER"], capture_output=True, check=True)
    return base64.b64encode(done.stdout).decode()


# ---- messages ------------------------------------------------------------------------------------------

HEADER = (b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
          b"From: Alice <alice@example.org>\r\n"
          b"To: Bob <bob@example.net>,\r\n\tCarol <carol@example.net>\r\n"
          b"Subject:  two  blanks \r\n and a fold\t \r\n"
          b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
          b"Message-ID: <1@example.org>\r\n"
          b"X-Empty:\r\n"
          b"X-Twice: one\r\n"
          b"X-Twice: two\r\n")

BODIES = {
    "text": b"Hello  Bob,\r\n\r\n\tthis is \t a line \r\nand  another.\r\n.\r\n..\r\nFrom here on\r\n\r\n\r\n",
    "empty": b"",
    "no-end": b"a line without an end",
    "blank-lines": b"\r\n\r\n \r\n\t\r\n",
    "eight-bit": b"Gr\xfc\xdfe \xe2\x82\xac  \xff\r\n" * 5,
    "long": b"".join(b"%d %s\r\n" % (i, b"x" * (i % 90)) for i in range(300)),
}

Signing = collections.namedtuple("Signing", "name algorithm canon")
SIGNINGS = [Signing("%s %s/%s" % (a[:3], h[:3], b[:3]), a, (h, b)) for a in ("rsa-sha256", "ed25519-sha256")
            for h in ("simple", "relaxed") for b in ("simple", "relaxed")]
SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"x-empty", b"x-twice", b"x-absent"]


def sign(message, signing, **more):
    algorithm = signing.algorithm.encode()
    key = read_key("rsa2048.pem") if algorithm == b"rsa-sha256" else base64.b64encode(ED_SEED)
    selector = b"rsa" if algorithm == b"rsa-sha256" else b"ed"
    canon = tuple(c.encode() for c in signing.canon)
    return dkim.sign(message, selector, b"example.org", key, canonicalize=canon, signature_algorithm=algorithm,
                     include_headers=SIGNED, **more) + message


# ---- variants: a function of the signed message; None: it does not apply ----------------------------------

def replace(old, new, count=1):
    def change(message, keys):
        return (message.replace(old, new, count), keys) if old in message else None
    return change


def in_signature(pattern, new):
    """Changes the DKIM-Signature field, which is the first."""
    def change(message, keys):
        end = re.search(rb"\r\n(?![ \t])", message).end()
        field = re.sub(pattern, new, message[:end], count=1, flags=re.S)
        return None if field == message[:end] else (field + message[end:], keys)
    return change


def add_tag(tag):
    def change(message, keys):
        return message.replace(b"DKIM-Signature: ", b"DKIM-Signature: " + tag + b"; ", 1), keys
    return change


def body(function):
    def change(message, keys):
        header, text = message.split(b"\r\n\r\n", 1)
        return header + b"\r\n\r\n" + function(text), keys
    return change


def record(function):
    def change(message, keys):
        return message, {name: [function(text) for text in texts] for name, texts in keys.items()}
    return change


def records(function):
    def change(message, keys):
        return message, {name: function(texts) for name, texts in keys.items()}
    return change


def same(message, keys):
    return message, keys


# name -> (change, our result where the others need not agree, and the rule). Where that is None all must agree.
VARIANTS = {
    "unchanged": (same, None),
    "subject changed": (replace(b"two  blanks", b"three  blanks"), None),
    "subject with one blank less": (replace(b"two  blanks", b"two blanks"), None),
    "subject unfolded": (replace(b" \r\n and a fold", b"  and a fold"), None),
    "fold with a tab": (replace(b"\r\n and", b"\r\n\tand"), None),
    "name in capitals": (replace(b"\r\nSubject:", b"\r\nSUBJECT:"), None),
    "no space after the colon": (replace(b"\r\nDate: ", b"\r\nDate:"), None),
    "blanks at the end of a field": (replace(b"+0000\r\nMessage", b"+0000  \t\r\nMessage"), None),
    "from changed": (replace(b"Alice", b"Mallory"), None),
    "empty field filled": (replace(b"X-Empty:", b"X-Empty: x"), None),
    "empty field with blanks": (replace(b"X-Empty:", b"X-Empty:   "), None),
    "empty field gone": (replace(b"X-Empty:\r\n", b""), None),
    "twice in another order": (replace(b"X-Twice: one\r\nX-Twice: two\r\n", b"X-Twice: two\r\nX-Twice: one\r\n"), None),
    "upper of two changed": (replace(b"X-Twice: one", b"X-Twice: three"), None),
    "lower of two changed": (replace(b"X-Twice: two", b"X-Twice: three"), None),
    "another of two below": (replace(b"X-Twice: two\r\n", b"X-Twice: two\r\nX-Twice: three\r\n"), None),
    "another of two on top": (replace(b"Received:", b"X-Twice: three\r\nReceived:"), None),
    "over-signed field added": (replace(b"Received:", b"X-Absent: here\r\nReceived:"), None),
    "received added": (replace(b"Received:", b"Received: from c by d\r\nReceived:"), None),
    "unsigned field added": (replace(b"Received:", b"X-Other: x\r\nReceived:"), None),
    "date gone": (replace(b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n", b""), None),
    "second from on top": (replace(b"Received:", b"From: Alice <alice@example.org>\r\nReceived:"),
                           ("policy", "RFC 6376 8.15: a From that is not signed")),
    "second from below": (replace(b"X-Empty:", b"From: eve@example.com\r\nX-Empty:"), None),
    "body: a word changed": (replace(b"Bob,\r\n\r\n", b"Rob,\r\n\r\n"), None),
    "body: one blank more": (body(lambda b: b.replace(b" ", b"  ", 1)), None),
    "body: tabs for blanks": (body(lambda b: b.replace(b" ", b"\t")), None),
    "body: blanks at line ends": (body(lambda b: b.replace(b"\r\n", b" \t\r\n")), None),
    "body: blanks at line starts": (body(lambda b: b.replace(b"\r\n", b"\r\n ")), None),
    "body: empty lines at the end": (body(lambda b: b + b"\r\n\r\n\r\n" if b.endswith(b"\r\n") else b + b"\r\n\r\n"), None),
    "body: no empty lines at the end": (body(lambda b: b.rstrip(b"\r\n") + (b"\r\n" if b.strip() else b"")), None),
    "body: a line more": (body(lambda b: b + b"one more\r\n"), None),
    "body: an empty line on top": (body(lambda b: b"\r\n" + b), None),
    "body: a dot more": (body(lambda b: b.replace(b"\r\n.", b"\r\n..", 1)), None),
    "body: a bit flipped": (body(lambda b: b[:-5] + bytes([b[-5] ^ 1]) + b[-4:] if len(b) > 9 else b + b"!"), None),
    "body: gone": (body(lambda b: b""), None),
    "body: a bare CR and a letter": (body(lambda b: b[:3] + b"\r!" + b[3:]), None),
    "body: cut": (body(lambda b: b[:len(b) // 2]), None),
    "c= relaxed/relaxed for all": (in_signature(rb"c=[a-z]+/[a-z]+", b"c=relaxed/relaxed"), None),
    "c= simple": (in_signature(rb"c=[a-z]+/[a-z]+", b"c=simple"), None),
    "c= relaxed": (in_signature(rb"c=[a-z]+/[a-z]+", b"c=relaxed"), None),
    "c= unknown": (in_signature(rb"c=[a-z]+/[a-z]+", b"c=nowsp/simple"), ("neutral", "RFC 8601 2.7.1")),
    "v= gone": (in_signature(rb"v=1;", b""), ("permerror", "RFC 6376 3.5: v= is required")),
    "v=2": (in_signature(rb"v=1;", b"v=2;"), ("permerror", "RFC 6376 6.1.1")),
    "a= gone": (in_signature(rb"a=[a-z0-9-]+;", b""), ("permerror", "RFC 6376 3.5")),
    "a= rsa-sha1": (in_signature(rb"a=[a-z0-9-]+;", b"a=rsa-sha1;"), ("permerror", "RFC 8301 3.1")),
    "a= unknown": (in_signature(rb"a=[a-z0-9-]+;", b"a=rsa-md5;"), ("neutral", "RFC 8601 2.7.1")),
    "d= another": (in_signature(rb"d=example\.org", b"d=example.com"), None),
    "d= above": (in_signature(rb"d=example\.org", b"d=org"), None),
    "d= gone": (in_signature(rb"d=example\.org;", b""), ("permerror", "RFC 6376 3.5")),
    "s= another": (in_signature(rb"s=[a-z]+;", b"s=none;"), ("permerror", "RFC 6376 6.1.2: no key")),
    "s= gone": (in_signature(rb"s=[a-z]+;", b""), ("permerror", "RFC 6376 3.5")),
    "h= gone": (in_signature(rb"h=[^;]+;", b""), ("permerror", "RFC 6376 3.5")),
    "h= without from": (in_signature(rb"h=from : ", b"h="), ("permerror", "RFC 6376 5.4: From is signed")),
    "h= shorter": (in_signature(rb" : x-absent", b""), None),
    "h= longer": (in_signature(rb"x-absent", b"x-absent : x-more"), None),
    "h= in capitals": (in_signature(rb"h=from", b"h=FROM"), None),
    "bh= gone": (in_signature(rb"bh=[^;]+;", b""), ("permerror", "RFC 6376 3.5")),
    "bh= wrong": (in_signature(rb"bh=.", b"bh=@"), ("neutral", "RFC 8601 2.7.1: not base64")),
    "bh= of zeros": (in_signature(rb"bh=[^;]+;", b"bh=" + base64.b64encode(bytes(32)) + b";"), None),
    "b= empty": (in_signature(rb" b=.*\r\n$", b" b=\r\n"), ("neutral", "RFC 8601 2.7.1")),
    "b= shorter": (in_signature(rb"...==\r\n$", b"==\r\n"), ("neutral", "RFC 4648: not base64")),
    "b= of zeros": (in_signature(rb" b=.*\r\n$", b" b=" + base64.b64encode(bytes(256)) + b"\r\n"), None),
    "b= with blanks": (in_signature(rb"==\r\n$", b"\r\n = =\r\n"), None),
    "tag twice": (add_tag(b"d=example.org"), ("neutral", "RFC 6376 3.2: duplicate tags")),
    "unknown tag": (add_tag(b"y=1"), None),
    "no tag at all": (in_signature(rb": .*\r\n$", b": \r\n"), ("neutral", "RFC 8601 2.7.1")),
    "tag without =": (add_tag(b"nonsense"), ("neutral", "RFC 6376 3.2")),
    "l= longer than the body": (add_tag(b"l=1000000"), ("permerror", "RFC 6376 3.5")),
    "l= not a number": (add_tag(b"l=x"), ("neutral", "RFC 8601 2.7.1")),
    "l= of 2^63": (add_tag(b"l=9223372036854775808"), ("permerror", "RFC 6376 3.5")),
    "i= below d=": (in_signature(rb"i=[^;]+;", b"i=a@b.example.org;"), None),
    "i= outside of d=": (in_signature(rb"i=[^;]+;", b"i=@example.com;"), ("permerror", "RFC 6376 3.5")),
    "i= of a longer name": (in_signature(rb"i=[^;]+;", b"i=@badexample.org;"), ("permerror", "RFC 6376 3.5")),
    "q= unknown": (in_signature(rb"q=dns/txt", b"q=http"), ("neutral", "RFC 6376 3.5")),
    "t= in the future": (in_signature(rb"t=[0-9]+", b"t=%d" % (NOW + 86400)), ("policy", "RFC 6376 3.5")),
    "x= in the past": (in_signature(rb"t=[0-9]+", b"t=%d; x=%d" % (NOW - 90000, NOW - 80000)), ("policy", "RFC 6376 3.5")),
    "x= before t=": (in_signature(rb"t=[0-9]+", b"t=%d; x=%d" % (NOW - 10, NOW - 20)), ("permerror", "RFC 6376 3.5")),
    "signature field in lower case": (replace(b"DKIM-Signature:", b"dkim-signature:"), None),
    "key: revoked": (record(lambda r: re.sub("p=.*", "p=", r)), ("permerror", "RFC 6376 3.6.1")),
    "key: no p=": (record(lambda r: re.sub("; p=.*", "", r)), ("permerror", "RFC 6376 3.6.1")),
    "key: spoilt": (record(lambda r: r.replace("p=", "p=AAAA")), ("permerror", "RFC 6376 6.1.2")),
    "key: not base64": (record(lambda r: r.replace("p=", "p=@")), ("permerror", "RFC 6376 6.1.2")),
    "key: without v=": (record(lambda r: r.replace("v=DKIM1; ", "")), None),
    "key: v= of another": (record(lambda r: r.replace("v=DKIM1", "v=DKIM2")), ("permerror", "RFC 6376 3.6.1")),
    "key: v= not first": (record(lambda r: r.replace("v=DKIM1; ", "") + "; v=DKIM1"), ("permerror", "RFC 6376 3.6.1")),
    "key: for sha256": (record(lambda r: r.replace("; p=", "; h=sha256; p=")), None),
    "key: for sha1 and sha256": (record(lambda r: r.replace("; p=", "; h=sha1:sha256; p=")), None),
    "key: for sha1": (record(lambda r: r.replace("; p=", "; h=sha1; p=")), ("permerror", "RFC 6376 3.6.1")),
    "key: for mail": (record(lambda r: r.replace("; p=", "; s=email; p=")), None),
    "key: for all": (record(lambda r: r.replace("; p=", "; s=*; p=")), None),
    "key: not for mail": (record(lambda r: r.replace("; p=", "; s=tlsrpt; p=")), ("permerror", "RFC 6376 3.6.1")),
    "key: testing": (record(lambda r: r.replace("; p=", "; t=y; p=")), None),
    "key: strict": (record(lambda r: r.replace("; p=", "; t=s; p=")), None),
    "key: of an unknown kind": (record(lambda r: re.sub("k=[a-z0-9]+", "k=dsa", r)), ("permerror", "RFC 6376 3.6.1")),
    "key: says the other kind": (record(lambda r: r.replace("k=rsa", "k=X").replace("k=ed25519", "k=rsa").replace("k=X", "k=ed25519")),
                                 ("permerror", "RFC 6376 3.6.1")),
    "key: with notes": (record(lambda r: r.replace("; p=", "; n=a=20note; p=")), None),
    "key: ends in a semicolon": (record(lambda r: r + ";"), None),
    "key: over 1 KB": (record(lambda r: r.replace("; p=", "; n=" + "note" * 400 + "; p=")), None),
    "key: tag twice": (record(lambda r: r + "; k=rsa"), ("permerror", "RFC 6376 3.2")),
    "key: granularity": (record(lambda r: r.replace("; p=", "; g=nobody; p=")), ("pass", "RFC 6376: g= is gone")),
    "key: the same twice": (records(lambda r: r * 2), ("pass", "RFC 6376 6.1.2: one of them may be chosen")),
    "key: beside another": (records(lambda r: [r[0].replace("p=", "p=AAAA")] + r), ("pass", "RFC 6376 6.1.2: each may be tried")),
    "key: beside a text": (records(lambda r: ["google-site-verification=abc"] + r), ("pass", "RFC 6376 3.6.1: not a key record")),
    "key: words in capitals": (record(lambda r: r.replace("k=rsa", "k=RSA").replace("k=ed25519", "k=ED25519")
                                      .replace("; p=", "; h=SHA256; s=Email; p=")), ("pass", "RFC 5234 2.3")),
    "key: beside an SPF record": (records(lambda r: ["v=spf1 -all"] + r), ("pass", "RFC 6376 3.6.1: others are discarded")),
    "key: none": (records(lambda r: []), ("permerror", "RFC 6376 6.1.2")),
}

def is_fault(case, verifier):
    """Where a verifier is wrong by the RFC and we are not."""
    text = case.message.split(b"\r\n\r\n", 1)[1]
    if verifier == "libopendkim":
        return b"\r" in text.replace(b"\r\n", b"")  # its word about a bare CR does not count
    last = text.rpartition(b"\r\n")[2]
    if verifier == "Mail::DKIM" and last and case.body_canon == "simple":
        return True  # RFC 6376 3.4.3: where the last CRLF is missing, it is added
    return verifier == "dkimpy" and last and not last.strip() and case.body_canon == "relaxed"  # 3.4.4: that is an empty line


class Case:
    def __init__(self, name, message, keys, ours, signing):
        self.name, self.message, self.keys = name, message, keys
        self.wanted, self.rule = ours or (None, None)
        self.algorithm, self.body_canon = signing.algorithm, signing.canon[1]
        self.must_pass = False


def make_keys():
    ed = base64.b64encode(bytes(nacl.signing.SigningKey(ED_SEED).verify_key)).decode()
    return {"rsa._domainkey.example.org": ["v=DKIM1; k=rsa; p=" + rsa_public("rsa2048.pem")],
            "ed._domainkey.example.org": ["v=DKIM1; k=ed25519; p=" + ed]}


def make_cases():
    """Every variant of the text; of the other bodies the variants that concern the body."""
    cases = []
    keys = make_keys()
    for body_name, text in BODIES.items():
        for signing in SIGNINGS:
            signed = sign(HEADER + b"\r\n" + text, signing)
            for name, (change, ours) in VARIANTS.items():
                if body_name != "text" and name != "unchanged" and not name.startswith("body:"):
                    continue
                changed = change(signed, keys)
                if changed:
                    cases.append(Case("%s, %s, %s" % (signing.name, body_name, name), changed[0], changed[1],
                                      ours, signing))
    return cases


def signed_by_sekisho(program, scratch, engine, selector, text):
    """The message with the signature that the program would put on top; None: it makes none."""
    policy, path = os.path.join(scratch, "policy"), os.path.join(scratch, "unsigned")
    with open(policy, "w", encoding="ascii") as f:
        f.write("dkim { engine %s }\nsign example.org { selector %s key %s.pem }\npolicy inbound { on message { sign } }\n"
                % (engine, selector, os.path.join(scratch, selector)))
    with open(path, "wb") as f:
        f.write(text)
    done = subprocess.run([program, "explain", "--json", "-c", policy, "--zone", os.devnull, "--client", "192.0.2.1",
                           "--sender", "alice@example.org", path], capture_output=True, timeout=60, check=False)
    if done.returncode != 0:
        sys.exit("sekisho explain: exit code %d: %s" % (done.returncode, done.stderr.decode()))
    for change in json.loads(done.stdout)["header-changes"]:
        if change["name"] == "DKIM-Signature":
            return b"DKIM-Signature:" + change["value"].encode().replace(b"\n", b"\r\n") + b"\r\n" + text
    return None


def make_own_cases(program, scratch, engines):
    """What the program itself signs, by each engine that it has, must pass everywhere."""
    cases = []
    for selector, pem in ("rsa", read_key("rsa2048.pem")), ("ed", base64.b64encode(ED_SEED)):
        path = os.path.join(scratch, selector + ".pem")
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as f:
            f.write(pem)
    for engine in engines:
        for body_name, text in BODIES.items():
            for selector, algorithm in ("rsa", "rsa-sha256"), ("ed", "ed25519-sha256"):
                signing = Signing("own", algorithm, ("relaxed", "relaxed"))
                message = signed_by_sekisho(program, scratch, engine, selector, HEADER + b"\r\n" + text)
                case = Case("signed by %s, %s, %s" % (engine, algorithm, body_name), message or HEADER + b"\r\n" + text,
                            make_keys(), None, signing)
                case.must_pass = True
                cases.append(case)
    return cases


# ---- verifiers -----------------------------------------------------------------------------------------------

def zone_strings(text):
    parts = [text[i:i + 250] for i in range(0, len(text), 250)] or [""]
    return " ".join('"%s"' % part.replace("\\", "\\\\").replace('"', '\\"') for part in parts)


def has_libopendkim(program):
    done = subprocess.run([program, "verify", "--engine", "libopendkim", "--zone", os.devnull, os.devnull],
                          capture_output=True, timeout=60, check=False)
    return done.returncode in (0, 1)


def ask_sekisho(program, groups, scratch, engine="native"):
    results = {}
    for number, (keys, files) in enumerate(groups):
        zone = os.path.join(scratch, "zone%d" % number)
        with open(zone, "w", encoding="ascii") as f:
            for name, texts in keys.items():
                for text in texts:
                    f.write("%s TXT %s\n" % (name, zone_strings(text)))
        done = subprocess.run([program, "verify", "--json", "--engine", engine, "--zone", zone] + files, capture_output=True, timeout=120,
                              check=False)
        if done.returncode not in (0, 1):
            sys.exit("sekisho verify: exit code %d: %s" % (done.returncode, done.stderr.decode()))
        for line in done.stdout.splitlines():
            answer = json.loads(line)
            results[answer["file"]] = answer["signatures"][0]["result"] if answer["signatures"] else "none"
    return results


def ask_perl(groups, scratch):
    results = {}
    for number, (keys, files) in enumerate(groups):
        path = os.path.join(scratch, "keys%d" % number)
        with open(path, "w", encoding="ascii") as f:
            for name, texts in keys.items():
                for text in texts:
                    f.write("%s\t%s\n" % (name, text))
        done = subprocess.run(["/usr/bin/perl", os.path.join(HERE, "dkim_oracle.pl"), path] + files,
                              capture_output=True, timeout=120, check=False)
        if done.returncode != 0:
            return None
        for line in done.stdout.decode().splitlines():
            file, result = line.split("\t")
            results[file] = result.split()[0]
    return results


def ask_dkimpy(case):
    def lookup(name, timeout=5):
        texts = case.keys.get(name.decode().rstrip(".").lower(), [])
        return texts[-1].encode() if texts else None
    try:
        return "pass" if dkim.verify(case.message, dnsfunc=lookup) else "not"
    except Exception:
        return "not"


def judge(case, ours, others):
    """None, or what is wrong."""
    if case.wanted:
        return None if ours == case.wanted else "%s, not %s (%s)" % (ours, case.wanted, case.rule)
    if case.must_pass and ours != "pass":
        return "%s, and we have signed it" % ours
    for verifier, result in others.items():
        if (ours == "pass") != (result == "pass") and not is_fault(case, verifier):
            return "%s, but %s says %s" % (ours, verifier, result)
    return None


def main():
    if not dkim:
        print("skipped: dkim_variants: dkimpy or PyNaCl is missing (packages python3-dkim and python3-nacl on Debian and Ubuntu)")
        return summary(0, 0, 1)
    program = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
    cases = make_cases()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        cases += make_own_cases(program, scratch, ["native"] + ["libopendkim"] * has_libopendkim(program))
        groups = collections.OrderedDict()
        files = {}
        for number, case in enumerate(cases):
            path = os.path.join(scratch, "%d" % number)
            with open(path, "wb") as f:
                f.write(case.message)
            files[path] = case
            groups.setdefault(json.dumps(case.keys, sort_keys=True), (case.keys, []))[1].append(path)
        ours = ask_sekisho(program, groups.values(), scratch)
        second = has_libopendkim(program) and ask_sekisho(program, groups.values(), scratch, "libopendkim")
        perl = ask_perl(groups.values(), scratch)
        if not second:
            print("skipped: dkim_variants by libopendkim: the program was built without libopendkim")
        if perl is None:
            print("skipped: dkim_variants by Mail::DKIM: Mail::DKIM is missing (package libmail-dkim-perl on Debian and Ubuntu)")
        for path, case in files.items():
            others = {"dkimpy": ask_dkimpy(case)}
            if perl is not None and case.algorithm.startswith("rsa"):
                others["Mail::DKIM"] = perl[path]
            wrong = judge(case, ours.get(path), others)
            if second and not wrong and second[path] != ours[path] and not is_fault(case, "libopendkim"):
                wrong = "%s, but the engine libopendkim says %s" % (ours[path], second[path])
            if wrong:
                failed += 1
                print("FAILED %s: %s" % (case.name, wrong))
    return summary(len(cases) - failed, failed, (not second) + (perl is None))


if __name__ == "__main__":
    sys.exit(main())
