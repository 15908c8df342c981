#!/usr/bin/python3
"""documents.py - the policies that a reader is shown are policies: `sekisho check` finds nothing wrong with them.

That of README, the default one in conf/, the examples of sekisho.conf(5) and of sekisho-migrate(7), and the single rules
of the latter. The program is $SEKISHO, or build/sekisho of the checkout.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANUAL, MIGRATE = "filter/policy/sekisho.conf.5", "filter/sekisho-migrate.7"
PROGRAM = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build/sekisho")


def read(name):
    with open(os.path.join(CHECKOUT, name)) as f:
        return f.read()


def readme():
    """The indented lines below the heading "A policy"."""
    section = re.search(r"^A policy\n-+\n(.*?)^\S", read("README"), re.S | re.M).group(1)
    return re.sub(r"^    ", "", section, flags=re.M)


def lists(text):
    """An empty list for each name that the text asks for and does not define."""
    defined = re.findall(r"^list\s+(\S+)", text, re.M)
    wanted = set(re.findall(r"\bin ([a-z-]+)", text)) | {"owners"}
    return "".join(f"list {name} file:/x\n" for name in sorted(wanted.difference(defined)))


def plain(text):
    """mdoc as it reads."""
    return text.replace("\\(dq", '"').replace("\\e", "\\")


def examples(manual):
    """The literal blocks of a manual that hold a policy. They share their lists, which are empty here."""
    for number, block in enumerate(re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", read(manual), re.S | re.M)):
        if re.search(r"^policy (inbound|submission|local)", block, re.M):
            yield f"{manual}, literal block {number + 1}", lists(block) + plain(block)


def single_rules(manual):
    """The quoted rules of a manual, each in a policy of its own; `and not ...` is the end of one."""
    for rule in re.findall(r"^\.Ql ((?:reject|defer|accept) .*|and not .*)", read(manual), re.M):
        rule = re.sub(r" [.,;:]$", "", plain(rule))
        whole = "reject if spf is fail " + rule if rule.startswith("and") else rule
        yield f"{manual}: {rule}", lists(whole) + f"policy inbound {{ on message {{ {whole} }} }}\n"


# A From field, and whether the shipped policy accepts it when neither SPF nor DMARC knows the domain.
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


# Who brings mail of a domain that refuses all it has not authenticated (and the list: its own), and what becomes of it.
EXCEPTIONS = [
    ("203.0.113.5", "a@author.example", "accept", None),  # the domain's own host
    ("192.0.2.99", "a@author.example", "accept", "trusted_forwarder: 192.0.2.99"),
    ("192.0.2.98", "a@author.example", "reject", None),
    ("192.0.2.99", "a@mute.example", "accept", "trusted_forwarder: 192.0.2.99"),
    ("192.0.2.98", "a@mute.example", "defer", None),
    ("198.51.100.7", "bounce@list.example", "accept", "mailing_list: list.example"),
    ("192.0.2.98", "bounce@list.example", "reject", None),
]
ZONE = """author.example TXT "v=spf1 ip4:203.0.113.5 -all"
_dmarc.author.example TXT "v=DMARC1; p=reject"
list.example TXT "v=spf1 ip4:198.51.100.7 -all"
mute.example TXT TIMEOUT
"""


def with_exceptions(directory):
    """The shipped policy without the "#" that its comments name."""
    text = re.sub(r"^( *)#(list +(?:trusted|mailing)|override| {10,}and not)", r"\1\2", read("conf/sekisho.conf"), flags=re.M)
    for name, body in (("trusted-forwarders", "192.0.2.99\n"), ("mailing-lists", "list.example\n"), ("zone", ZONE),
                       ("policy", text.replace("/etc/sekisho", directory))):
        with open(os.path.join(directory, name), "w") as f:
            f.write(body)


def wrong_exceptions(directory):
    with_exceptions(directory)
    for client, sender, verdict, override in EXCEPTIONS:
        command = [PROGRAM, "explain", "-c", directory + "/policy", "--zone", directory + "/zone", "--client", client,
                   "--sender", sender, "--recipient", "b@example.org", "--json", "-"]
        done = subprocess.run(command, input="From: a@author.example\n\nHello.\n", capture_output=True, text=True, timeout=30)
        said = json.loads(done.stdout)
        reasons = [note["text"] for note in said.get("notes", []) if note["kind"] == "override"]
        if said["verdict"] != verdict or reasons != ([override] if override else []):
            yield f"{client} with {sender}: expected {verdict} and {override}\n{done.stdout}{done.stderr}"


def without_case():
    """Refusals of the shipped policy, also those that are comments, whose reply does not tell the case."""
    found = re.findall(r"^ *#?(?:try )?((?:reject|defer) .*)$", read("conf/sekisho.conf"), flags=re.M)
    assert len(found) > 15, found
    return [rule for rule in found if "(case %{case})" not in rule]


def main():
    documents = [("README", readme()), ("conf/sekisho.conf", read("conf/sekisho.conf")), *examples(MANUAL),
                 *examples(MIGRATE), *single_rules(MIGRATE)]
    failed = 0
    with tempfile.NamedTemporaryFile() as empty, tempfile.TemporaryDirectory() as scratch:
        key = os.path.join(scratch, "key")
        subprocess.run([PROGRAM, "genkey", "--type", "ed25519", "--out", key, "example.org", "s1"], check=True,
                       capture_output=True, timeout=30)
        for name, text in documents:
            text = re.sub(r"file:\S+", "file:" + empty.name, text)
            text = re.sub(r"\b(key|secret-file) /\S+", r"\1 " + key, text)
            text = re.sub(r"\bgroup (postfix|smmsp|Debian-exim)\b", "group root", text)  # the mail server need not be installed here
            done = subprocess.run([PROGRAM, "check", "-"], input=text, capture_output=True, text=True, timeout=30)
            if done.returncode != 0:
                print(f"FAILED {name}:\n{done.stdout}{done.stderr}")
                failed += 1
    for wrong in wrong_authors():
        print(f"FAILED conf/sekisho.conf:\n{wrong}")
        failed += 1
    for rule in without_case():
        print(f"FAILED conf/sekisho.conf: no case in: {rule}")
        failed += 1
    with tempfile.TemporaryDirectory() as scratch:
        for wrong in wrong_exceptions(scratch):
            print(f"FAILED conf/sekisho.conf with its exceptions: {wrong}")
            failed += 1
    print(f"{len(documents) + len(AUTHORS) + len(EXCEPTIONS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
