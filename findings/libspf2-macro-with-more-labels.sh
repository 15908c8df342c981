#!/bin/sh
# libspf2 1.2.10-7.2+b1 (spfquery, Debian 12; Exim and others use it): a macro that keeps as many labels as the name has, or
# more, loses the first character of the name.
#
# RFC 7208 7.3: the number after the letter says how many labels are kept on the right; if the name has fewer, all are used. The
# examples of 7.4 have the name email.example.com and %{d4}, %{d3}, both "email.example.com". libspf2 asks for
# "mail.example.com" in both, so that senders whom the record permits fail. %{d2}, %{d1} and %{d} are right.
#
# Who publishes records does not number macros beyond need; who checks by libspf2 expands macros before it sees the record.
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

RECORD = b"v=spf1 " + b" ".join(b"exists:%%{%s}.%s.test" % (macro, macro) for macro in (b"d4", b"d3", b"d2", b"d1", b"d", b"dr")) + b" -all"
RIGHT = ["email.example.com.d4.test", "email.example.com.d3.test", "example.com.d2.test", "com.d1.test", "email.example.com.d.test",
         "com.example.email.dr.test"]
SEEN = ["mail.example.com.d4.test", "mail.example.com.d3.test"] + RIGHT[2:]
asked = []


def serve(server):
    """A DNS server: the record for each question of type TXT, "no such name" to all others."""
    while True:
        question, client = server.recvfrom(512)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        text = question[at + 1:at + 3] == b"\0\x10"
        if not text:
            asked.append(".".join(labels).lower())
        answer = b"\xc0\x0c" + struct.pack("!HHIHB", 16, 1, 60, len(RECORD) + 1, len(RECORD)) + RECORD
        server.sendto(question[:2] + (b"\x84\0" if text else b"\x84\3") + struct.pack("!4H", 1, text, 0, 0) + question[12:at + 5]
                      + (answer if text else b""), client)


subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
threading.Thread(target=serve, args=[server], daemon=True).start()
said = subprocess.run(["usr/bin/spfquery.libspf2", "-ip", "192.0.2.3", "-sender", "strong-bad@email.example.com", "-helo", "mx.example.org"],
                      env=dict(os.environ, LD_LIBRARY_PATH="usr/lib"), capture_output=True, text=True, check=False).stdout
names = list(dict.fromkeys(asked))
for right, name in zip(RIGHT, names):
    print(f"%{{{right.split('.')[-2]}}}: asks {name}, RFC 7208: {right}")
print("result:", said.split("\n")[0])
sys.exit(names != SEEN)
PY
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n -m python3 ask.py || { echo "libspf2 1.2.10 behaves otherwise now" >&2; exit 1; }
