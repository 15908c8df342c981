"""DKIM signatures for the tests (RFC 6376, relaxed/relaxed, rsa-sha256), made by python3-cryptography and not by the
program under test.

    key = signer.Key()
    dns.zone(key.record("s1", "example.net"))
    text = key.sign(smtp.message(token), "s1", "example.net")
"""
import base64
import hashlib
import re

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SIGNED = ("from", "to", "subject", "date", "message-id")


def relaxed_field(line):
    name, value = line.split(b":", 1)
    return name.strip().lower() + b":" + re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()


def relaxed_body(body):
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


class Key:
    def __init__(self):
        self.private = rsa.generate_private_key(65537, 2048)

    def record(self, selector, domain):
        """The line of the zone that publishes it."""
        data = self.private.public_key().public_bytes(serialization.Encoding.DER,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)
        text = "v=DKIM1; k=rsa; p=" + base64.b64encode(data).decode()
        strings = " ".join('"%s"' % text[i:i + 200] for i in range(0, len(text), 200))
        return f"{selector}._domainkey.{domain} TXT {strings}"

    def sign(self, message, selector, domain):
        head, body = message.split(b"\r\n\r\n", 1)
        fields = [f for f in re.split(rb"\r\n(?![ \t])", head) if f.split(b":")[0].strip().lower().decode() in SIGNED]
        names = ":".join(f.split(b":")[0].strip().lower().decode() for f in fields)
        digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
        field = (f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h={names};\r\n"
                 f"\tbh={digest};\r\n\tb=").encode()
        data = b"".join(relaxed_field(f) + b"\r\n" for f in fields) + relaxed_field(field)
        signature = base64.b64encode(self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())).decode()
        folded = "\r\n\t ".join(signature[i:i + 70] for i in range(0, len(signature), 70))
        return field + folded.encode() + b"\r\n" + message
