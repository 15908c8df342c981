#!/bin/sh
# sendmail-bin 8.17.1.9-2+deb12u2 (Sendmail, Debian 12): a Message-Id that a milter inserts into a message that has none is
# there twice in what is delivered: the milter's and Sendmail's own.
#
# RFC 5322 3.6: Message-ID, Date and From are there once at most; 3.6.4: a message need not have a Message-ID, and Sendmail adds
# what is missing (H?M?Message-Id in its configuration). The packet "insert" of the milter protocol (smfi_insheader) does
# not tell it that the field is there now. "add" (smfi_addheader) and "change" of the first field of a name that is
# absent (smfi_chgheader) do: one Message-Id is delivered, that of the milter.
#
# A milter adds Message-ID, Date and From by smfi_addheader or smfi_chgheader, and inserts only fields that no mail server makes.
set -eu

[ "$(id -u)" = 0 ] || { echo "Sendmail has to be run by root" >&2; exit 77; }
version=8.17.1.9-2+deb12u2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download "sendmail-bin=$version" libdb5.3 libldap-2.5-0 libnsl2 libsasl2-2 libtirpc3 libwrap0 >/dev/null 2>&1 ||
	{ echo "sendmail-bin $version and what it needs cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu):$(echo "$folder"/lib/*-linux-gnu)
export LD_LIBRARY_PATH
if ldd usr/libexec/sendmail/sendmail | grep -q 'not found'; then echo "libraries of Sendmail are missing" >&2; exit 77; fi

mkdir -m 700 queue
printf '#!/bin/sh\ncat >%s/delivered\n' "$folder" >save
chmod 755 save
echo "127.0.0.1 mx.example.net localhost" >hosts
: >resolv.conf
cat >sendmail.cf <<CF
V10/Berkeley
Djmx.example.net
DnMAILER-DAEMON
O QueueDirectory=$folder/queue
O DeliveryMode=i
O DefaultUser=0:0
O DontBlameSendmail=GroupWritableDirPathSafe,TrustStickyBit
O SmtpGreetingMessage=\$j
O InputMailFilters=test
Xtest, S=inet:20025@127.0.0.1, T=C:60s;S:60s;R:60s;E:60s
Troot
H?D?Date: \$a
H?F?From: \$g
H?M?Message-Id: <\$t.\$i@\$j>
Mlocal, P=$folder/save, F=lsDFMq9, A=save \$u
Mprog, P=/bin/sh, F=lsDFMq9, A=sh -c \$u
S0
R\$*	\$#local \$: bob
CF

cat >ask.py <<'PY'
import socket
import struct
import subprocess
import sys
import threading

NAME, OURS = b"Message-Id", b"<ours@example.net>"
WAYS = {"nothing": b"", "add": b"h" + NAME + b"\0" + OURS + b"\0", "change": b"m\0\0\0\1" + NAME + b"\0" + OURS + b"\0",
        "insert": b"i\0\0\0\0" + NAME + b"\0" + OURS + b"\0"}


def milter(listener, change):
    """Answers one message by the milter protocol: `continue` to all, `change` at its end."""
    connection = listener.accept()[0]
    stream = connection.makefile("rb")
    while True:
        size = stream.read(4)
        packet = stream.read(struct.unpack("!I", size)[0]) if len(size) == 4 else b"Q"
        if packet[:1] == b"Q":
            return
        answers = {b"O": [b"O" + struct.pack("!3I", 6, 0x11, 0)], b"D": [], b"A": [], b"E": [change, b"a"]}.get(packet[:1], [b"c"])
        for answer in filter(None, answers):
            connection.sendall(struct.pack("!I", len(answer)) + answer)


def deliver():
    server = subprocess.Popen(["usr/libexec/sendmail/sendmail", "-C", "sendmail.cf", "-bs"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    for line in ("", "EHLO mail.example.org", "MAIL FROM:<alice@example.org>", "RCPT TO:<bob@example.net>", "DATA",
                 "Date: Sat, 28 Nov 2026 00:00:00 +0000\r\nFrom: alice@example.org\r\n\r\ntext\r\n.", "QUIT"):
        if line:
            server.stdin.write(line + "\r\n")
            server.stdin.flush()
        answer = server.stdout.readline()
        while answer[3:4] == "-":
            answer = server.stdout.readline()
    server.wait()


for command in ("ip link set lo up", "hostname mx.example.net", "mount --bind hosts /etc/hosts", "mount --bind resolv.conf /etc/resolv.conf"):
    subprocess.run(command.split(), check=True)
listener = socket.create_server(("127.0.0.1", 20025))
otherwise = False
for way, change in WAYS.items():
    threading.Thread(target=milter, args=[listener, change], daemon=True).start()
    deliver()
    with open("delivered", encoding="ascii") as f:
        ids = [line for line in f.read().split("\n") if line.lower().startswith("message-id:")]
    print(f"the milter's packet: {way}", *ids, sep="\n  ")
    otherwise |= len(ids) != (2 if way == "insert" else 1)
sys.exit(otherwise)
PY
unshare -n -u -m python3 ask.py || { echo "Sendmail $version behaves otherwise now" >&2; exit 1; }
