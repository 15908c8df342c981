#!/bin/sh
# libopendkim 2.11.0~beta2-8+deb12u1 (Debian 12; opendkim and others use it): a signature field with a blank between b and
# its equals sign does not verify.
#
# RFC 6376 3.2: white space may be on both sides of the equals sign of a tag, so "b = AAAA" is the tag b. Its value is taken
# out before the field is hashed (3.7), what is around it stays. libopendkim verifies the same signature when b= has
# no blank, also with blanks around the other equals signs; with "b =" it answers "Bad signature".
#
# Who writes signature fields, or lays them out anew before signing, keeps b= together.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download libopendkim11=2.11.0~beta2-8+deb12u1 libdb5.3=5.3.28+dfsg2-1 libbsd0=0.11.7-2 >/dev/null 2>&1 ||
	{ echo "the packages cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
if LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu) ldd usr/lib/*/libopendkim.so.11 | grep -q "not found"; then
	echo "libraries of libopendkim are missing" >&2
	exit 77
fi
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 77; }
openssl genrsa -out key.pem 2048 2>/dev/null

cat >ask.py <<'PY'
import base64
import ctypes
import glob
import hashlib
import subprocess
import sys

BODY = b"text\r\n"
public = subprocess.run(["openssl", "rsa", "-in", "key.pem", "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
with open("keys", "w", encoding="ascii") as keys:
    keys.write("s1._domainkey.example.org v=DKIM1; p=" + base64.b64encode(public).decode() + "\n")
for name in "libbsd.so.0", "libdb-5.3.so", "libopendkim.so.11":
    library = ctypes.CDLL(glob.glob(f"usr/lib/*/{name}")[0], ctypes.RTLD_GLOBAL)
library.dkim_init.restype = library.dkim_verify.restype = ctypes.c_void_p
library.dkim_getresultstr.restype = ctypes.c_char_p


def signed(others, last):
    """A message whose signature has `others` around the equals signs of its tags, and `last` around that of b."""
    field = b"; ".join(name + others + value for name, value in (
        (b"v", b"1"), (b"a", b"rsa-sha256"), (b"c", b"simple/simple"), (b"d", b"example.org"), (b"s", b"s1"), (b"h", b"from"),
        (b"bh", base64.b64encode(hashlib.sha256(BODY).digest()))))
    field = b"DKIM-Signature: " + field + b"; b" + last
    text = b"From: alice@example.org\r\n" + field
    value = subprocess.run(["openssl", "dgst", "-sha256", "-sign", "key.pem"], input=text, capture_output=True, check=True).stdout
    return [field + base64.b64encode(value), b"From: alice@example.org"]


def verified(fields):
    handle, status, from_file = ctypes.c_void_p(library.dkim_init(None, None)), ctypes.c_int(), ctypes.c_int(1)
    library.dkim_options(handle, 1, 6, ctypes.byref(from_file), ctypes.c_size_t(4))  # set, query method
    library.dkim_options(handle, 1, 7, b"keys", ctypes.c_size_t(4))                  # set, its file
    verifier = ctypes.c_void_p(library.dkim_verify(handle, b"id", None, ctypes.byref(status)))
    for field in fields:
        library.dkim_header(verifier, field, ctypes.c_size_t(len(field)))
    library.dkim_eoh(verifier)
    library.dkim_body(verifier, BODY, ctypes.c_size_t(len(BODY)))
    return library.dkim_getresultstr(library.dkim_eom(verifier, None)).decode()


otherwise = False
for around, last, seen in ((b"=", b"=", "Success"), (b" = ", b"=", "Success"), (b"=", b" =", "Bad signature")):
    said = verified(signed(around, last))
    print(f"v{around.decode()}1 … b{last.decode()}\n  {said}")
    otherwise |= said != seen
sys.exit(otherwise)
PY
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n python3 ask.py || { echo "libopendkim behaves otherwise now" >&2; exit 1; }
