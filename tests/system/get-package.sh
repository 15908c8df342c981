#!/bin/sh
# get-package.sh exim|sendmail DIR: unpacks that mail server of Debian into DIR (DIR/usr/sbin/exim4,
# DIR/usr/libexec/sendmail/sendmail), for the system tests.
#
# It is downloaded and unpacked, never installed: its package conflicts with that of Postfix, and no
# mail server of this machine may be removed or started. Libraries that the machine lacks are unpacked
# beside it. Needs the network once; a second call finds the program and does nothing.
set -eu

usage="usage: get-package.sh exim|sendmail DIR"
name=${1:?$usage}
dir=${2:?$usage}
# Set-uid and set-gid would make the loader ignore LD_LIBRARY_PATH, and libsasl SASL_CONF_PATH.
case $name in
exim) program=usr/sbin/exim4 packages="exim4-daemon-heavy exim4-base" mode=u-s,a+rx ;;
sendmail) program=usr/libexec/sendmail/sendmail packages="sendmail-bin sendmail-cf" mode=g-s,a+rx ;;
*) echo "$usage" >&2; exit 1 ;;
esac
[ -x "$dir/$program" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
	{ echo "get-package.sh: apt-get and dpkg-deb are needed; the tests with $name will be skipped" >&2; exit 1; }

mkdir -p "$(dirname "$dir")"
new=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$new"' EXIT INT TERM
mkdir "$new/packages" "$new/root"

fetch() {
	# As root apt-get warns that it does not download as user _apt: the directory is private.
	(cd "$new/packages" && apt-get -q -o APT::Sandbox::User=root download "$@" >../log 2>&1) ||
		{ cat "$new/log" >&2; echo "get-package.sh: cannot download $*; is there a network, and apt-get update done?" >&2; exit 1; }
	for package in "$new"/packages/*.deb; do
		dpkg-deb -x "$package" "$new/root"
		rm "$package"
	done
}

# Those that the first package depends on and that are not installed.
missing() {
	for library in $(apt-cache depends --no-recommends --no-suggests "$1" | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p'); do
		dpkg-query -W -f='${db:Status-Status}' "$library" 2>/dev/null | grep -q '^installed' || echo "$library"
	done
}

fetch $packages
libraries=$(missing $packages)
[ -z "$libraries" ] || fetch $libraries
chmod "$mode" "$new/root/$program"
chmod 755 "$new/root"
rm -rf "$dir"
mv "$new/root" "$dir"
