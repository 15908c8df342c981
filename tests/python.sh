#!/bin/sh
# python.sh PYTHON ARGUMENT...: runs a test of `make check` with Python. Without Python it is skipped (77) and the reason printed.
if ! "$1" -c '' 2>/dev/null; then
	echo "skipped: ${3##*/}: $1 is missing (package python3 on Debian, Ubuntu, Fedora, openSUSE and Alpine)"
	exit 77
fi
exec "$@"
