#!/usr/bin/python3
"""tables.py [SOURCE BUILD [--write]] - the sections ALL SETTINGS, ALL ACTIONS and ALL FACTS of sekisho.conf(5), and ALL
METRICS of sekisho-metrics(7), are what the tables of the program say (tests/lint/tables.c), and each of their examples can
be compiled.

With --write the sections are written anew. Without arguments it is a test that runs in BUILD, where automake says in
`srcdir` where SOURCE is.
"""
import os
import shutil
import subprocess
import sys
import tempfile

KEY = "tests/conformance/dkim/rsa2048.pem"
PAGES = {"filter/policy/sekisho.conf.5": ("settings", "actions", "facts"), "filter/web/sekisho-metrics.7": ("metrics",)}
BEGIN, END = '.\\" All %s: written by make manual-tables\n', '.\\" All %s: the end\n'

# What examples name in /etc/sekisho.
FILES = {
    "friends": "192.0.2.1\n",
    "relays": "192.0.2.2\n",
    "domains": "example.org s1 s1.pem\n",
    "zone": "example.org. 300 IN TXT \"v=spf1 -all\"\n",
    "message.eml": "From: a@example.net\n\nHello.\n",
}


def write_files(source, folder):
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    key = os.path.join(folder, "s1.pem")
    shutil.copyfile(os.path.join(source, KEY), key)
    shutil.copyfile(key, os.path.join(folder, "srs.secret"))
    for name in ("s1.pem", "srs.secret"):
        os.chmod(os.path.join(folder, name), 0o600)


def renew(page, name, section):
    """The page with the section as it is now."""
    before, rest = page.split(BEGIN % name)
    return before + BEGIN % name + section + END % name + rest.split(END % name)[1]


def check_page(source, build, folder, path):
    """(exit code, number of entries): renews the sections of one page."""
    wrong = count = 0
    with open(os.path.join(source, path), encoding="utf-8") as f:
        old = page = f.read()
    for name in PAGES[path]:
        done = subprocess.run([os.path.join(build, "tests/lint/tables"), folder, name], capture_output=True, text=True)
        print(done.stderr, end="")
        wrong |= done.returncode
        count += done.stdout.count("\n.It ")
        before, page = page, renew(page, name, done.stdout)
        if page != before and "--write" not in sys.argv:
            print("%s: ALL %s is older than the tables of the program; run make manual-tables" % (path, name.upper()))
            wrong |= 1
    if "--write" in sys.argv and page != old and not wrong:
        with open(os.path.join(source, path), "w", encoding="utf-8") as f:
            f.write(page)
    return wrong, count


def main():
    source, build = sys.argv[1:3] or (os.environ.get("srcdir", "."), ".")
    wrong = count = 0
    with tempfile.TemporaryDirectory() as folder:
        write_files(source, folder)
        for path in PAGES:
            bad, found = check_page(source, build, folder, path)
            wrong |= bad
            count += found
    print("%d settings, actions, facts and metrics" % count)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
