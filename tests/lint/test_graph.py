#!/usr/bin/python3
"""test_graph.py - graph.py finds each kind of fault in a source tree of a few files, and no other.

The last line counts the cases.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# Ten objects, so that the tree counts as built: base/ is below mail/, and dns/ is beside it.
HOUSE = {"include/base.h": "void base_a(void);\n", "include/mail.h": '#include "base.h"\nvoid mail_a(void);\n',
         "filter/base/a.c": "void base_a(void)\n{\n}\n", "filter/mail/mail_private.h": "void mail_b(void);\n",
         "filter/mail/a.c": '#include "mail.h"\n#include "mail_private.h"\nvoid mail_a(void)\n{\n\tbase_a();\n\tmail_b();\n}\n',
         "filter/mail/b.c": "void mail_b(void)\n{\n}\n"}
HOUSE.update({"filter/dns/%d.c" % i: "int dns_%d;\n" % i for i in range(7)})
ALL_C = "".join(" " + path for path in HOUSE if path.endswith(".c"))


def calls(name, *called):
    return "".join("void %s(void);\n" % other for other in called) + "void %s(void)\n{\n%s}\n" % (
        name, "".join("\t%s();\n" % other for other in called))


# What is changed, and what is said then; nothing: all is well.
CASES = (
    ("a house that is well", {}, ""),
    ("two files that call each other", {"filter/mail/b.c": calls("mail_b", "mail_a")},
     "a circle of 2 files:\n    filter/mail/a.c -> filter/mail/b.c: mail_b\n    filter/mail/b.c -> filter/mail/a.c: mail_a"),
    ("three files that call each other",
     {"filter/mail/b.c": calls("mail_b", "mail_c"), "filter/mail/c.c": calls("mail_c", "mail_a")}, "a circle of 3 files:"),
    ("headers that include each other", {
        "filter/mail/mail_private.h": '#pragma once\n#include "x.h"\nvoid mail_b(void);\n',
        "filter/mail/x.h": '#pragma once\n#include "mail_private.h"\n'}, "a circle of 2 files:"),
    ("a table does not make a circle", {"filter/check/checks.c": calls("checks", "check_a"), "filter/check/a.c": calls("check_a", "checks")},
     ""),
    ("a call upward", {"filter/base/a.c": calls("base_a", "dns_up"), "filter/dns/up.c": calls("dns_up")},
     "filter/base/a.c -> filter/dns/up.c: dns_up: dns is not below base"),
    ("a call beside", {"filter/dns/up.c": calls("dns_up", "mail_a")}, "mail is not below dns"),
    ("an include upward", {"include/base.h": '#include "mail.h"\nvoid base_a(void);\n', "include/mail.h": "void mail_a(void);\n",
                           "filter/mail/a.c": '#include "base.h"\n' + calls("mail_a", "mail_b")}, "include/base.h -> include/mail.h"),
    ("a header that is private to another room", {"filter/check/a.c": '#include "../mail/mail_private.h"\n'},
     "filter/check/a.c -> filter/mail/mail_private.h: private to mail; its door is in include/"),
    ("a room without a floor", {"filter/attic/a.c": "int attic;\n"}, "attic: no floor is named for this room"),
    ("too many rooms", {"filter/r%d/a.c" % i: "" for i in range(28)}, "31 rooms; 30 are the most"),
    ("a function that is too long", {"filter/mail/b.c": "void mail_b(\n\tvoid)\n{\n" + "\t;\n" * 57 + "}\n"},
     "filter/mail/b.c:1: mail_b() has 61 lines; 60 are the most"),
    ("a function that just fits", {"filter/mail/b.c": "/* long */\nvoid mail_b(\n\tvoid)\n{\n" + "\t;\n" * 56 + "}\n"}, ""),
    ("a file that is too long", {"filter/mail/mail_private.h": "void mail_b(void);\n" * 501}, "501 lines; 500 are the most"),
    ("a file that just fits", {"filter/mail/mail_private.h": "void mail_b(void);\n" * 500}, ""),
    ("a test that is too long", {"tests/unit/test_a.c": "void a(\n\tvoid)\n{\n" + "\t;\n" * 57 + "}\n"},
     "tests/unit/test_a.c:1: a() has 61 lines; 60 are the most"),
    ("a test in Python that is too long", {"tests/system/test_a.py": "def test_a():\n" + "    pass\n" * 60},
     "tests/system/test_a.py:1: test_a() has 61 lines; 60 are the most"),
    ("a test in Python that just fits", {"tests/system/test_a.py": "\n\ndef test_a():\n" + "    pass\n" * 59}, ""),
    ("a file of tests that is too long", {"tests/system/a.sh": ":\n" * 501}, "tests/system/a.sh: 501 lines; 500 are the most"),
    ("a header of tests that no distribution has",
     {"Makefile.am": "SOURCES = include/base.h include/mail.h filter/mail/mail_private.h" + ALL_C, "tests/unit/a.h": ""},
     "tests/unit/a.h is not named in Makefile.am, so no distribution has it"),
    ("a program, a pattern and a folder are names too",
     {"Makefile.am": "SOURCES = include/base.h include/mail.h filter/mail/mail_private.h tests/unit/test_a $(wildcard $(srcdir)/tests/x/*.py) "
      "tests/page" + ALL_C, "tests/unit/test_a.c": "", "tests/x/a.py": "", "tests/page/a.mjs": ""}, ""),
    ("a header that no distribution has", {"Makefile.am": "SOURCES = include/base.h filter/mail/mail_private.h" + ALL_C},
     "include/mail.h is not named in Makefile.am, so no distribution has it"),
)


def build(folder, files):
    for path, text in files.items():
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    for path in files:
        path = os.path.join(folder, path)
        if path.endswith(".c"):
            subprocess.run([os.environ.get("CC", "cc"), "-I" + os.path.join(folder, "include"), "-c", path, "-o", path[:-1] + "o"],
                           check=True)


def main():
    passed = 0
    for name, changed, expected in CASES:
        with tempfile.TemporaryDirectory(prefix="sekisho-graph-") as folder:
            files = {**HOUSE, **changed}
            build(folder, {"Makefile.am": "SOURCES = " + " ".join(files), **files})
            done = subprocess.run([sys.executable, os.path.join(HERE, "graph.py"), folder, folder], capture_output=True, text=True)
        if done.returncode == bool(expected) and expected in done.stdout and (expected or ", 0 faults" in done.stdout):
            passed += 1
        else:
            print("FAILED %s: %r is not in\n%s%s" % (name, expected, done.stdout, done.stderr))
    print("%d passed, %d failed" % (passed, len(CASES) - passed))
    return passed < len(CASES)


if __name__ == "__main__":
    sys.exit(main())
