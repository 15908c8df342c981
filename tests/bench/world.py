"""What all programs under measure have in common: the messages, the DNS, and the resolver that serves it.

200 sender domains, each with SPF (by way of an include), a DKIM key and a DMARC policy; from each a message of every size,
signed with RSA-2048. And unsigned messages of our own users, of one domain for each kind of key to sign with. All of it is
made once and kept below DIRECTORY; a change of VERSION makes it anew.
"""
import base64
import os
import random
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../system"))

import space  # noqa: E402

VERSION = 6
DOMAINS = 200
FEW = 20  # of the messages that are large
KEYS = 20
IP, BAD_IP = space.GOOD, space.BAD
SIZES = {"2k": 2048, "60k": 61440, "1m": 1 << 20}
SIGNATURES = (2, 4, 8)
OWN_IP = "127.0.0.1"  # of whom every program believes that its mail is to be signed
OWN_KEYS = ("rsa", "ed25519")  # of KEY.example.org, selector KEY


def domain(i):
    return f"d{i:03}.example"


def key_pair(kind="rsa"):
    """PEM of the private key, and the record that publishes the other."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
        public = key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return private, f"v=DKIM1; k={kind}; p=" + base64.b64encode(public).decode()


def seed(pem):
    """The 32 bytes of an Ed25519 key, as rspamd wants them."""
    from cryptography.hazmat.primitives import serialization as s
    key = s.load_pem_private_key(pem, None)
    return base64.b64encode(key.private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, s.NoEncryption()))


def strings(text):
    """As zone files have a long TXT record."""
    return " ".join(f'"{text[n:n + 200]}"' for n in range(0, len(text), 200))


def message(i, size, at=None):
    """Small ones are text; the body of a large one is an attachment, as it is in most large mail."""
    at = at or domain(i)
    head = (f"Received: from client.{at} ([198.51.100.99]) by mail.{at} with ESMTPSA id x{i};\r\n"
            f"\tSat, 21 Nov 2026 10:00:00 +0000\r\n"
            f"From: Somebody <somebody@{at}>\r\nTo: User <user0@example.org>\r\n"
            f"Subject: message {i} of {size} bytes\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{i}.{size}@{at}>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n")
    line = f"The quick brown fox jumps over the lazy dog, and {i} times again at dusk. \r\n"
    room = max(size - len(head) - 700, 100)  # for the signature
    text = min(room, 1500)
    body = (line * (text // len(line) + 1))[: text - 2] + "\r\n"
    if room > text:
        bits = base64.b64encode(random.Random(i).randbytes(57 * ((room - text) // 78))).decode()
        head = head.replace("text/plain; charset=us-ascii", 'multipart/mixed; boundary="b"')
        body = (f"--b\r\nContent-Type: text/plain\r\n\r\n{body}--b\r\nContent-Type: application/octet-stream\r\n"
                "Content-Disposition: attachment; filename=data.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                + "".join(bits[at:at + 76] + "\r\n" for at in range(0, len(bits), 76)) + "--b--\r\n")
    return (head + body).encode()


class World:
    def __init__(self, directory):
        self.d = directory
        stamp = os.path.join(directory, "stamp")
        if not os.path.exists(stamp) or open(stamp).read() != str(VERSION):
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory)
            self.make()
            with open(stamp, "w") as f:
                f.write(str(VERSION))

    def list(self, name):
        return os.path.join(self.d, name + ".list")

    def path(self, name):
        return os.path.join(self.d, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    def make(self):
        import dkim
        keys = [key_pair() for _ in range(KEYS)]

        def signed(i, size, count):
            text = message(i, size)
            for n in range(count):
                selector = b"s%d" % n
                text = dkim.sign(text, selector, domain(i).encode(), keys[i % KEYS][0], canonicalize=(b"relaxed", b"relaxed"),
                                 include_headers=[b"from", b"to", b"subject", b"date", b"message-id"]) + text
            return text

        def messages(name, size, count, signatures):
            lines = []
            for i in range(count):
                self.write(f"{name}-{i}", signed(i, size, signatures))
                lines.append(f"{self.path(name)}-{i} somebody@{domain(i)} {IP} mail.{domain(i)}\n")
            self.write(name + ".list", "".join(lines))

        for name, size in SIZES.items():
            messages(name, size, DOMAINS if size < 1 << 19 else FEW, 1)
        for count in SIGNATURES:
            messages(f"2k-{count}sig", SIZES["2k"], FEW, count)
        messages("2k-0sig", SIZES["2k"], FEW, 0)
        self.chains(lambda i: signed(i, SIZES["2k"], 1), lambda i: keys[i % KEYS][0])
        with open(self.list("2k")) as f:
            self.write("2k-one.list", f.readline())
        for name in list(SIZES):  # from where SPF says that it does not come
            with open(self.list(name)) as f:
                self.write(f"{name}-bad.list", f.read().replace(f" {IP} ", f" {BAD_IP} "))
        self.zones([record for _, record in keys], self.own())

    def chains(self, text_of, key_of):
        """Messages without and with a set of ARC fields."""
        import dkim
        names = [b"from", b"to", b"subject", b"date", b"message-id"]
        lines = {"2k-nochain": "", "2k-arc": ""}
        for i in range(FEW):
            text = text_of(i)
            found = b"Authentication-Results: lists.example.org; arc=none\r\n"
            fields = dkim.arc_sign(found + text, b"s0", domain(i).encode(), key_of(i), b"lists.example.org", include_headers=names)
            chain = b"".join(field.rstrip(b"\r\n") + b"\r\n" for field in fields)
            for name, whole in ("2k-nochain", text), ("2k-arc", chain + text):
                self.write(f"{name}-{i}", whole)
                lines[name] += f"{self.path(name)}-{i} somebody@{domain(i)} {IP} mail.{domain(i)}\n"
        for name, text in lines.items():
            self.write(name + ".list", text)

    def own(self):
        """Keys, and messages that nobody has signed; the zone lines of the keys."""
        lines = []
        for kind in OWN_KEYS:
            private, record = key_pair(kind)
            self.write(kind + ".pem", private)
            os.chmod(self.path(kind + ".pem"), 0o600)
            lines.append(f"{kind}._domainkey.{kind}.example.org. 3600 IN TXT {strings(record)}")
            for name, size in SIZES.items():
                for i in range(FEW):
                    self.write(f"{kind}-{name}-{i}", message(i, size, kind + ".example.org"))
                self.write(f"{kind}-{name}.list", "".join(
                    f"{self.path(kind)}-{name}-{i} somebody@{kind}.example.org {OWN_IP} localhost\n" for i in range(FEW)))
        self.write("ed25519.seed", seed(private))
        return lines

    def zones(self, records, lines):
        """For unbound as one zone of the root; for dnsd.py without the SOA that it makes itself."""
        for i in range(DOMAINS):
            d, txt = domain(i), strings(records[i % KEYS])
            lines += [f'{d}. 3600 IN TXT "v=spf1 include:_spf.{d} -all"',
                      f'_spf.{d}. 3600 IN TXT "v=spf1 ip4:{IP} ip4:{space.POSTFIX} -all"',
                      f"{d}. 3600 IN MX 10 mail.{d}.", f"mail.{d}. 3600 IN A {IP}",
                      f'mail.{d}. 3600 IN TXT "v=spf1 a -all"',
                      f'_dmarc.{d}. 3600 IN TXT "v=DMARC1; p=reject; rua=mailto:reports@{d}"']
            lines += [f"s{n}._domainkey.{d}. 3600 IN TXT {txt}" for n in range(max(SIGNATURES))]
        lines.append("mx.example.org. 3600 IN A 192.0.2.25")
        self.write("dnsd.zone", "\n".join(lines) + "\n")
        root = [". 3600 IN SOA ns. root. 1 3600 600 86400 3600", ". 3600 IN NS ns.", "ns. 3600 IN A 127.0.0.1"]
        self.write("root.zone", "\n".join(root + lines) + "\n")


def wait_for(look, what, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if look():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{what}: nothing happens in {seconds} s")


def dns_answers():
    """True when something on port 53 answers a question for an A record."""
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0\2mx\7example\3org\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3)
        try:
            s.sendto(question, ("127.0.0.1", 53))
            return len(s.recv(512)) > len(question)
        except OSError:
            return False


class Dns:
    """The resolver of all: unbound, or with a delay dnsd.py, which makes each question about `names` take that long."""

    def __init__(self, world, run, delay_ms=0, names="*"):
        if delay_ms:
            faults = os.path.join(run, "faults")
            with open(faults, "w") as f:
                f.write(f"{names} ANY slow={delay_ms / 1000}\n")
            command = [sys.executable, os.path.join(HERE, "../system/dnsd.py"), "--listen", "127.0.0.1@53",
                       "--faults", faults, "--ttl", "3600", world.path("dnsd.zone")]
        else:
            with open(os.path.join(HERE, "peers/unbound.conf")) as f:
                text = f.read().replace("@DIR@/zone", world.d).replace("@DIR@/run", run).replace("@DIR@", run)
            conf = os.path.join(run, "unbound.conf")
            with open(conf, "w") as f:
                f.write(text)
            command = ["unbound", "-d", "-c", conf]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(os.path.join(run, "dns.err"), "w"))
        wait_for(dns_answers, "the resolver")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
