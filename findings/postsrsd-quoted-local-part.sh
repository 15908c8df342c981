#!/bin/sh
# postsrsd 1.10-2+b1 (Debian 12): a sender whose quoted local part holds an @ is rewritten to an address that postsrsd
# itself cannot turn back, so that no bounce reaches the sender.
#
# "a@b"@example.org is a valid mailbox (RFC 5321 4.1.2, Quoted-string). postsrsd takes the first @ for the one before
# the domain: the rewritten address carries `b"@example.org` as the host and `"a` as the user. Asked for the way back,
# it answers with something else than the address it was given. An address without quotes comes back as it was.
#
# Who rewrites sender addresses has to look for the last @ outside of quotes.
set -eu

version=1.10-2+b1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download "postsrsd=$version" >/dev/null 2>&1 || { echo "postsrsd $version cannot be downloaded" >&2; exit 77; }
dpkg -x postsrsd_*.deb .
echo secretone >secret

cat >ask.py <<'PY'
import socket
import subprocess
import time


def ask(port, address):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(f"get {address}\n".encode())
        return s.recv(4096).decode().strip()


subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server = subprocess.Popen(["usr/sbin/postsrsd", "-ssecret", "-dsrs.example.net", "-f10001", "-r10002", "-4"])
try:
    time.sleep(1)
    failed = False
    for address, comes_back in (("alice@example.org", True), ('"a@b"@example.org', False)):
        forward = ask(10001, address)
        back = ask(10002, forward[4:]) if forward.startswith("200 ") else "not asked"
        print(f"{address}\n  forward: {forward}\n  reverse: {back}")
        failed |= (back == f"200 {address}") != comes_back
finally:
    server.terminate()
    server.wait()
raise SystemExit(failed)
PY
if unshare -n true 2>/dev/null; then
	unshare -n python3 ask.py || { echo "postsrsd $version behaves otherwise now" >&2; exit 1; }
else
	unshare -rn python3 ask.py || { echo "postsrsd $version behaves otherwise now" >&2; exit 1; }
fi
