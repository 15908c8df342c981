#!/bin/sh
# libopendkim 2.11.0~beta2-8+deb12u1, Mail::DKIM 1.20230212-2~deb12u1, dkimpy 1.1.4-1 (Debian 12): a signature whose h= names
# dkim-signature once more than there are other such fields does not verify.
#
# A name in h= for which there is no field (any more) stands for a field that must not be added (RFC 6376 5.4.2, 3.5): it adds
# nothing to the hash. The DKIM-Signature field that is being verified is not one of those that h= can name (3.5: "MUST
# NOT include the DKIM-Signature header field that is being created or verified but may include others"). All three
# verifiers take just that field for the name, so they hash it twice, and the signature is "bad". With subject in the place
# of dkim-signature, for which there is no field either, the same signer's message passes everywhere.
#
# Who over-signs "all fields that are signed" has to leave DKIM-Signature out.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download python3-dkim=1.1.4-1 libmail-dkim-perl=1.20230212-2~deb12u1 libcrypt-openssl-rsa-perl=0.33-3+b1 \
	libcrypt-openssl-bignum-perl=0.09-2+b1 libmailtools-perl=2.21-2 libnet-dns-perl=1.36-1+deb12u1 \
	libmail-authenticationresults-perl=2.20230112-1 libclone-perl=0.46-1 libjson-perl=4.10000-1 \
	libopendkim11=2.11.0~beta2-8+deb12u1 libdb5.3=5.3.28+dfsg2-1 libbsd0=0.11.7-2 >/dev/null 2>&1 ||
	{ echo "the packages cannot be downloaded" >&2; exit 77; }
for package in *.deb; do dpkg -x "$package" .; done
PERL5LIB=usr/share/perl5:$(echo usr/lib/*/perl5/5.*)
export PERL5LIB
perl -MMail::DKIM::Verifier -e 1 2>/dev/null || { echo "Mail::DKIM does not load with this Perl" >&2; exit 77; }
if LD_LIBRARY_PATH=$(echo usr/lib/*-linux-gnu) ldd usr/lib/*/libopendkim.so.11 | grep -q "not found"; then
	echo "libraries of libopendkim are missing" >&2
	exit 77
fi
command -v openssl >/dev/null || { echo "openssl is missing" >&2; exit 77; }
openssl genrsa -out key.pem 2048 2>/dev/null

cat >verify.pl <<'PL'
# verify.pl RECORD < MESSAGE: what Mail::DKIM says when every question to the DNS is answered with RECORD.
use strict;
use warnings;
use Mail::DKIM::Verifier;

{
	package Answer;
	sub new { bless {}, shift }
	sub type { 'TXT' }
	sub txtdata { $ARGV[0] }
	sub char_str_list { $ARGV[0] }
}
{
	no warnings qw(redefine once);
	*Mail::DKIM::DNS::query = sub { Answer->new };
	*Mail::DKIM::DNS::query_async = sub { my ($name, $type, %more) = @_; sub { $more{Callbacks}{Success}->(Answer->new) } };
}
local $/;
my $verifier = Mail::DKIM::Verifier->new;
$verifier->PRINT(scalar <STDIN>);
$verifier->CLOSE;
print $verifier->result, "\n";
PL

cat >ask.py <<'PY'
import base64
import ctypes
import glob
import hashlib
import subprocess
import sys

sys.path.insert(0, "usr/lib/python3/dist-packages")
import dkim

BODY = b"text\r\n"
public = subprocess.run(["openssl", "rsa", "-in", "key.pem", "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
record = "v=DKIM1; p=" + base64.b64encode(public).decode()


def signed(names):
    """A message with From, whose signature names these fields; none of the others exists."""
    field = (b"v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=s1; h=" + names + b"; bh="
             + base64.b64encode(hashlib.sha256(BODY).digest()) + b"; b=")
    text = b"from:alice@example.org\r\ndkim-signature:" + field
    value = subprocess.run(["openssl", "dgst", "-sha256", "-sign", "key.pem"], input=text, capture_output=True, check=True).stdout
    return b"DKIM-Signature: " + field + base64.b64encode(value) + b"\r\nFrom: alice@example.org\r\n\r\n" + BODY


def by_libopendkim(message):
    for name in "libbsd.so.0", "libdb-5.3.so", "libopendkim.so.11":
        library = ctypes.CDLL(glob.glob(f"usr/lib/*/{name}")[0], ctypes.RTLD_GLOBAL)
    library.dkim_init.restype = library.dkim_verify.restype = ctypes.c_void_p
    library.dkim_getresultstr.restype = ctypes.c_char_p
    handle, status, from_file, path = ctypes.c_void_p(library.dkim_init(None, None)), ctypes.c_int(), ctypes.c_int(1), b"keys"
    with open(path, "w", encoding="ascii") as f:
        f.write(f"s1._domainkey.example.org {record}\n")
    library.dkim_options(handle, 1, 6, ctypes.byref(from_file), ctypes.c_size_t(4))  # set, query method
    library.dkim_options(handle, 1, 7, path, ctypes.c_size_t(len(path)))             # set, its file
    verifier = ctypes.c_void_p(library.dkim_verify(handle, b"id", None, ctypes.byref(status)))
    for line in message.split(b"\r\n\r\n")[0].split(b"\r\n"):
        library.dkim_header(verifier, line, ctypes.c_size_t(len(line)))
    library.dkim_eoh(verifier)
    library.dkim_body(verifier, BODY, ctypes.c_size_t(len(BODY)))
    return library.dkim_getresultstr(library.dkim_eom(verifier, None)).decode()


otherwise = False
for names, seen in ((b"from:subject", ("Success", "pass", True)), (b"from:dkim-signature", ("Bad signature", "fail", False))):
    message = signed(names)
    said = (by_libopendkim(message),
            subprocess.run(["perl", "verify.pl", record], input=message, capture_output=True, check=True).stdout.decode().strip(),
            dkim.verify(message, dnsfunc=lambda name, timeout=5: record.encode()))
    print(f"h={names.decode()}\n  libopendkim: {said[0]}\n  Mail::DKIM: {said[1]}\n  dkimpy: {said[2]}")
    otherwise |= said != seen
sys.exit(otherwise)
PY
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n python3 ask.py || { echo "at least one of them behaves otherwise now" >&2; exit 1; }
