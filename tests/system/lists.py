"""DNS lists as sites ask them: rbldnsd (Debian) serves them, BIND is the resolver that asks it."""
import os
import shutil
import subprocess
import time

import dns.message
import dns.query

from mta import wait_for

LIST_PORT, RESOLVER_PORT = 5353, 5300
SETTLE = 3  # seconds: a TTL of 1 passes through three caches, each of which may round it up

NAMED = """
options {{
    directory "{directory}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    dnssec-validation no;
    empty-zones-enable no;
    max-cache-ttl 1;
    max-ncache-ttl 1;
    servfail-ttl 0;
    forwarders {{ 127.0.0.1 port 53; }};
    forward only;
}};
controls {{ }};
{zones}
"""
ZONE = 'zone "{zone}" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {port}; }}; }};\n'


def find(program):
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")


def why_not():
    for program, package in (("rbldnsd", "rbldnsd"), ("named", "bind9")):
        if not find(program):
            return f"tests of DNS lists need {program} (package {package})"
    return None


def answers(port, name):
    try:
        dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=port, timeout=0.2)
        return True
    except (dns.exception.Timeout, OSError):
        return False


class Process:
    def begin(self, directory, name, command, question):
        self.errors = os.path.join(directory, name + ".stderr")
        with open(self.errors, "w") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        if not wait_for(lambda: answers(*question) or self.process.poll() is not None, seconds=30) or self.process.poll():
            with open(self.errors) as errors:
                raise AssertionError(f"{name} does not answer\n{errors.read()}")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None


class Rbldnsd(Process):
    """zones: {"bl.test": ("ip4set", "text")}. It looks for changed files every second."""

    def __init__(self, directory, zones):
        self.directory = os.path.join(directory, "rbldnsd")
        os.mkdir(self.directory, 0o755)
        self.zones = zones
        self.process = None
        for zone, (_, text) in zones.items():
            self.write(zone, text)
        self.start()

    def start(self):
        names = [f"{zone}:{kind}:{zone}" for zone, (kind, _) in self.zones.items()]
        self.begin(self.directory, "rbldnsd", [find("rbldnsd"), "-n", "-b", f"127.0.0.1/{LIST_PORT}", "-u", "nobody", "-c", "1",
                   "-t", "2", "-w", self.directory, *names], (LIST_PORT, next(iter(self.zones))))

    def write(self, zone, text):
        path = os.path.join(self.directory, zone)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def change(self, zone, text, name, listed):
        """Another content; waits until the resolver says so too."""
        self.write(zone, text)

        def changed():
            found = dns.query.udp(dns.message.make_query(f"{name}.{zone}", "A"), "127.0.0.1", port=RESOLVER_PORT, timeout=2)
            return bool(found.answer) == listed
        assert wait_for(changed, seconds=10, every=0.2)
        time.sleep(SETTLE)


class Named(Process):
    def __init__(self, directory, zones):
        self.directory = os.path.join(directory, "named")
        os.mkdir(self.directory, 0o755)
        path = os.path.join(self.directory, "named.conf")
        with open(path, "w") as f:
            f.write(NAMED.format(directory=self.directory, port=RESOLVER_PORT,
                                 zones="".join(ZONE.format(zone=zone, port=LIST_PORT) for zone in zones)))
        self.begin(self.directory, "named", [find("named"), "-g", "-c", path, "-n", "1"], (RESOLVER_PORT, "mail.example.net"))
