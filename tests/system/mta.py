"""What Postfix and Sendmail have in common for a test: addresses and ports, delivered mail, held mail."""
import email
import email.policy
import os
import time

WAIT = 10  # seconds: a delivery takes 0.1 s on an idle machine
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
