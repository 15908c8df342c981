#!/usr/bin/python3
"""manual.py SOURCE - every setting, fact and action that the program knows has its entry in sekisho.conf(5), and
every verb in sekisho(8); and all manual pages can be read on a terminal of 80 columns.

The names are read from the tables of the program, so that nothing can be added without a description. An entry is a
line that begins with .It, .Ss or .Sh and holds the name.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

MANUAL, PROGRAM_MANUAL = "filter/policy/sekisho.conf.5", "filter/sekisho.8"
PAGES = (MANUAL, PROGRAM_MANUAL, "filter/web/sekisho-metrics.7", "filter/sekisho-migrate.7")
WIDTH = 80

# what, manual, files, how a row of its table begins
TABLES = (
    ("fact", MANUAL, "filter/check/*.c", r'\bFACT\("([^"]+)"'),
    ("setting or action", MANUAL, "filter/policy/*.c", r'\{\.name = "([^"]+)"'),
    ("setting of a check", MANUAL, "filter/check/*.c", r'\{\.name = "([^"]+)"'),
    ("verb", PROGRAM_MANUAL, "filter/main.c", r'^\s*\{"([^"]+)", verb_'),
)


def read(path):
    with open(path) as f:
        return f.read()


def names(source, files, row):
    found = []
    for path in sorted(glob.glob(os.path.join(source, files))):
        found += re.findall(row, read(path), re.M)
    return found


def entries(text):
    """All words of the lines that begin an entry."""
    words = set()
    for line in re.findall(r"^\.(?:It|Ss|Sh) (.*)$", text, re.M):
        words.update(re.split(r"[\s,()\"]+", line.replace("\\&", "")))
    return words


def wide(source):
    """Lines of the manual pages that are wider than 80 columns: a table or an example that a terminal would wrap."""
    if not shutil.which("mandoc"):
        print("manual.py: mandoc is not installed (Debian: mandoc), so nothing looked at the width of the manual pages")
        return 0
    count = 0
    for page in PAGES:
        shown = subprocess.run(["mandoc", "-T", "utf8", "-O", f"width={WIDTH}", os.path.join(source, page)],
                               stdout=subprocess.PIPE, check=True).stdout.decode("utf-8")
        for line in re.sub(".\b", "", shown).splitlines():
            if len(line) > WIDTH:
                print(f"{page}: wider than {WIDTH} columns: {line.strip()}")
                count += 1
    return count


def main():
    source = sys.argv[1]
    wrong = count = 0
    for what, manual, files, row in TABLES:
        described, found = entries(read(os.path.join(source, manual))), names(source, files, row)
        if not found:
            print(f"manual.py: {files} has no row that looks like a {what}; fix the pattern here")
            wrong += 1
        for name in found:
            count += 1
            if name not in described:
                print(f"{manual}: no entry for the {what} \"{name}\"")
                wrong += 1
    print(f"{count} names, {wrong} without an entry")
    wrong += wide(source)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
