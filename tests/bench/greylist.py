#!/usr/bin/python3
"""greylist.py BUILD: strangers a second that postgrey and sekisho serve in turn, one after the other on one connection, as
Postfix keeps it to postgrey; and with a milter session for each. Prints the ratios. Debian's postgrey must be installed."""
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS, STRANGERS, WANTED = 5, 4000, 15

CONFIG = """listen unix:{run}/milter.sock mode 0600
control {run}/control
log off
authserv-id mx.example.org
authentication-results off
resolver {{ zone {run}/zone }}
store lmdb:{run}/store
greylist {{ delay 5m  key {key} }}
policy inbound {{ on rcpt {{ defer 451 4.2.0 "again in %{{greylist.wait}} s" if greylist is {{ new early }} }} }}
"""


def start(command, socket):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(200):
        if os.path.exists(socket):
            return process
        time.sleep(0.05)
    raise SystemExit(f"{command[0]} does not start")


def rate(build, who, socket):
    done = subprocess.run([f"{build}/tests/bench/strangers", who, socket, str(STRANGERS)], capture_output=True,
                          text=True, check=True)
    return float(done.stdout)


def once(build, run):
    ours, theirs = f"{run}/milter.sock", f"{run}/postgrey.sock"
    os.makedirs(f"{run}/db")
    open(f"{run}/zone", "w").close()
    with open(f"{run}/sekisho.conf", "w") as f:
        f.write(CONFIG.format(run=run, key="network"))
    started = [start(["postgrey", f"--unix={theirs}", f"--dbdir={run}/db", "--user=root", "--group=root"], theirs),
               start([f"{build}/sekisho", "daemon", "-c", f"{run}/sekisho.conf"], ours)]
    try:
        return rate(build, "milter", ours), rate(build, "sessions", ours), rate(build, "postgrey", theirs)
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def main():
    if not shutil.which("postgrey"):
        print("skipped: postgrey is not installed")
        return 0
    build, rounds = os.path.abspath(sys.argv[1]), []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as run:
            rounds.append(once(build, run))
    ours, sessions, theirs = (statistics.median(values) for values in zip(*rounds))
    print(f"strangers a second: postgrey {theirs:.0f}, sekisho {ours:.0f}: {ours / theirs:.1f} times (wanted: {WANTED}); "
          f"with a session for each {sessions:.0f}: {sessions / theirs:.1f} times")
    return 0


sys.exit(main())
