#!/bin/sh
# get-sendmail.sh DIR: unpacks Debian's Sendmail into DIR (DIR/usr/libexec/sendmail/sendmail), for the system tests.
#
# It is downloaded and unpacked, never installed: its package conflicts with that of Postfix, and no
# mail server of this machine may be removed or started. Libraries that the machine lacks are unpacked
# beside it. Needs the network once; a second call finds the program and does nothing.
set -eu

dir=${1:?usage: get-sendmail.sh DIR}
program=usr/libexec/sendmail/sendmail
[ -x "$dir/$program" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
	{ echo "get-sendmail.sh: apt-get and dpkg-deb are needed; the tests with Sendmail will be skipped" >&2; exit 1; }

mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT INT TERM
mkdir "$new/packages" "$new/root"

fetch() {
	# As root apt-get warns that it does not download as user _apt: the directory is private.
	(cd "$new/packages" && apt-get -q -o APT::Sandbox::User=root download "$@" >../log 2>&1) ||
		{ cat "$new/log" >&2; echo "get-sendmail.sh: cannot download $*; is there a network, and apt-get update done?" >&2; exit 1; }
	for package in "$new"/packages/*.deb; do
		dpkg-deb -x "$package" "$new/root"
		rm "$package"
	done
}

fetch sendmail-bin sendmail-cf
if ldd "$new/root/$program" | grep -q 'not found'; then
	fetch $(apt-cache depends --no-recommends --no-suggests sendmail-bin | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p')
fi
# Set-gid would make libsasl ignore SASL_CONF_PATH and the loader ignore LD_LIBRARY_PATH.
chmod g-s,a+rx "$new/root/$program"
chmod 755 "$new/root"
rm -rf "$dir"
mv "$new/root" "$dir"
