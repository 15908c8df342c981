"""What the mail servers have in common for a test: addresses and ports, delivered mail; and those that are unpacked, not
installed."""
import email
import email.policy
import os
import re
import time

WAIT = 30  # seconds: a delivery takes 0.1 s on an idle machine
HERE = os.path.dirname(os.path.abspath(__file__))


def in_tree():
    """Are these files in the source tree, and not a copy that somebody else's tests use?"""
    return os.path.exists(os.path.join(HERE, "../../configure.ac"))


def shipped(name=""):
    """The path of a file of conf/. SYSTEM names tests/system of the source tree for copies of these files."""
    return os.path.abspath(os.path.join(HERE if in_tree() else os.environ.get("SYSTEM", HERE), "../../conf", name))


def wait_for(what, seconds=WAIT, every=0.02):
    """The first true value of what(), or None."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            return None
        time.sleep(every)


class Delivered:
    """One delivered message: raw bytes and the parsed form."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as f:
            self.raw = f.read()
        self.message = email.message_from_bytes(self.raw, policy=email.policy.compat32)

    def fields(self, name):
        """Values of all fields of that name, unfolded."""
        return [" ".join(str(value).split()) for value in self.message.get_all(name, [])]

    def field(self, name):
        values = self.fields(name)
        assert len(values) == 1, f"{name}: {values} in\n{self.raw.decode('latin-1')}"
        return values[0]

    def names(self):
        return [name for name, value in self.message.items()]

    def body(self):
        return self.raw.split(b"\n\n", 1)[1]


class Mta:
    name = None        # "postfix", "sendmail"
    address = None
    address6 = None
    ports = {"mx": 25, "submission": 587, "smtps": 465}
    inbox = None       # directory of delivered messages

    def find(self, token):
        """All delivered messages that hold the token."""
        found = []
        for name in sorted(os.listdir(self.inbox)):
            path = os.path.join(self.inbox, name)
            with open(path, "rb") as f:
                if token.encode() in f.read():
                    found.append(Delivered(path))
        return found

    def delivered(self, token, copies=1):
        """The delivered message with the token; waits until each recipient has its copy."""
        found = wait_for(lambda: [self.find(token)] if len(self.find(token)) >= copies else None)
        assert found, f"{self.name} did not deliver {token}\n{self.tail()}"
        assert len(found[0]) == copies, f"{self.name} delivered {len(found[0])} messages with {token}"
        return found[0][0]

    def tail(self):
        """The end of the log of the mail server, for a failed test."""
        try:
            with open(self.log, "rb") as f:
                return b"".join(f.readlines()[-30:]).decode(errors="replace")
        except OSError:
            return ""

    def queued(self, queue_id):
        """True while the log knows the queue id."""
        with open(self.log, errors="replace") as f:
            return re.search(r"\b%s\b" % re.escape(queue_id), f.read()) is not None


def unpacked_root(name):
    """Where get-package.sh puts the mail server of that name."""
    built = os.path.dirname(os.environ.get("SEKISHO") or os.path.join(HERE, "../../build/sekisho"))
    return os.environ.get(f"SEKISHO_{name.upper()}_ROOT") or os.path.join(os.path.abspath(built), "tests", name)


class Unpacked(Mta):
    """One whose package conflicts with that of Postfix: get-package.sh unpacks it into `root`."""
    root = program = None

    def start(self):
        started = self.run("-bd", "-q30m")
        if started.returncode != 0 or not wait_for(self.pid):
            raise RuntimeError(f"{self.name} does not start: {started.stdout}{started.stderr}{self.tail()}")

    @classmethod
    def why_not(cls):
        """Why there is none, or None."""
        if not os.access(cls.program, os.X_OK):
            return (f"{cls.name.capitalize()} is not unpacked in {cls.root} (get-package.sh {cls.name} DIR does it, "
                    f"SEKISHO_{cls.name.upper()}_ROOT=DIR names it)")
        return None

    @classmethod
    def libraries(cls):
        """Where get-package.sh put libraries that the machine lacks; mostly nowhere."""
        found = []
        for base in ("usr/lib", "lib"):
            for directory, _, names in os.walk(os.path.join(cls.root, base)):
                if any(".so." in name for name in names):
                    found.append(directory)
        return ":".join(found)

    def pid(self):
        try:
            with open(f"{self.d}/{self.name}.pid") as f:
                return int(f.readline())
        except (OSError, ValueError):
            return None
