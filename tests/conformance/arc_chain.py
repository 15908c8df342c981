"""Chains of ARC (RFC 8617), made from nothing but a key: well-formed unless an option of a set says otherwise.

    message = Message()
    message.seal()                                  # a set
    message.seal(cv=b"pass", ams={b"c": b"simple"}) # another one, with a tag that is not as usual
    message.text()

Nothing here is of the program under test.
"""
import base64
import hashlib
import os
import re

import nacl.signing
from dkim.crypto import HASH_ALGORITHMS, RSASSA_PKCS1_v1_5_sign, parse_pem_private_key

HERE = os.path.dirname(os.path.abspath(__file__))
ED_SEED = bytes(range(32))
NAMES = b"ARC-Authentication-Results", b"ARC-Message-Signature", b"ARC-Seal"
SIGNED = (b"from", b"to", b"subject", b"date", b"message-id")
HEADER = (b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000", b"From: Alice <alice@example.org>",
          b"To: Bob <bob@example.net>,\r\n\tCarol <carol@example.net>", b"Subject:  two  blanks \r\n and a fold\t ",
          b"Date: Thu, 1 Jan 2026 00:00:00 +0000", b"Message-ID: <1@example.org>")
BODY = b"Hello  Bob,\r\n\r\n\tthis is \t a line \r\nand  another.\r\n\r\n"

with open(os.path.join(HERE, "dkim", "rsa2048.pem"), "rb") as f:
    RSA = parse_pem_private_key(f.read())


def relaxed(field):
    name, value = field.split(b":", 1)
    return name.strip().lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()


def canonical(field, kind):
    return relaxed(field) if kind == b"relaxed" else field


def body_of(text, kind):
    lines = text.split(b"\r\n")
    if kind == b"relaxed":
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines) or (b"\r\n" if kind == b"simple" else b"")


def sign(data, algorithm):
    if algorithm.startswith(b"ed25519"):
        made = nacl.signing.SigningKey(ED_SEED).sign(hashlib.sha256(data).digest()).signature
    else:
        kind = HASH_ALGORITHMS[b"rsa-sha1" if algorithm == b"rsa-sha1" else b"rsa-sha256"](data)
        made = RSASSA_PKCS1_v1_5_sign(kind, RSA)
    return base64.b64encode(made)


def tags(usual, changes):
    """A tag list. A change of None leaves the tag out; new ones come last."""
    merged = dict(usual)
    merged.update(changes or {})
    return b"; ".join(name + b"=" + value for name, value in merged.items() if value is not None)


def name_of(field):
    return field.split(b":", 1)[0].strip().lower()


class Message:
    def __init__(self, header=HEADER, body=BODY):
        self.fields, self.body = list(header), body
        self.sets = []  # the three fields of each, the oldest first

    def text(self):
        return b"".join(field + b"\r\n" for field in self.fields) + b"\r\n" + self.body

    def covered(self, names, kind):
        """The fields that h= names, each time the lowest that is left."""
        left, found = list(self.fields), []
        for name in names:
            at = max((i for i, field in enumerate(left) if name_of(field) == name.lower()), default=-1)
            if at >= 0:
                found.append(canonical(left.pop(at), kind))
        return found

    def message_signature(self, i, algorithm, selector, domain, changes, signed_as, length):
        header_kind, body_kind = signed_as or ((changes or {}).get(b"c", b"relaxed/relaxed") or b"simple/simple").split(b"/")
        body = body_of(self.body, body_kind)[:length]
        usual = {b"i": i, b"a": algorithm, b"c": b"relaxed/relaxed", b"d": domain, b"s": selector, b"t": b"1700000000",
                 b"h": b":".join(SIGNED), b"bh": base64.b64encode(hashlib.sha256(body).digest())}
        text = tags(usual, changes)
        names = re.search(rb"(?:^|; )h=([^;]*)", text)
        field = b"ARC-Message-Signature: " + text + b"; b="
        covered = self.covered(names.group(1).split(b":") if names else [], header_kind)
        return field + sign(b"".join(f + b"\r\n" for f in covered) + canonical(field, header_kind), algorithm)

    def seal(self, cv=None, i=None, algorithm=b"rsa-sha256", selector=None, domain=b"example.org", results=None, ams=None,
             seal=None, order=None, signed_as=None, last=b"", length=None, seal_algorithm=None, alone=False):
        """Another set on top. `last`: tags after b= of the seal."""
        number = b"%d" % (len(self.sets) + 1) if i is None else i
        selector = selector or (b"ed" if algorithm.startswith(b"ed") else b"rsa")
        cv = (b"none" if not self.sets else b"pass") if cv is None else cv
        aar = b"ARC-Authentication-Results: " + (results or b"i=%s; mx.example.net; spf=pass smtp.mailfrom=a@example.org; "
                                                 b"dmarc=pass header.from=example.org; arc=none").replace(b"%s", number)
        signature = self.message_signature(number, algorithm, selector, domain, ams, signed_as, length)
        usual = {b"i": number, b"a": seal_algorithm or algorithm, b"t": b"1700000000", b"cv": cv, b"d": domain, b"s": selector}
        field = b"ARC-Seal: " + tags(usual, seal) + b"; b="
        covered = ([] if alone else [f for one in self.sets for f in one]) + [aar, signature]
        if order:
            covered = order(covered)
        data = b"".join(relaxed(f) + b"\r\n" for f in covered) + relaxed(field + last)
        field += sign(data, seal_algorithm or algorithm) + last
        self.sets.append([aar, signature, field])
        self.fields[:0] = [field, signature, aar]
        return self
