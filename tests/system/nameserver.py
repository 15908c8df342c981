"""The DNS server of the tests: dnsd.py with the file `zone` beside this one, on 127.0.0.1 port 53."""
import importlib.util
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "dnsd.py")
ZONE = os.path.join(HERE, "zone")


def why_not():
    """Why there is no DNS server, or None."""
    if importlib.util.find_spec("dns") is None:
        return f"system tests need dnspython for {sys.executable} (package python3-dnspython)"
    return None


class Server:
    def __init__(self, directory):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        self.more = os.path.join(directory, "zone")     # what a test adds to the zone
        self.faults = os.path.join(directory, "faults")
        self.log = os.path.join(directory, "log")
        self.errors = os.path.join(directory, "stderr")
        self.process = None
        self.reset()
        self.start()

    def start(self):
        with open(self.errors, "a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, "--listen", "127.0.0.1@53", "--log", self.log, "--faults", self.faults,
                 "--negative-ttl", "1", ZONE, self.more], stdout=subprocess.PIPE, stderr=errors, text=True)
        if not self.process.stdout.readline().startswith("ready"):
            with open(self.errors) as errors:
                raise RuntimeError("the DNS server does not start: " + errors.read())

    def zone(self, *lines):
        """Adds lines to the zone until the end of the test. The server looks for changes at each question."""
        append(self.more, lines)

    def fault(self, *lines):
        """Adds faults, NAME TYPE FAULT ..., until the end of the test; dnsd.py says which there are."""
        for line in lines:
            assert re.fullmatch(r"[A-Z]+[0-9]*", line.split()[1]), f"{line}: not a type, so no question would fit"
        append(self.faults, lines)

    def reset(self):
        for path in (self.more, self.faults):
            open(path, "w").close()

    def asked(self, name, kind):
        """How many questions there were for that name and type."""
        with open(self.log) as f:
            return sum(f" {name}. {kind} " in line for line in f)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)
            self.process.stdout.close()
            self.process = None


def append(path, lines):
    with open(path, "a") as f:
        f.writelines(line + "\n" for line in lines)
