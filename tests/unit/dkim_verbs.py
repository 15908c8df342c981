#!/usr/bin/python3
"""dkim_verbs.py - genkey, lookup dkim, verify, and signing by `explain`, as an administrator uses them.

Prints what fails and, last, the count; exits 1 when something does. The program is $SEKISHO, or build/sekisho.
"""
import json
import os
import stat
import subprocess
import sys
import tempfile

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho"))
MESSAGE = "From: a@example.org\nTo: b@example.net,c@example.net\nSubject: hello\n\nHello.\n"
POLICY = """authserv-id mx.example.org
sign example.org { selector s1 key s1.example.org.pem  selector e1 key e1.example.org.pem }
policy inbound { on message { sign } }
"""
results = {True: 0, False: 0}


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)


def check(what, holds, *shown):
    results[bool(holds)] += 1
    if not holds:
        print("FAILED", what, *shown)


def make_keys():
    zone = ""
    for selector, kind in ("s1", "rsa2048"), ("e1", "ed25519"):
        made = run("genkey", "example.org", selector, "--type", kind)
        check("genkey makes a key", made.returncode == 0, made.stderr)
        file = selector + ".example.org.pem"
        check("nobody else can read it", stat.S_IMODE(os.stat(file).st_mode) == 0o600)
        again = run("genkey", "example.org", selector, "--type", kind)
        check("an existing key is never touched", again.returncode == 69 and "File exists" in again.stderr, again.stderr)
        check("no string of the record is too long", all(len(s) <= 255 for s in made.stdout.split('"')[1::2]))
        zone += made.stdout
    with open("zone", "w", encoding="ascii") as f:
        f.write(zone)
    check("a wrong type is told", run("genkey", "example.org", "x", "--type", "dsa").returncode == 64)
    check("a wrong domain is told", run("genkey", "-.org", "x").returncode == 64)


def look_up():
    for selector, key, code, matches in ("s1", "s1", 0, True), ("e1", "e1", 0, True), ("s1", "e1", 1, False):
        found = run("lookup", "--zone", "zone", "--json", "--key", key + ".example.org.pem", "dkim", "example.org", selector)
        answer = json.loads(found.stdout)
        check("lookup dkim says whether the key belongs to it", found.returncode == code and answer["matches"] is matches,
              found.stdout)
        check("lookup dkim finds it usable", answer["result"] == "pass")
    found = run("lookup", "--zone", "zone", "--json", "dkim", "example.org", "none")
    with open("zone", encoding="ascii") as f:
        keys = f.read()
    with open("several", "w", encoding="ascii") as f:
        f.write('s1._domainkey.example.org TXT "verification=abc"\n' + keys + keys.replace("e1._", "s1._"))
    look = ["lookup", "--zone", "several", "--key", "e1.example.org.pem", "dkim", "example.org", "s1"]
    done, answer = run(*look), json.loads(run(*look, "--json").stdout)
    check("lookup dkim shows every record", done.returncode == 0 and
          [r["result"] for r in answer["records"]] == ["none", "pass", "pass", "pass"] and answer["type"] == "ed25519" and
          all(text in done.stdout for text in ("verification=abc", "k=rsa", "k=ed25519", "it is not a key record")), done.stdout)
    check("lookup dkim finds no key", found.returncode == 1 and json.loads(found.stdout)["result"] == "permerror")


def signed(message=MESSAGE):
    """The message as `explain` says that it would leave."""
    with open("policy", "w", encoding="ascii") as f:
        f.write(POLICY)
    with open("message", "w", encoding="ascii", newline="") as f:
        f.write(message)
    done = run("explain", "-c", "policy", "--zone", "zone", "--client", "192.0.2.1", "--sender", "a@example.org", "message")
    fields, lines = [], []
    for line in done.stdout.splitlines():
        if line.startswith("  insert   DKIM-Signature:"):
            lines = [line[len("  insert   "):]]
            fields.append(lines)
        elif line.startswith("              ") and lines:
            lines.append("\t" + line.strip())
        else:
            lines = []
    check("explain shows two signatures", len(fields) == 2, done.stdout, done.stderr)
    return "".join("\n".join(lines) + "\n" for lines in fields) + message.replace(",", ", ")


def verify(text):
    for name, content in ("good", text), ("bad", text.replace("Hello", "Hullo")), ("none", MESSAGE), \
            ("mailbox", "From a\n" + text + "\nFrom b\n" + MESSAGE + "\nFrom c\n" + text):
        with open(name, "w", encoding="ascii") as f:
            f.write(content)
    done = run("verify", "--zone", "zone", "--json", "good")
    answer = json.loads(done.stdout)
    check("what was signed passes", done.returncode == 0 and answer["dkim"] == "pass" and answer["file"] == "good", done.stdout)
    check("each signature has its result", sorted((s["selector"], s["result"], s["domain"], s["algorithm"], s["reason"])
                                                  for s in answer["signatures"]) == [
        ("e1", "pass", "example.org", "ed25519-sha256", ""), ("s1", "pass", "example.org", "rsa-sha256", "")], done.stdout)
    done = run("verify", "--zone", "zone", "--json", "bad")
    check("what was changed fails", done.returncode == 1 and json.loads(done.stdout)["dkim"] == "fail", done.stdout)
    done = run("verify", "--zone", "zone", "--json", "mailbox")
    check("a mailbox is read message by message",
          [json.loads(line)["dkim"] for line in done.stdout.splitlines()] == ["pass", "none", "pass"], done.stdout)
    check("without a signature it is none", "none: none" in run("verify", "--zone", "zone", "none").stdout)
    check("a file that is not there is told", run("verify", "--zone", "zone", "nothing").returncode == 66)
    check("a message is needed", run("verify").returncode == 64)
    for command, word in ("verify", "-x.eml"), ("genkey", "-y"), ("explain", "-a@example.org"), ("status", "-xc"), \
            ("reload", "--jason"), ("daemon", "-x"):
        told = run(command, "a", word).stderr
        check("the word that is not an option is named", told.startswith("sekisho %s: %s is not" % (command, word)), told)
    check("a wrong engine is told", run("verify", "--engine", "other", "good").returncode == 64)
    return run("verify", "--engine", "compare", "--zone", "zone", "good")


def engines(compared):
    """Both engines in a policy, where both are built in."""
    if compared.returncode == 69:
        print("built without libopendkim: the engine is native")
        return
    # Nobody can know what it makes of a bare CR, so that its word about such a body does not count.
    with open("odd", "w", encoding="ascii", newline="") as f:
        f.write(signed(MESSAGE + "one\rtwo\n"))
    done = run("verify", "--engine", "compare", "--zone", "zone", "odd")
    check("a disagreement is in the text", "(libopendkim disagrees: cannot verify)" in done.stdout, done.stdout)
    check("the engines agree", "disagrees" not in compared.stdout and compared.returncode == 0, compared.stdout)
    for engine in "native", "libopendkim", "compare":
        with open("policy", "w", encoding="ascii") as f:
            f.write("dkim { engine %s }\npolicy inbound { on message { log \"%%{dkim} (%%{dkim.libopendkim})\" } }\n" % engine)
        for name, result in ("good", "pass"), ("bad", "fail"):
            done = run("explain", "-c", "policy", "--zone", "zone", "--client", "192.0.2.1", "--sender", "a@example.org", name)
            check("dkim { engine %s }" % engine, "%s ()" % result in done.stdout, done.stdout, done.stderr)


HOOK = '''#!/bin/sh
echo "$1 $2 $3" >>calls
[ ! -e broken ] || exit 3
grep -v "^$3 " changing >changing.new
[ "$1" = remove ] || echo "$3 TXT \\"$4\\"" >>changing.new
mv changing.new changing
'''
CHANGING = '''authserv-id mx.example.org
resolver { zone changing }
sign example.org { rotate 90d  keys keys  type ed25519 }
sign example.net { rotate 90d  keys keys  type ed25519 }
policy inbound { on message {
  sign
  arc-seal example.net
} }
'''


def keys(*words):
    return run("keys", "-c", "changing.conf", *words)


def states(*words):
    shown = keys("--json", *words)
    return shown.returncode, {o["domain"]: [(k["state"], k["published"], k["signs"]) for k in o["keys"]] for o in json.loads(shown.stdout)}


def explained():
    return run("explain", "-c", "changing.conf", "--client", "192.0.2.1", "--sender", "a@example.org", "none").stdout


def change():
    # Keys that change: sekisho keys, and who signs.
    for name, text, mode in ("changing", "", 0o644), ("changing.conf", CHANGING, 0o644), ("hook", HOOK, 0o755):
        with open(name, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(name, mode)
    told = run("check", "changing.conf")
    check("a domain without a key is told once", told.returncode == 0 and "example.net, as other domains, has no key in keys yet, so "
          "it is not signed; make one: sekisho keys rotate example.net" in told.stderr + told.stdout, told.stderr)
    check("nothing is there", states() == (1, {"example.net": [], "example.org": []}), states())
    check("without a key mail is not signed", "no key of example.org has been in the DNS for long enough" in explained(), explained())
    made = keys("rotate", "example.org")
    check("rotate prints the record", made.returncode == 0 and "._domainkey.example.org. IN TXT \"v=DKIM1; k=ed25519; p=" in made.stdout)
    check("and the same again", keys("rotate", "example.org").stdout == made.stdout)
    check("of a domain with such keys", keys("rotate", "example.com").returncode == 64)
    check("of one domain", keys("rotate").returncode == 64 and keys("run").returncode == 64)
    check("only the owner can read it", {stat.S_IMODE(os.stat(os.path.join(*p)).st_mode) for p in (
        ("keys",), ("keys", "example.org"))} == {0o700})
    check("it waits", states("example.org") == (1, {"example.org": [("waits", "no", False)]}), states("example.org"))
    open("broken", "w", encoding="ascii").close()
    done = keys("run", "--hook", "./hook")
    check("a hook that fails is told", done.returncode == 69 and "failed with exit code 3" in done.stderr, done.stderr)
    check("a hook that is missing is told", keys("run", "--hook", "./nothing").returncode == 69)
    os.unlink("broken")
    done = keys("run", "--hook", "./hook")
    check("run publishes", done.returncode == 0, done.stderr)
    check("what is published waits to be seen", states()[1]["example.org"] == [("waits", "yes", False)], states())
    done = keys("run", "--hook", "./hook")
    check("run sees it", done.returncode == 0 and "of example.org is in the DNS" in done.stderr, done.stderr)
    check("then it signs", states() == (0, {d: [("signs", "yes", True)] for d in ("example.net", "example.org")}), states())
    said = explained()
    check("and seals", "signed: d=example.org s=" in said and "sealed: i=1 d=example.net s=" in said, said)
    with open("calls", encoding="ascii") as f:
        calls = f.read()
    done = keys("run", "--hook", "./hook")
    with open("calls", encoding="ascii") as f:
        check("a run with nothing to do calls nobody", done.returncode == 0 and f.read() == calls)
    check("text says the same", "  signs\n" in keys().stdout, keys().stdout)


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        make_keys()
        look_up()
        engines(verify(signed()))
        change()
        os.chdir("/")
    print("%d passed, %d failed" % (results[True], results[False]))
    return 1 if results[False] else 0


if __name__ == "__main__":
    sys.exit(main())
