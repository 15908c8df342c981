#!/bin/sh
# python3-authres 1.2.0-3 (Debian 12; dkimpy makes ARC fields by it): of an Authentication-Results field, a property whose
# value is in quotes is lost when another property follows; and a comment after the version of a method is a SyntaxError.
#
# RFC 8601 2.2: a value is a token or a quoted-string, in each property. A part of a signature (header.b, RFC 6008) has to be
# quoted whenever it holds a slash or an equals sign, and IPv6 addresses have to be, too. The parser takes a quoted value only
# when the result or the field ends after it; otherwise it drops that property, without an error, and goes on with the next.
# So `header.b="Ab/c" header.s=s1` has no header.b, and which of two signatures of a domain was meant is not known any
# more. Comments with white space on both sides are allowed between all words (2.2, CFWS; the example of appendix B.7).
#
# Who writes fields puts the quoted value last; who reads them by authres does not take an absent property for "not said".
set -eu

version=1.2.0-3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # apt downloads as another user
apt-get download "python3-authres=$version" >/dev/null 2>&1 || { echo "python3-authres $version cannot be downloaded" >&2; exit 77; }
dpkg -x python3-authres_*.deb .

cat >ask.py <<'PY'
import sys

sys.path.insert(0, "usr/lib/python3/dist-packages")
import authres

CASES = [  # the results of a field of mx.example.net, and what is seen of them
    ('dkim=pass header.d=example.org header.s=s1 header.b="Ab/c+d=="', 'dkim=pass header.d=example.org header.s=s1 header.b="Ab/c+d=="'),
    ('dkim=pass header.d=example.org header.b="Ab/c+d==" header.s=s1', "dkim=pass header.d=example.org header.s=s1"),
    ('arc=pass smtp.remote-ip=192.0.2.1 header.oldest-pass=0', "arc=pass smtp.remote-ip=192.0.2.1 header.oldest-pass=0"),
    ('arc=pass smtp.remote-ip="2001:db8::1" header.oldest-pass=0', "arc=pass header.oldest-pass=0"),
    ("dkim/1=pass (comment) header.d=example.org", "dkim/1=pass header.d=example.org"),
    ("dkim/1 (comment) = pass header.d=example.org", "SyntaxError"),
]
otherwise = False
for results, seen in CASES:
    try:
        field = authres.all_features().parse("Authentication-Results: mx.example.net; " + results)
        said = str(field).split("; ", 1)[1]
    except authres.SyntaxError:
        said = "SyntaxError"
    print(f"{results}\n  {said}")
    otherwise |= said != seen
sys.exit(otherwise)
PY
private=
unshare -n true 2>/dev/null || private=-r
unshare $private -n python3 ask.py || { echo "python3-authres $version behaves otherwise now" >&2; exit 1; }
