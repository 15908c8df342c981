"""The daemon that plays a file of scenarios (scenarios.py)."""
import json
import os
import re
import socket
import subprocess

import sekisho
from mta import wait_for
from scenarios import Left


class Host:
    """The daemon of a file: each door is a fresh one. Lists, zone and policy change as the scenario says."""

    def __init__(self, directory, engine):
        self.directory, self.engine = directory, engine
        os.makedirs(directory)
        self.zone, self.config, self.number, self.changed = [], "", 0, True
        self.daemon = None
        self.milter, self.policy, self.rspamc = (f"{directory}/{name}" for name in ("milter", "policy", "rspamc"))
        self.offset, self.records = 0, []

    def text(self):
        zone = f"{self.directory}/zone-{self.number}"
        with open(zone, "w") as f:
            f.write("\n".join(self.zone) + "\n")
        ours = f"""
listen milter unix:{self.milter} {"engine native" if self.engine == "native" else ""}
listen policy unix:{self.policy}
listen rspamc unix:{self.rspamc}
control {self.directory}/control
log file:{self.directory}/record
resolver {{ zone {zone} }}
"""
        store = "" if re.search(r"^store ", self.config, re.M) else "store memory:\n"
        return self.config + ours + store

    def change(self, step):
        self.changed = True
        if step.word == "config":
            self.config = step.block
        elif step.word == "zone":
            self.zone.append(step.rest)
        elif step.word == "clear-zone":
            self.zone = []
        elif step.word == "file":
            with open(os.path.join(self.directory, step.rest), "w") as f:
                f.write(step.block)
        else:
            os.unlink(os.path.join(self.directory, step.rest))

    def ready(self):
        """Before a session: the daemon has what the scenario says by now."""
        if not self.changed:
            return
        self.changed = False
        self.number += 1
        path = os.path.join(self.directory, "sekisho.conf")
        with open(path, "w") as f:
            f.write(self.text())
        if "dnsbl " in self.config:  # what a daemon has found out about a list, it believes for a minute
            self.stop()
        if not self.daemon:
            self.start(path)
            self.look_at_lists()
            return
        answer = self.control({"command": "reload"})
        assert answer["ok"], answer

    def look_at_lists(self):
        """The daemon tests each DNS list by itself; one that it has switched off is another scenario."""
        def states():
            return [one["state"] for one in self.control({"command": "status"}).get("dnsbl", {}).values()]
        if "dnsbl " in self.config and wait_for(lambda: "untested" not in states()) and "off" in states():
            raise Left("list switched off")

    def start(self, path):
        errors = open(os.path.join(self.directory, "stderr"), "w")
        self.daemon = subprocess.Popen([sekisho.PROGRAM, "daemon", "-c", path], cwd=self.directory, stdin=subprocess.DEVNULL,
                                       stdout=errors, stderr=errors)
        errors.close()
        done = wait_for(lambda: self.daemon.poll() is not None or sekisho.listening_unix(self.directory + "/control") and
                        all(map(sekisho.listening_unix, (self.milter, self.policy, self.rspamc))), seconds=15, every=0.005)
        with open(os.path.join(self.directory, "stderr")) as f:
            assert done and self.daemon.poll() is None, f.read()

    def control(self, request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.directory + "/control")
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def forget(self):
        """An empty store: what one case counts does not count in the next."""
        if not self.daemon:
            return
        answer = self.control({"command": "store-list", "prefix": "", "whole": False, "full": False})
        for first in {item["key"].split(":")[0] for item in answer.get("items", [])}:
            assert self.control({"command": "store-delete", "prefix": first})["ok"]

    def read_records(self, count):
        """All records, once there are so many."""
        def look():
            with open(os.path.join(self.directory, "record"), errors="replace") as f:
                f.seek(self.offset)
                lines = f.read()
            lines = lines[:lines.rfind("\n") + 1]
            self.offset += len(lines.encode("utf-8", "replace"))
            self.records += [r for r in map(json.loads, lines.splitlines()) if "verdict" in r]
            return len(self.records) >= count
        assert wait_for(look, seconds=5, every=0.002), f"{len(self.records)} records, and {count} messages have ended"
        return self.records

    def stop(self):
        if not self.daemon:
            return
        self.daemon.kill()
        self.daemon.wait()
        self.daemon = None
