#!/usr/bin/python3
"""documents.py - the policies that a reader is shown are policies: `sekisho check` finds nothing wrong with them.

That of README, the default one in conf/, and the examples of sekisho.conf(5). The program is $SEKISHO, or
build/sekisho of the checkout.
"""
import json
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


# What stands in From, and whether the policy that is shipped takes it when neither SPF nor DMARC knows the domain.
AUTHORS = [
    ("Alice <alice@unknown.example>", True),
    ("alice@unknown.example, bob@unknown.example", True),
    ("alice@unknown.example, bob@other.example", False),
    ('"alice@unknown.example":;', False),
    ('"alice@unknown.example" <x@[192.0.2.1]>', False),
    ("alice@unknown.example <x@other.example>", False),
]


def wrong_authors():
    """Those that are not treated so."""
    command = [PROGRAM, "explain", "-c", os.path.join(CHECKOUT, "conf/sekisho.conf"), "--zone", "/dev/null", "--client",
               "192.0.2.1", "--sender", "a@unknown.example", "--recipient", "b@example.org", "--json", "-"]
    for author, taken in AUTHORS:
        done = subprocess.run(command, input=f"From: {author}\n\nHello.\n", capture_output=True, text=True, timeout=30)
        if (json.loads(done.stdout)["verdict"] == "accept") != taken:
            yield f"From: {author}\n{done.stdout}{done.stderr}"


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
    for wrong in wrong_authors():
        print(f"FAILED conf/sekisho.conf:\n{wrong}")
        failed += 1
    print(f"{len(documents) + len(AUTHORS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
