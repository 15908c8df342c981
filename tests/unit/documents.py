#!/usr/bin/python3
"""documents.py - the policies that a reader is shown are policies: `sekisho check` finds nothing wrong with them.

That of README, the default one in conf/, and the examples of sekisho.conf(5). The program is $SEKISHO, or
build/sekisho of the checkout.
"""
import os
import re
import subprocess
import sys
import tempfile

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build/sekisho")


def read(name):
    with open(os.path.join(CHECKOUT, name)) as f:
        return f.read()


def readme():
    """The indented lines below the heading "A policy"."""
    section = re.search(r"^A policy\n-+\n(.*?)^\S", read("README"), re.S | re.M).group(1)
    return re.sub(r"^    ", "", section, flags=re.M)


def examples():
    """The literal blocks of the manual that hold a policy. They share their lists, which are empty here."""
    for number, block in enumerate(re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", read("filter/policy/sekisho.conf.5"), re.S | re.M)):
        if not re.search(r"^policy (inbound|submission|local)", block, re.M):
            continue
        lists = "" if "list " in block else "list friends file:/x\nlist owners file:/x\n"
        yield f"sekisho.conf.5, literal block {number + 1}", lists + block.replace("\\e", "\\")


def main():
    documents = [("README", readme()), ("conf/sekisho.conf", read("conf/sekisho.conf"))] + list(examples())
    failed = 0
    with tempfile.NamedTemporaryFile() as empty:
        for name, text in documents:
            text = re.sub(r"file:\S+", "file:" + empty.name, text)
            done = subprocess.run([PROGRAM, "check", "-"], input=text, capture_output=True, text=True, timeout=30)
            if done.returncode != 0:
                print(f"FAILED {name}:\n{done.stdout}{done.stderr}")
                failed += 1
    print(f"{len(documents) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
