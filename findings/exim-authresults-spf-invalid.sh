#!/bin/sh
# exim4-daemon-heavy 4.96-15+deb12u10 (Exim, Debian 12, with libspf2 1.2.10): ${authresults} writes Authentication-Results that
# are not of the grammar: `spf=(invalid)` for a valid SPF record, and IPv6 addresses without quotes.
#
# Exim's manual calls the text suitable for an Authentication-Results field. RFC 8601 2.2: after the method and "=" comes a
# keyword; "(invalid)" is a comment, so the result is missing. It comes for `v=spf1 ip4:0.0.0.0/0 -all`, where 0 is a
# valid length (RFC 7208 5.6), since libspf2 does not take it; the next record, with /1, has a result. A value with colons is
# a quoted-string (RFC 8601 2.2, RFC 2045 5.1), but the address of an IPv6 client stands bare. And the property of iprev is
# policy.iprev (RFC 8601 2.7.3), Exim writes smtp.remote-ip. python3-authres 1.2.0-3 reads smtp.mailfrom=… for the result of
# spf in the one field, and refuses the other one whole.
#
# In an ACL use ${authresults} only where $spf_result is a word, or write the field yourself; who reads fields of Exim is lenient.
set -eu

[ "$(id -u)" = 0 ] || { echo "Exim has to be run by root" >&2; exit 77; }
version=4.96-15+deb12u10
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download "exim4-daemon-heavy=$version" libspf2-2=1.2.10-7.2+b1 python3-authres=1.2.0-3 libdb5.3 libevent-2.1-7 libgnutls-dane0 \
	libidn12 libldap-2.5-0 libmariadb3 libnsl2 libpq5 libsasl2-2 libsqlite3-0 libtirpc3 libunbound8 >/dev/null 2>&1 ||
	{ echo "exim4-daemon-heavy $version and what it needs cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
chmod u-s usr/sbin/exim4
LD_LIBRARY_PATH=$folder/usr/lib:$(echo "$folder"/usr/lib/*-linux-gnu):$(echo "$folder"/lib/*-linux-gnu)
export LD_LIBRARY_PATH
if ldd usr/sbin/exim4 | grep -q 'not found'; then echo "libraries of Exim are missing" >&2; exit 77; fi

mkdir spool
chmod 777 spool
{ cat /etc/passwd; echo "Debian-exim:x:64910:64910::/nonexistent:/bin/false"; } >passwd
{ cat /etc/group; echo "Debian-exim:x:64910:"; } >group
echo nameserver 127.0.0.1 >resolv.conf
cat >exim.conf <<CONF
primary_hostname = mx.example.net
spool_directory = $folder/spool
log_file_path = $folder/spool/%slog
tls_advertise_hosts =
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  warn spf = pass
  warn !verify = reverse_host_lookup
  warn log_message = \${sg{\${authresults {mx.example.net}}}{\\\\s+}{ }}
  accept
CONF

cat >ask.py <<'PY'
import re
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, "usr/lib/python3/dist-packages")
import authres


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def text(record):
    return bytes([len(record)]) + record


ZONE = {
    ("zero.example", 16): text(b"v=spf1 ip4:0.0.0.0/0 ip6:2001:db8::/32 -all"),
    ("one.example", 16): text(b"v=spf1 ip4:128.0.0.0/1 ip6:2001:db8::/32 -all"),
    ("1.2.0.192.in-addr.arpa", 12): name("mail.example"),
    (".".join("52" + "0" * 22 + "8bd01002") + ".ip6.arpa", 12): name("mail.example"),
    ("mail.example", 1): socket.inet_aton("192.0.2.1"),
    ("mail.example", 28): socket.inet_pton(socket.AF_INET6, "2001:db8::25"),
}
IPREV4, IPREV6 = ("iprev=pass (mail.example) smtp.remote-ip=" + ip for ip in ("192.0.2.1", "2001:0db8:0000:0000:0000:0000:0000:0025"))
CASES = [("192.0.2.1", "one.example", IPREV4 + "; spf=pass smtp.mailfrom=one.example", ["pass", "pass"]),
         ("192.0.2.1", "zero.example", IPREV4 + "; spf=(invalid) smtp.mailfrom=zero.example", ["pass", "smtp.mailfrom=zero.example"]),
         ("2001:db8::25", "one.example", IPREV6 + "; spf=pass smtp.mailfrom=one.example", "refused")]


def serve(server):
    """A DNS server with this zone."""
    while True:
        question, client = server.recvfrom(512)
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = struct.unpack("!H", question[at + 1:at + 3])[0]
        data = ZONE.get((".".join(labels).lower(), kind), b"")
        answer = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if data else b""
        server.sendto(question[:2] + b"\x84\0" + struct.pack("!4H", 1, bool(data), 0, 0) + question[12:at + 5] + answer, client)


for command in ("ip link set lo up", "mount --bind passwd /etc/passwd", "mount --bind group /etc/group", "mount --bind resolv.conf /etc/resolv.conf"):
    subprocess.run(command.split(), check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
threading.Thread(target=serve, args=[server], daemon=True).start()
otherwise = False
for client, domain, seen, by_authres in CASES:
    session = f"EHLO mail.example\r\nMAIL FROM:<alice@{domain}>\r\nRCPT TO:<bob@example.net>\r\nQUIT\r\n"
    done = subprocess.run(["usr/sbin/exim4", "-C", sys.argv[1] + "/exim.conf", "-bh", client], input=session, capture_output=True,
                          text=True, check=False)
    said = re.search("Warning: Authentication-Results: mx.example.net; (.*)", done.stderr)
    said = said.group(1) if said else done.stderr[-300:]
    try:
        results = [each.result for each in authres.all_features().parse("Authentication-Results: mx.example.net; " + said).results]
    except authres.SyntaxError:
        results = "refused"
    print(f"{client}, {domain}\n  {said}\n  python3-authres: {results}")
    otherwise |= (said, results) != (seen, by_authres)
sys.exit(otherwise)
PY
unshare -n -m python3 ask.py "$folder" || { echo "Exim $version behaves otherwise now" >&2; exit 1; }
