"""A DNS of our own: a root, a top-level domain and authoritative servers (nsd), signed with DNSSEC (ldnsutils), one of them
lame. Everything is on loopback addresses of the namespace, on port 53."""
import os
import shutil
import subprocess

from mta import wait_for
import sekisho

ROOT, TLD, AUTH, OTHER, DEAD = "127.0.53.1", "127.0.53.2", "127.0.53.3", "127.0.53.4", "127.0.53.99"
SOA = "3600 IN SOA ns.zz. root.zz. 1 3600 600 86400 60\n"

# What each server has: zones with their texts. "DS:name" is replaced by the DS records of a zone, which is then signed.
ZONES = {
    ROOT: {".": f". {SOA}. 3600 IN NS a.root.\na.root. 3600 IN A {ROOT}\n"
                f"zz. 1800 IN NS ns.zz.\nns.zz. 1800 IN A {TLD}\nDS:zz.\n"},
    TLD: {"zz.": f"zz. {SOA}zz. 1800 IN NS ns.zz.\nns.zz. 1800 IN A {TLD}\n"
                 f"good.zz. 900 IN NS ns1.good.zz.\nns1.good.zz. 900 IN A {AUTH}\nDS:good.zz.\n"
                 "plain.zz. 900 IN NS ns1.good.zz.\nother.zz. 900 IN NS ns2.good.zz.\n"
                 f"lame.zz. 900 IN NS ns2.lame.zz.\nlame.zz. 900 IN NS ns1.lame.zz.\n"
                 f"ns1.lame.zz. 900 IN A {AUTH}\nns2.lame.zz. 900 IN A {OTHER}\nDS:lame.zz.\n"
                 f"differ.zz. 900 IN NS ns1.differ.zz.\ndiffer.zz. 900 IN NS ns2.differ.zz.\n"
                 f"ns1.differ.zz. 900 IN A {AUTH}\nns2.differ.zz. 900 IN A {OTHER}\n"
                 f"bogus.zz. 900 IN NS ns1.good.zz.\n"
                 "bogus.zz. 900 IN DS 12345 13 2 " + "00" * 32 + "\n"
                 f"dead.zz. 900 IN NS ns.dead.zz.\nns.dead.zz. 900 IN A {DEAD}\n"
                 "one.zz. 900 IN NS ns.two.zz.\ntwo.zz. 900 IN NS ns.one.zz.\n"},
    AUTH: {"good.zz.": f"good.zz. {SOA}good.zz. 600 IN NS ns1.good.zz.\nns1.good.zz. 600 IN A {AUTH}\nns2.good.zz. 600 IN A {OTHER}\n"
                       'good.zz. 300 IN TXT "v=spf1 a -all"\ngood.zz. 300 IN A 192.0.2.1\ngood.zz. 300 IN MX 10 mx.good.zz.\n'
                       f"mx.good.zz. 300 IN A {DEAD}\n_25._tcp.mx.good.zz. 300 IN TLSA 3 1 1 {'ab' * 32}\n"
                       "www.good.zz. 300 IN CNAME www.other.zz.\nloop.good.zz. 300 IN CNAME loop.plain.zz.\n",
           "plain.zz.": f"plain.zz. {SOA}plain.zz. 600 IN NS ns1.good.zz.\n"
                        "loop.plain.zz. 300 IN CNAME loop.good.zz.\n",
           "lame.zz.": f"lame.zz. {SOA}lame.zz. 600 IN NS ns1.lame.zz.\nlame.zz. 600 IN NS ns2.lame.zz.\n"
                       f'ns1.lame.zz. 600 IN A {AUTH}\nns2.lame.zz. 600 IN A {OTHER}\nlame.zz. 300 IN TXT "v=spf1 -all"\n',
           "differ.zz.": f"differ.zz. {SOA}differ.zz. 600 IN NS ns1.differ.zz.\ndiffer.zz. 300 IN A 192.0.2.3\n",
           "bogus.zz.": f'bogus.zz. {SOA}bogus.zz. 600 IN NS ns1.good.zz.\nbogus.zz. 300 IN TXT "v=spf1 +all"\n'},
    OTHER: {"other.zz.": f"other.zz. {SOA}other.zz. 600 IN NS ns2.good.zz.\nwww.other.zz. 200 IN A 192.0.2.2\n",
            "differ.zz.": f"differ.zz. {SOA}differ.zz. 600 IN NS ns1.differ.zz.\ndiffer.zz. 300 IN A 192.0.2.4\n"},
}
SIGNED = ["good.zz.", "lame.zz.", "zz.", "."]  # children first: their DS records go into their parents


def why_not():
    for program, package in (("nsd", "nsd"), ("ldns-signzone", "ldnsutils"), ("ldns-keygen", "ldnsutils")):
        if not shutil.which(program):
            return f"{program} is missing (package {package})"
    return None


class PrivateDns:
    def __init__(self, directory):
        os.makedirs(directory, mode=0o755, exist_ok=True)
        self.d = directory
        self.processes = []
        self.ds = {}
        for zone in SIGNED:
            self.sign(zone)
        for server, zones in ZONES.items():
            self.serve(server, zones)
        self.hints = self.write("hints", f". 3600 NS a.root.\na.root. 3600 A {ROOT}\n")
        self.anchor = self.write("anchor", self.ds["."])
        for server in ZONES:
            wait_for(lambda: sekisho.run("lookup", "--resolver", server, "mx", "good.zz").returncode in (0, 1))

    def write(self, name, text):
        path = os.path.join(self.d, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def run(self, *command):
        return subprocess.run(command, cwd=self.d, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def text(self, server, zone):
        text = ZONES[server][zone]
        for name, ds in self.ds.items():
            text = text.replace(f"DS:{name}\n", ds)
        return text

    def name(self, server, zone):
        return f"{server}-{zone.rstrip('.') or 'root'}"

    def sign(self, zone):
        server = next(server for server, zones in ZONES.items() if zone in zones)
        name = self.name(server, zone)
        self.write(name, self.text(server, zone))
        key = self.run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone)
        self.ds[zone] = self.run("ldns-key2ds", "-n", "-2", key + ".key") + "\n"
        self.run("ldns-signzone", "-o", zone, name, key)

    def serve(self, server, zones):
        text = f"server:\n ip-address: {server}\n zonesdir: \"{self.d}\"\n database: \"\"\n username: \"\"\n chroot: \"\"\n" \
               f" pidfile: \"{self.d}/{server}.pid\"\n xfrdfile: \"\"\n zonelistfile: \"{self.d}/{server}.list\"\n" \
               f" logfile: \"{self.d}/{server}.log\"\n xfrdir: \"{self.d}\"\n server-count: 1\n do-ip6: no\n" \
               "remote-control:\n control-enable: no\n"
        for zone in zones:
            name = self.name(server, zone)
            if zone not in SIGNED:
                self.write(name, self.text(server, zone))
            text += f"zone:\n name: \"{zone}\"\n zonefile: \"{name}{'.signed' if zone in SIGNED else ''}\"\n"
        self.processes.append(subprocess.Popen(["nsd", "-d", "-c", self.write(server + ".conf", text)],
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=10)
