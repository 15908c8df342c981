#!/usr/bin/python3
"""srs_cases.py - `sekisho srs`, postsrsd and python3-srs write the same SRS addresses with the same secrets, and read those
of each other.

Hundreds of senders, made from a seed, are rewritten by all three; where another one writes something else, DIFFERENT has
the reason. What each writes is read back by the others. Then what only we do: an open secret file is refused, own domains
stay. Prints what is wrong and, last, the count; exits 1 when something is. postsrsd (package postsrsd) and SRS (package
python3-srs) are asked when they are there; a day may begin between two answers, so that the run is repeated then.
"""
import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

from corpora import summary, CHECKOUT

try:
    import SRS
except ImportError:
    SRS = None

PROGRAM = os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build", "sekisho")
POSTSRSD = shutil.which("postsrsd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
SECRET, SECOND, DOMAIN = "secretone", "an older secret, with blanks", "srs.example.net"

# What others write in another way, and why ours is right: a test of the sender.
DIFFERENT = {
    "postsrsd": [
        (lambda sender: sender.startswith('"'), "quotes inside of an atom (RFC 5321 4.1.2), or cut at the first @"),
        (lambda sender: re.match(r"SRS[01]([-+=]|@)", sender, re.I) and not whole(sender), "not a complete SRS address"),
    ],
    "python3-srs": [
        (lambda sender: re.match(r"SRS[01]([-+=]|@)", sender, re.I) and not whole(sender), "not a complete SRS address"),
    ],
}

failed = []


def case(name, ok, said=""):
    failed.append(not ok)
    if not ok:
        print(f"FAILED {name}: {said}")


def whole(sender):
    """A complete SRS0 address, or SRS1 of one."""
    inside = r"[-+=][A-Za-z0-9+/_-]{4,}=[A-Za-z2-7]{2}=[^=@]+=.+@"
    return bool(re.match(r"SRS0" + inside + r"|SRS1[-+=][^=]{4,}=[^=@]+=" + inside, sender, re.I))


def senders():
    source = random.Random(15)
    hosts = ["example.org", "Example.ORG", "a-b.example", "mail.sub.example.com", "x.test"]
    made = ["alice@example.org", "Alice.B@Example.ORG", "a=b@example.org", "SRS0=abcd=XX=example.org=al@other.test",
            "srs0+abcd=XX=example.org=al@other.test", "SRS1=abcd=o.test==hhhh=XX=example.org=al@third.test",
            "prvs=1791570377=al@example.org", '"a@b"@example.org', '"x y"@example.org', "SRS0=ab@example.org",
            "SRS1=abc@third.test", "\u00e9va@example.org"]
    letters = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$&'*+-/=?^_`{|}~"
    while len(made) < 400:
        local = "".join(source.choice(letters) for _ in range(source.randint(1, 25)))
        if source.random() < 0.3:
            local += "." + source.choice(("b", "List", "x=y"))
        if not local.upper().startswith("SRS"):
            made.append(local + "@" + source.choice(hosts))
    return made


# ---- the three -------------------------------------------------------------------------------------------------

class Sekisho:
    def __init__(self, directory, settings="", secrets=SECRET + "\n" + SECOND + "\n", mode=0o600):
        self.policy, path = os.path.join(directory, "policy"), os.path.join(directory, "secret")
        with open(path, "w") as f:
            f.write(secrets)
        os.chmod(path, mode)
        with open(self.policy, "w") as f:
            f.write(f"listen unix:{directory}/s\nsrs {{ domain {DOMAIN}  secret-file {path}  {settings} }}\n")

    def run(self, *arguments):
        return subprocess.run([PROGRAM, "srs", "-c", self.policy, *arguments], capture_output=True, text=True, timeout=60)

    def one(self, direction, address):
        return self.run("--", direction, address).stdout.strip() or None

    def all(self, direction, addresses):
        """What each becomes: one run for all, in which those that stay are told on standard error."""
        done = self.run("--", direction, *addresses)
        lines, left = iter(done.stdout.splitlines()), done.stderr.splitlines()
        stay = {line[len("sekisho srs: "):].rsplit(": ", 1)[0] for line in left}
        return {address: None if address in stay else next(lines) for address in addresses}


class Postsrsd:
    def __init__(self, directory):
        secret = os.path.join(directory, "postsrsd.secret")
        with open(secret, "w") as f:
            f.write(SECRET + "\n" + SECOND + "\n")
        ports = []
        with contextlib.ExitStack() as held:
            for _ in range(2):
                s = held.enter_context(socket.socket())
                s.bind(("127.0.0.1", 0))
                ports.append(s.getsockname()[1])
        self.process = subprocess.Popen([POSTSRSD, "-4", "-s" + secret, "-d" + DOMAIN, f"-f{ports[0]}", f"-r{ports[1]}"],
                                        stderr=subprocess.DEVNULL)
        self.files = {direction: self.connect(port) for direction, port in zip(("forward", "reverse"), ports)}

    @staticmethod
    def connect(port):
        for _ in range(100):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), timeout=20).makefile("rwb")
            time.sleep(0.05)
        raise RuntimeError("postsrsd does not listen")

    def one(self, direction, address):
        stream = self.files[direction]
        stream.write(b"get " + urllib.parse.quote(address, safe="@").encode() + b"\n")
        stream.flush()
        code, _, value = stream.readline().decode().strip().partition(" ")
        return urllib.parse.unquote(value) if code == "200" else None

    def all(self, direction, addresses):
        return {address: self.one(direction, address) for address in addresses}

    def stop(self):
        for stream in self.files.values():
            stream.close()
        self.process.terminate()
        self.process.wait(timeout=20)


class PySrs:
    def __init__(self):
        self.srs = SRS.new(secret=[SECRET, SECOND])
        self.srs.warn = lambda *text: None

    def one(self, direction, address):
        try:
            return self.srs.forward(address, DOMAIN) if direction == "forward" else self.srs.reverse(address)
        except (AssertionError, ValueError, KeyError, TypeError):
            return None

    def all(self, direction, addresses):
        return {address: self.one(direction, address) for address in addresses}


# ---- what must hold ------------------------------------------------------------------------------------------------

def compare(name, other, ours, everyone):
    theirs = other.all("forward", everyone)
    excused = 0
    for sender in everyone:
        reasons = [why for holds, why in DIFFERENT[name] if holds(sender)]
        excused += bool(reasons)
        case(f"{sender} of {name}", bool(reasons) or theirs[sender] == ours[sender], f"{theirs[sender]}, ours {ours[sender]}")
    print(f"{name}: {len(everyone)} senders, {excused} in another way by its design")
    return {sender: theirs[sender] for sender in everyone if theirs[sender] == ours[sender]}


def read_back(name, other, sekisho, written):
    """What both write, both read; changed in one letter, neither does."""
    originals = list(written)
    addresses = [written[sender] for sender in originals]
    ours, theirs = sekisho.all("reverse", addresses), other.all("reverse", addresses)
    for sender, address in zip(originals, addresses):
        case(f"{address} by {name}", ours[address] == theirs[address], f"{theirs[address]}, ours {ours[address]}")
        if not address.startswith("SRS1"):
            case(f"{address} back", ours[address] == sender, ours[address])
    forged = [re.sub(r'^("?SRS[01]=)(.)', lambda m: m.group(1) + "AB"[m.group(2) in "aA"], a) for a in addresses]
    ours, theirs = sekisho.all("reverse", forged), other.all("reverse", forged)
    for address in forged:
        case(f"{address} forged", ours[address] is None and theirs[address] is None, ours[address])
    for address in addresses[:20]:
        case(f"{address} in lower case", sekisho.one("reverse", address.lower()) == other.one("reverse", address.lower()))


def own_rules(directory):
    sekisho = Sekisho(directory)
    for sender in ("", f"me@{DOMAIN}", "alice", "a" * 60 + "@example.org"):
        done = sekisho.run("forward", sender)
        case(f"{sender} stays", done.returncode == 1 and not done.stdout and done.stderr, done)
    sekisho = Sekisho(directory, "longest-local-part 120")
    long = "a" * 60 + "@example.org"
    case("a longer local part", sekisho.one("reverse", sekisho.one("forward", long)) == long)
    with open(directory + "/own", "w") as f:
        f.write("example.org\n.example.com\n")
    sekisho = Sekisho(directory, "never-rewrite own")
    with open(sekisho.policy, "a") as f:
        f.write(f"list own file:{directory}/own\n")
    for sender, stays in (("a@example.org", True), ("a@sub.example.com", True), ("a@sub.example.org", False)):
        case(f"{sender} of an own domain", (sekisho.one("forward", sender) is None) == stays)
    for mode in (0o644, 0o640, 0o604):
        done = Sekisho(directory, mode=mode).run("forward", "alice@example.org")
        case(f"mode {mode:o}", done.returncode == 78 and "can be used by others" in done.stderr, done)
    for text, why in (("", "is empty"), ("\n\r\n", "is empty"), ("x" * 2000, "has a line of more than 1024 bytes")):
        done = Sekisho(directory, secrets=text).run("forward", "alice@example.org")
        case(why, done.returncode == 78 and why in done.stderr, done)
    done = Sekisho(directory, secrets="next\n" + SECRET + "\n")
    address = Sekisho(directory).one("forward", "alice@example.org")
    done = Sekisho(directory, secrets="next\n" + SECRET + "\n")
    case("a secret that is now the second", done.one("reverse", address) == "alice@example.org")
    done = Sekisho(directory, secrets="next\n")
    case("a secret that is gone", done.one("reverse", address) is None)
    for arguments in ((), ("forward",), ("sideways", "a@b.example"), ("--what", "forward", "a@b.example")):
        case(f"usage {arguments}", done.run(*arguments).returncode == 64)
    with open(done.policy, "w") as f:
        f.write("listen unix:/run/x\n")
    case("without srs", done.run("forward", "a@b.example").returncode == 78)


def main():
    skipped = 0
    day = None
    while day != int(time.time()) // 86400:
        day = int(time.time()) // 86400
        failed.clear()
        skipped = 0
        with tempfile.TemporaryDirectory() as directory:
            sekisho, everyone = Sekisho(directory), senders()
            ours = sekisho.all("forward", everyone)
            if SRS:
                read_back("python3-srs", PySrs(), sekisho, compare("python3-srs", PySrs(), ours, everyone))
            else:
                print("skipped: python3-srs is missing (package python3-srs on Debian and Ubuntu)")
                skipped += 1
            if POSTSRSD:
                postsrsd = Postsrsd(directory)
                try:
                    read_back("postsrsd", postsrsd, sekisho, compare("postsrsd", postsrsd, ours, everyone))
                finally:
                    postsrsd.stop()
            else:
                print("skipped: postsrsd is missing (package postsrsd)")
                skipped += 1
            own_rules(directory)
    return summary(failed.count(False), failed.count(True), skipped)


if __name__ == "__main__":
    sys.exit(main())
