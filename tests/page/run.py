#!/usr/bin/python3
"""run.py BUILD - the page of `web` in headless Chromium: the daemon with a history of a week, and look.mjs, which finds what is
wrong and takes pictures (BUILD/page/*.png). Skipped, with the reason, without Chromium or npm; the two packages of npm that
it needs are put into BUILD/page."""
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../system"))
import miltc  # noqa: E402

PASSWORD = "a password to look"
WEB, MILTER = 9893, 9894
STEP = 300 * 1000 * 1000

CONFIG = """listen inet:{milter}@127.0.0.1 engine native
control {d}/control
log file:{d}/record
authserv-id mx.example.org
trusted {{ 10.0.0.0/8 }}
resolver {{ zone zone }}
store memory:
list friends file:friends
list partners file:missing
history sqlite:{d}/history.db
web {{ listen inet:{web}@127.0.0.1  password-file password }}
policy inbound {{
  on connect {{ accept if client in partners }}
  on mail {{
    reject 550 5.7.23 "SPF: %{{spf.explanation}}, case %{{case}}" if spf is fail
    try defer 451 4.7.1 "later" if spf is none
  }}
  on message {{
    quarantine "no author" if from.count = 0
    add-header X-Seen "yes" if spf is pass
  }}
}}
"""
ZONE = 'pass.example.net TXT "v=spf1 ip4:203.0.113.5 -all"\nfail.example.net TXT "v=spf1 -all"\n'


def skip(why):
    print("check-page was skipped: " + why)
    sys.exit(0)


def packages(folder):
    if all(os.path.isdir(os.path.join(folder, "node_modules", name)) for name in ("playwright-core", "axe-core")):
        return
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, "playwright-core", "axe-core"],
                          capture_output=True, text=True)
    if done.returncode:
        skip("npm cannot install playwright-core and axe-core: " + done.stderr.strip()[-300:])


def send(sender, address="203.0.113.5", headers=(("From", " Alice <alice@pass.example.net>"), ("Subject", " hello"))):
    client = miltc.Milter(("127.0.0.1", MILTER))
    client.greet(address=address)
    client.message(sender, headers=list(headers))
    client.close()


def fill(path):
    """A week of counts, as a busy site has them."""
    database, now = sqlite3.connect(path), int(time.time() * 1e6) // STEP * STEP
    chance = random.Random(3)

    def add(step, kind, name, count):
        if count > 0:
            database.execute("INSERT INTO count VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                             (step, kind, name, int(count)))
    for k in range(2016):
        step = now - k * STEP
        load = 40 + 120 * max(0, math.sin((step / 3.6e9 % 24 - 6) / 12 * math.pi))
        for name, part, spread in (("accept", 1, 8), ("reject", 0.25, 5), ("defer", 0.1, 3), ("quarantine", 0.02, 1)):
            add(step, 0, name, chance.gauss(load * part, spread))
        for line, part in ((14, 20), (15, 6), (18, 2)):
            add(step, 1, f"/etc/sekisho/sekisho.conf:{line}", chance.gauss(part, 4))
        for _ in range(50):
            add(step, 2, f"news{int(chance.expovariate(1 / 400))}@bulk.example", 1)
        for k, address in enumerate(("192.0.2.25", "203.0.113.5", "2001:db8:0:7::25", "198.51.100.77")):
            for word, part in (("users", 20 if k == 0 else 0), ("pass", 8), ("fail", k), ("none", 0.4)):
                add(step, 4, f"example.org {word} {address}", chance.gauss(part, 2))
        add(step, 4, "a-long-name-of-a-subsidiary.example.com pass 203.0.113.5", chance.gauss(2, 1))
        add(step, 3, "/etc/sekisho/sekisho.conf:15", chance.gauss(8, 3))
    database.commit()


def main():
    build = os.path.abspath(sys.argv[1])
    program, folder = os.path.join(build, "sekisho"), os.path.join(build, "page")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        skip("Chromium is not installed (Debian package chromium)")
    if not shutil.which("node") or not shutil.which("npm"):
        skip("node and npm are not installed")
    os.makedirs(folder, exist_ok=True)
    packages(folder)
    with tempfile.TemporaryDirectory() as d:
        for name, text in (("c.conf", CONFIG.format(d=d, web=WEB, milter=MILTER)), ("zone", ZONE), ("friends", "192.0.2.1\n")):
            with open(os.path.join(d, name), "w") as f:
                f.write(text)
        subprocess.run([program, "web-password", f"{d}/password"], input=PASSWORD, text=True, check=True)
        daemon = subprocess.Popen([program, "daemon", "-c", f"{d}/c.conf"], stderr=subprocess.DEVNULL)
        try:
            time.sleep(2)
            for sender in 3 * ["<alice@pass.example.net>"] + ['<"<script>alert(1)</script>"@fail.example.net>']:
                send(sender)
            for _ in range(3):
                send("<mallory@fail.example.net>", address="203.0.113.66")
            send("<>", headers=[("Subject", " <b>no author</b>")])
            time.sleep(2)
            fill(f"{d}/history.db")
            paths = ["/", "/?range=week", "/domains?range=week", "/domains?domain=a-long-name-of-a-subsidiary.example.com&range=month", "/search?q=mallory@fail.example.net", "/search?q=alice@pass.example.net",
                     "/search?q=%3Cscript%3Ealert(1)%3C/script%3E"]
            return subprocess.run(["node", os.path.join(HERE, "look.mjs"), f"http://127.0.0.1:{WEB}", "x", PASSWORD, folder,
                                   *paths], cwd=folder, env={**os.environ, "CHROMIUM": chromium}).returncode
        finally:
            daemon.terminate()
            daemon.wait()


if __name__ == "__main__":
    sys.exit(main())
