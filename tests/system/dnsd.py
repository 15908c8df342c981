#!/usr/bin/python3
"""dnsd.py - a DNS server for tests: zone text, live faults, a log of what was asked.

    dnsd.py --listen 127.0.0.1@53 [--listen ::1@53 ...] [--log FILE] [--faults FILE]
            [--ttl SECONDS] [--negative-ttl SECONDS] [--sign KEYFILE] ZONEFILE...

It looks like a recursive server (RA is set, CNAME chains are followed through all
files, every name outside is NXDOMAIN), so that it can be listed in /etc/resolv.conf
or be forwarded to. UDP and TCP, IPv4 and IPv6. Port 0 takes a free port. On standard output
it prints "ready ADDRESS@PORT ..." once it listens on all of them. SIGTERM ends it.
It needs Debian's python3-dnspython.

ZONEFILE holds the zone text that `sekisho ... --zone FILE` reads:

    NAME [TTL] [IN] TYPE RDATA      NAME [TYPE] TIMEOUT      NAME [TYPE] SERVFAIL

; begins a comment, and # at the start of a word. TIMEOUT is a question that gets no
answer. A negative answer carries the nearest SOA above the name, else one of the
root whose minimum is --negative-ttl. Zone files and the fault file are read
again whenever they change. While a file does not parse the old content stays
and the log says so.

With --sign everything is signed (DNSSEC, by a key made at the start, whose public half is
written to KEYFILE) as one zone, the root's. A name that is not there then looks like one without
records, which is easier to prove. This needs python3-cryptography, too.

The fault file has lines NAME TYPE FAULT ... ; NAME may be *.SUFFIX or *, TYPE may be
ANY, the first line that fits counts, and these faults can be combined where that makes sense:

    servfail refused nxdomain notimp formerr    that response code, no records
    empty          no error, no records, no SOA
    drop           no answer            tcpdrop  no answer over TCP
    slow=SECONDS   answer later (others are not delayed)
    tc             truncated over UDP, whole over TCP
    garbage        the right id and then random bytes
    wrongid        somebody else's id   wrongname  somebody else's question
    cut            the last five bytes are missing
    ttl=SECONDS    that TTL in all records
    badsig         signatures over something else

Each question is one line of the log, written before it is answered:

    SECONDS.MILLISECONDS udp|tcp NAME TYPE WHAT     (WHAT: noerror, nxdomain, or the faults)
"""
import argparse
import os
import random
import re
import socket
import struct
import sys
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

IN = dns.rdataclass.IN
CHAIN_MAX = 10
UDP_MAX = 1232
RCODES = ("servfail", "refused", "nxdomain", "notimp", "formerr")
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|((?:[^\s;"\\]|\\.)(?:[^\s;\\]|\\.)*)')


def tokens(line):
    """The words of a line as (text, quoted), without comments."""
    found, at = [], 0
    while at < len(line):
        if line[at].isspace():
            at += 1
        elif line[at] in ";#":
            break
        else:
            match = WORD.match(line, at)
            if not match:
                raise ValueError("a quote or a backslash is not closed")
            found.append((match.group(1), True) if match.group(1) is not None else (match.group(2), False))
            at = match.end()
    return found


def unescape(text):
    out, at = bytearray(), 0
    raw = text.encode("utf-8", "surrogateescape")
    while at < len(raw):
        if raw[at] != 0x5C:
            out.append(raw[at])
            at += 1
        elif raw[at + 1 : at + 4].isdigit() and len(raw[at + 1 : at + 4]) == 3:
            out.append(int(raw[at + 1 : at + 4]))
            at += 4
        else:
            out.append(raw[at + 1])
            at += 2
    return bytes(out)


def txt(words, rdtype):
    strings = []
    for text, _ in words:
        data = unescape(text)
        strings += [data[i : i + 255] for i in range(0, len(data), 255)] or [b""]
    return dns.rdata.get_rdata_class(IN, rdtype)(IN, rdtype, strings)


class Zone:
    """Records by name and type; type None holds a fault for whatever is not there."""

    def __init__(self, ttl):
        self.ttl = ttl
        self.names = {}
        self.above = set()

    def read(self, path):
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for number, line in enumerate(file, 1):
                try:
                    self.line(tokens(line))
                except (ValueError, IndexError, dns.exception.DNSException) as error:
                    raise ValueError(f"{path}:{number}: {error}") from error

    def line(self, words):
        if not words:
            return
        name = dns.name.from_text(words.pop(0)[0])
        ttl = self.ttl
        while re.fullmatch(r"\d+|IN", words[0][0], re.I):
            word = words.pop(0)[0]
            ttl = int(word) if word.isdigit() else ttl
        node = self.names.setdefault(name, {})
        parent = name
        while parent != dns.name.root:
            parent = parent.parent()
            self.above.add(parent)
        if words[0][0] in ("TIMEOUT", "SERVFAIL"):
            node[None] = words[0][0]
            return
        rdtype = dns.rdatatype.from_text(words.pop(0)[0])
        if len(words) == 1 and words[0] in (("TIMEOUT", False), ("SERVFAIL", False)):
            node[rdtype] = words[0][0]
            return
        if rdtype in (dns.rdatatype.TXT, dns.rdatatype.SPF):
            rdata = txt(words, rdtype)
        else:
            text = " ".join(f'"{word}"' if quoted else word for word, quoted in words)
            rdata = dns.rdata.from_text(IN, rdtype, text, origin=dns.name.root, relativize=False)
        if not isinstance(node.get(rdtype, []), str):
            node.setdefault(rdtype, []).append((ttl, rdata))

    def node(self, name):
        """What the name has, or None when it is not there (RFC 4592)."""
        if name in self.names or name in self.above:
            return self.names.get(name, {})
        while name != dns.name.root:
            name = name.parent()
            if name in self.names or name in self.above:
                break
        wildcard = dns.name.Name((b"*",) + name.labels)
        if wildcard in self.names or wildcard in self.above:
            return self.names.get(wildcard, {})
        return None

    def soa(self, name, negative_ttl):
        while True:
            found = self.names.get(name, {}).get(dns.rdatatype.SOA)
            if found and not isinstance(found, str):
                return dns.rrset.from_rdata(name, min(found[0][0], found[0][1].minimum), found[0][1])
            if name == dns.name.root:
                text = f"ns.invalid. root.invalid. 1 3600 600 86400 {negative_ttl}"
                return dns.rrset.from_text(name, negative_ttl, IN, dns.rdatatype.SOA, text)
            name = name.parent()


class Signer:
    """Signs what goes out, as the root zone (RFC 4034, RFC 4470)."""

    def __init__(self, path):
        from cryptography.hazmat.primitives.asymmetric import ec
        import dns.dnssec
        self.dnssec = dns.dnssec
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = dns.dnssec.make_dnskey(self.key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f". 3600 IN DNSKEY {self.public}\n")

    def signature(self, rrset, bad):
        signature = self.dnssec.sign(rrset, self.key, dns.name.root, self.public, lifetime=86400)
        if bad:
            signature = signature.replace(signature=bytes(64))
        return dns.rrset.from_rdata(rrset.name, rrset.ttl, signature)

    def sign(self, response, name, types, bad):
        """`types` are those of the name that has no answer, if the response has none."""
        question = response.question[0]
        if question.name == dns.name.root and question.rdtype == dns.rdatatype.DNSKEY:
            response.answer = [dns.rrset.from_rdata(dns.name.root, 3600, self.public)]
            response.authority = []
            response.set_rcode(dns.rcode.NOERROR)
        for rrset in response.authority[:]:
            following = dns.name.Name((b"\0",) + name.labels)
            text = " ".join([str(following), *types, "RRSIG", "NSEC"])
            response.authority.append(dns.rrset.from_text(name, rrset.ttl, IN, dns.rdatatype.NSEC, text))
            response.set_rcode(dns.rcode.NOERROR)
        for section in (response.answer, response.authority):
            section += [self.signature(rrset, bad) for rrset in section]


class Watched:
    """Something read from files, and read again when they change."""

    def __init__(self, paths, make, log):
        self.paths, self.make, self.log = paths, make, log
        self.stamp, self.value = None, make([])
        self.lock = threading.Lock()

    def stamps(self):
        stamps = []
        for path in self.paths:
            try:
                status = os.stat(path)
                stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
            except OSError:
                stamps.append(None)
        return stamps

    def get(self):
        with self.lock:
            stamp = self.stamps()
            if stamp != self.stamp:
                self.stamp = stamp
                try:
                    self.value = self.make([p for p, s in zip(self.paths, stamp) if s])
                except (OSError, ValueError) as error:
                    self.log(f"error {error}")
            return self.value


def read_faults(paths):
    faults = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                words = line.split("#")[0].split()
                if words and len(words) < 3:
                    raise ValueError(f"{path}:{number}: a fault line is NAME TYPE FAULT ...")
                if words:
                    below = words[0] == "*" or words[0].startswith("*.")
                    name = dns.name.from_text(words[0][1:].lstrip(".") if below else words[0])
                    faults.append((name, below, words[1].upper(), words[2:]))
    return faults


class Server:
    def __init__(self, arguments):
        self.arguments = arguments
        self.out = open(arguments.log, "a", buffering=1, encoding="utf-8") if arguments.log else None
        self.zone = Watched(arguments.zone, self.read_zone, self.log)
        self.signer = Signer(arguments.sign) if arguments.sign else None
        self.faults = Watched([arguments.faults] if arguments.faults else [], read_faults, self.log)

    def log(self, text):
        if self.out:
            self.out.write(f"{time.time():.3f} {text}\n")

    def read_zone(self, paths):
        zone = Zone(self.arguments.ttl)
        for path in paths:
            zone.read(path)
        return zone

    def faults_of(self, name, rdtype):
        for owner, below, word, faults in self.faults.get():
            fits = name.is_subdomain(owner) and (name != owner or owner == dns.name.root) if below else name == owner
            if fits and word in ("ANY", dns.rdatatype.to_text(rdtype)):
                return faults
        return []

    def answer(self, query):
        """The response, or None for no answer."""
        question = query.question[0]
        zone = self.zone.get()
        response = dns.message.make_response(query, recursion_available=True)
        if query.edns >= 0:
            response.use_edns(0, query.ednsflags & dns.flags.DO, UDP_MAX)
        name, rdtype = question.name, question.rdtype
        for _ in range(CHAIN_MAX + 1):
            node = zone.node(name)
            if node is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            found = node.get(rdtype)
            if not found and rdtype != dns.rdatatype.CNAME and isinstance(node.get(dns.rdatatype.CNAME), list):
                ttl, alias = node[dns.rdatatype.CNAME][0]
                response.answer.append(dns.rrset.from_rdata(name, ttl, alias))
                name = alias.target
                continue
            found = found or node.get(None)
            if found == "TIMEOUT":
                return None
            if found == "SERVFAIL":
                response.answer = []
                response.set_rcode(dns.rcode.SERVFAIL)
                return response
            if found:
                response.answer.append(dns.rrset.from_rdata_list(name, found[0][0], [rdata for _, rdata in found]))
                return response
            break
        else:
            response.answer = []
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        response.authority.append(zone.soa(dns.name.root if self.signer else name, self.arguments.negative_ttl))
        return response

    def sign(self, query, response, faults):
        provable = response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
        if self.signer and provable and query.ednsflags & dns.flags.DO:
            name = response.question[0].name
            for rrset in response.answer:
                if rrset.rdtype == dns.rdatatype.CNAME:
                    name = rrset[0].target
            node = self.zone.get().node(name) or {}
            types = [dns.rdatatype.to_text(rdtype) for rdtype in node if rdtype]
            self.signer.sign(response, name, types, "badsig" in faults)

    def handle(self, wire, transport, send):
        """Sends the answer to one question, or has it sent later."""
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            self.log(f"{transport} - - unreadable")
            return
        faults = self.faults_of(question.name, question.rdtype)
        response = self.answer(query)
        what = " ".join(faults) or ("timeout" if response is None else dns.rcode.to_text(response.rcode()).lower())
        self.log(f"{transport} {question.name} {dns.rdatatype.to_text(question.rdtype)} {what}")
        if response is None or "drop" in faults or ("tcpdrop" in faults and transport == "tcp"):
            return
        self.sign(query, response, faults)
        wire = self.spoil(query, response, faults, transport)
        delay = sum(float(fault[5:]) for fault in faults if fault.startswith("slow="))
        if delay:
            timer = threading.Timer(delay, send, (wire,))
            timer.daemon = True
            timer.start()
        else:
            send(wire)

    @staticmethod
    def spoil(query, response, faults, transport):
        for fault in faults:
            if fault in RCODES:
                response.answer = response.authority = []
                response.set_rcode(dns.rcode.from_text(fault))
            elif fault == "empty":
                response.answer = response.authority = []
                response.set_rcode(dns.rcode.NOERROR)
            elif fault == "wrongid":
                response.id ^= 0x5555
            elif fault == "wrongname":
                response.question[0].name = dns.name.from_text("wrong.invalid")
            elif fault.startswith("ttl="):
                for rrset in response.answer + response.authority:
                    rrset.ttl = int(fault[4:])
        if "garbage" in faults:
            return struct.pack("!H", query.id) + random.randbytes(40)
        room = max(512, min(query.payload or 512, UDP_MAX))
        try:
            wire = response.to_wire(max_size=65535, want_shuffle=False)
        except dns.exception.TooBig:
            response.answer = response.authority = []
            response.set_rcode(dns.rcode.SERVFAIL)
            wire = response.to_wire()
        if transport == "udp" and (len(wire) > room or "tc" in faults):
            response.answer = response.authority = []
            response.flags |= dns.flags.TC
            wire = response.to_wire()
        return wire[:-5] if "cut" in faults else wire

    def serve_udp(self, sock):
        while True:
            try:
                wire, peer = sock.recvfrom(65535)
                self.handle(wire, "udp", lambda answer, peer=peer: quietly(sock.sendto, answer, peer))
            except OSError:
                continue

    def serve_tcp(self, listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.serve_connection, args=(connection,), daemon=True).start()

    def serve_connection(self, connection):
        def send(answer):
            quietly(connection.sendall, struct.pack("!H", len(answer)) + answer)

        connection.settimeout(30)
        with connection, connection.makefile("rb") as stream:
            try:
                while len(head := stream.read(2)) == 2:
                    self.handle(stream.read(struct.unpack("!H", head)[0]), "tcp", send)
            except OSError:
                pass

    def listen(self, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        tcp = socket.socket(family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        udp.bind((address, port))
        tcp.bind((address, udp.getsockname()[1]))
        tcp.listen(64)
        threading.Thread(target=self.serve_udp, args=(udp,), daemon=True).start()
        threading.Thread(target=self.serve_tcp, args=(tcp,), daemon=True).start()
        return f"{address}@{udp.getsockname()[1]}"


def quietly(send, *arguments):
    try:
        send(*arguments)
    except OSError:
        pass  # whoever asked has gone


def main():
    parser = argparse.ArgumentParser(description="a DNS server for tests; the head of the file says more")
    parser.add_argument("--listen", action="append", required=True, metavar="ADDRESS@PORT")
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--faults", metavar="FILE")
    parser.add_argument("--ttl", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--negative-ttl", type=int, default=5, metavar="SECONDS")
    parser.add_argument("--sign", metavar="KEYFILE")
    parser.add_argument("zone", nargs="+", metavar="ZONEFILE")
    arguments = parser.parse_args()
    try:
        server = Server(arguments)
        server.read_zone(arguments.zone)
        where = [address.rpartition("@")[::2] for address in arguments.listen]
        listening = [server.listen(address, int(port)) for address, port in where]
    except (OSError, ValueError) as error:
        sys.exit(f"dnsd.py: {error}")
    print("ready", *listening, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
