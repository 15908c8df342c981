#!/bin/sh
# run.sh [--quick] [--only NAME,...] [--build DIR] [--before DIR]: measures Sekisho beside what people run today. Needs
# root; everything happens in a network, mount and process namespace of its own. The results lie in BUILD/bench.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" = 0 ] || { echo "run.sh: needs root, for namespaces and for the other programs' users" >&2; exit 1; }
python=${PYTHON3:-/usr/bin/python3}
# The shell is process 1 and takes the dead children of others.
exec unshare -n -m -u -p --fork --kill-child --mount-proc sh -c '"$@"; exit $?' sh "$python" -B "$here/bench.py" "$@"
