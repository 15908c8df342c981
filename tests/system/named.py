"""A name server with dynamic updates: BIND's named (packages bind9, bind9-dnsutils), primary of one zone; all other questions go to
the server of nameserver.py. For the tests of keys that change."""
import os
import shutil
import subprocess

import dns.message
import dns.query
import dns.rcode

from mta import wait_for

PORT = 5354
CONFIG = """
options {{
    directory "{directory}"; pid-file none; session-keyfile none; lock-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion yes; allow-recursion {{ 127.0.0.0/8; }}; forwarders {{ 127.0.0.1 port 53; }}; forward only;
    dnssec-validation no; empty-zones-enable no; notify no;
}};
controls {{ }};
include "{directory}/tsig";
zone "{zone}" {{ type primary; file "{directory}/zone"; allow-update {{ key "keys"; }}; }};
"""
ZONE = "$TTL 2\n@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 1\n@ NS ns.{zone}.\nns A 127.0.0.1\n"


def find(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def why_not():
    missing = [name for name in ("named", "nsupdate", "tsig-keygen") if not find(name)]
    return f"{' and '.join(missing)} of BIND: packages bind9, bind9-dnsutils" if missing else None


class Named:
    def __init__(self, directory, zone):
        self.directory, self.zone = str(directory), zone
        os.makedirs(self.directory, exist_ok=True)
        self.tsig = self.write("tsig", subprocess.run([find("tsig-keygen"), "keys"], capture_output=True, text=True, check=True).stdout)
        self.write("zone", ZONE.format(zone=zone))
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def __enter__(self):
        config = self.write("named.conf", CONFIG.format(directory=self.directory, zone=self.zone, port=PORT))
        with open(os.path.join(self.directory, "log"), "w") as log:
            self.process = subprocess.Popen([find("named"), "-g", "-n", "1", "-c", config], stdout=log, stderr=log)
        if not wait_for(self.answers, seconds=30):
            self.process.kill()
            with open(os.path.join(self.directory, "log")) as log:
                raise RuntimeError("named does not answer: " + log.read())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=15)

    def ask(self, name, kind="TXT"):
        """The texts of a record, joined."""
        answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=PORT, timeout=2)
        return [b"".join(data.strings).decode() for rrset in answer.answer for data in rrset] if kind == "TXT" else answer

    def answers(self):
        try:
            return self.process.poll() is None and self.ask(self.zone, "SOA").rcode() == dns.rcode.NOERROR
        except (dns.exception.Timeout, OSError):
            return False

    def environment(self, ttl):
        """For the hook conf/sekisho-nsupdate."""
        path = os.environ.get("PATH", "") + ":" + os.path.dirname(find("nsupdate"))
        return {"PATH": path, "SEKISHO_DNS_SERVER": f"127.0.0.1 {PORT}", "SEKISHO_DNS_KEY": self.tsig, "SEKISHO_DNS_TTL": str(ttl)}
