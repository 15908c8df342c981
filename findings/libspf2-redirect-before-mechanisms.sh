#!/bin/sh
# libspf2 1.2.10-7.2+b1 (spfquery, Debian 12; Exim and others use it): a redirect= that is not the last term of a record is
# followed at its place, and the mechanisms after it are never looked at.
#
# RFC 7208 6: modifiers may appear anywhere in a record; 6.1: redirect= is used only when no mechanism has matched, and not
# at all when there is an "all". For `v=spf1 redirect=b.example ip4:192.0.2.3` the client 192.0.2.3 passes. libspf2 asks
# for the record of b.example and answers what that says: fail; so it does when the record ends in ?all, too. With the
# redirect at the end the same client passes.
#
# Who publishes records puts redirect= last; who checks by libspf2 hands it the record with its modifiers moved to the end.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download spfquery=1.2.10-7.2+b1 libspf2-2=1.2.10-7.2+b1 >/dev/null 2>&1 ||
	{ echo "spfquery and libspf2-2 1.2.10-7.2+b1 cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
echo nameserver 127.0.0.1 >resolv.conf

cat >ask.py <<'PY'
import os
import socket
import struct
import subprocess
import sys
import threading

RECORDS = {
    "last.example": b"v=spf1 ip4:192.0.2.3 redirect=b.example",
    "first.example": b"v=spf1 redirect=b.example ip4:192.0.2.3",
    "all.example": b"v=spf1 redirect=b.example ip4:192.0.2.3 ?all",
    "b.example": b"v=spf1 -all",
}
SEEN = {"last.example": "pass", "first.example": "fail", "all.example": "fail"}


def serve(server):
    """A DNS server with these TXT records."""
    while True:
        question, client = server.recvfrom(512)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        record = RECORDS.get(".".join(labels).lower(), b"v=spf1 ?all")
        answer = b"\xc0\x0c" + struct.pack("!HHIHB", 16, 1, 60, len(record) + 1, len(record)) + record
        server.sendto(question[:2] + b"\x84\0" + struct.pack("!4H", 1, 1, 0, 0) + question[12:at + 5] + answer, client)


subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
threading.Thread(target=serve, args=[server], daemon=True).start()
otherwise = False
for domain, seen in SEEN.items():
    said = subprocess.run(["usr/bin/spfquery.libspf2", "-ip", "192.0.2.3", "-sender", "alice@" + domain, "-helo", "mx.example.org"],
                          env=dict(os.environ, LD_LIBRARY_PATH="usr/lib"), capture_output=True, text=True, check=False).stdout
    result = said.split("\n")[0]
    print(f"{RECORDS[domain].decode()}\n  {result}, RFC 7208: pass")
    otherwise |= result != seen
sys.exit(otherwise)
PY
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n -m python3 ask.py || { echo "libspf2 1.2.10 behaves otherwise now" >&2; exit 1; }
