"""The DNS server of the tests: dnsd.py with the zone beside this file, on 127.0.0.1 port 53."""
import os
import shutil
import subprocess
import sys

from mta import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "dnsd.py")


def why_not():
    """Why there is no DNS server, or None."""
    return None if os.path.exists(PROGRAM) else f"{PROGRAM} is missing"


class Server:
    def __init__(self, directory):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        self.zone = os.path.join(directory, "zone")
        self.log = os.path.join(directory, "log")
        shutil.copyfile(os.path.join(HERE, "zone"), self.zone)
        self.process = None
        if os.path.exists(PROGRAM):
            self.process = subprocess.Popen([sys.executable, PROGRAM, "127.0.0.1", "53", self.zone, self.log])

    def add(self, *lines):
        with open(self.zone, "a") as f:
            f.writelines(line + "\n" for line in lines)

    def reset(self):
        shutil.copyfile(os.path.join(HERE, "zone"), self.zone)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)
