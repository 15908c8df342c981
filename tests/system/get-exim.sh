#!/bin/sh
# get-exim.sh DIR: unpacks Debian's Exim into DIR (DIR/usr/sbin/exim4), for the system tests.
#
# It is downloaded and unpacked, never installed: its package conflicts with that of Postfix, and no
# mail server of this machine may be removed or started. Libraries that the machine lacks are unpacked
# beside it. Needs the network once; a second call finds the program and does nothing.
set -eu

dir=${1:?usage: get-exim.sh DIR}
program=usr/sbin/exim4
[ -x "$dir/$program" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
	{ echo "get-exim.sh: apt-get and dpkg-deb are needed; the tests with Exim will be skipped" >&2; exit 1; }

mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT INT TERM
mkdir "$new/packages" "$new/root"

fetch() {
	# As root apt-get warns that it does not download as user _apt: the directory is private.
	(cd "$new/packages" && apt-get -q -o APT::Sandbox::User=root download "$@" >../log 2>&1) ||
		{ cat "$new/log" >&2; echo "get-exim.sh: cannot download $*; is there a network, and apt-get update done?" >&2; exit 1; }
	for package in "$new"/packages/*.deb; do
		dpkg-deb -x "$package" "$new/root"
		rm "$package"
	done
}

fetch exim4-daemon-heavy exim4-base
# Those of the packages that it depends on and that are not installed.
missing=
for library in $(apt-cache depends --no-recommends --no-suggests exim4-daemon-heavy | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p'); do
	dpkg-query -W -f='${db:Status-Status}' "$library" 2>/dev/null | grep -q '^installed' || missing="$missing $library"
done
[ -z "$missing" ] || fetch $missing
# Set-uid would make the loader ignore LD_LIBRARY_PATH.
chmod u-s,a+rx "$new/root/$program"
chmod 755 "$new/root"
rm -rf "$dir"
mv "$new/root" "$dir"
