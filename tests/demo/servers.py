"""The mail servers of the demonstration: how each is started, how a client with any address comes to it, and what is
said of it. Those of the system tests, with less around them."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = os.path.join(os.path.dirname(HERE), "system")
sys.path.insert(0, SYSTEM)

import exim
import postfix
import sendmail
import smtp
import space

LAPTOP = ("192.0.2.99", "laptop.example")  # address and HELO of the clients of the submission service
CLIENTS = ("203.0.113.5", "198.51.100.66", LAPTOP[0])


def port(wanted):
    """The wanted port when it is free, else another one."""
    for number in (wanted, 0):
        with socket.socket() as s, socket.socket(type=socket.SOCK_DGRAM) as u:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", number))
                u.bind(("127.0.0.1", s.getsockname()[1]))
                return s.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("demo: no free port on 127.0.0.1")


class Postfix(postfix.Postfix):
    """On ports of 127.0.0.1 above 1024. Its clients get their addresses by XCLIENT."""

    title = "Postfix"
    address = "127.0.0.1"
    clients = "get their addresses by XCLIENT, so that SPF sees 203.0.113.5 and not 127.0.0.1"
    where = "all of it private and on 127.0.0.1"
    network = None  # the command that enters its network, if it has one of its own
    milter = True
    attach = """\
  main.cf:
  smtpd_milters = unix:sekisho/milter.sock
  non_smtpd_milters = $smtpd_milters
  milter_default_action = tempfail"""

    def __init__(self, directory):
        self.ports = {"mx": port(10025), "submission": port(10587), "smtps": port(10465)}
        milter = port(18891)
        self.listen = [f"inet:{milter}@127.0.0.1"]
        super().__init__(directory, f"inet:127.0.0.1:{milter}", start=False)

    @staticmethod
    def house():
        """The directory that everything lives in."""
        directory = tempfile.mkdtemp(prefix="sekisho-demo.", dir="/tmp")
        os.chmod(directory, 0o755)  # Postfix runs as another user and must get through
        return directory

    def configure(self):
        super().configure()
        conf = os.path.join(self.d, "conf")
        subprocess.run(["postconf", "-c", conf, "-e", "inet_interfaces=127.0.0.1", "inet_protocols=ipv4",
                        "smtpd_peername_lookup=no", "smtpd_tls_auth_only=yes"], check=True)
        with open(conf + "/master.cf") as f:
            services = f.read()
        for name, usual in (("mx", "25"), ("submission", "587"), ("smtps", "465")):
            services = re.sub(rf"^{usual} inet", f"127.0.0.1:{self.ports[name]} inet", services, flags=re.M)
        self.write("conf/master.cf", services)
        for name in ("main.cf", "master.cf"):  # Postfix waits until they are two seconds old
            os.utime(os.path.join(conf, name), (time.time() - 60,) * 2)

    def client(self, who, **options):
        """A client with that address and HELO name; without, one of the submission service."""
        client = smtp.Client(self, source="127.0.0.1", helo=(who or LAPTOP)[1], **options)
        if who:
            client.xclient(addr=who[0], name="[UNAVAILABLE]")
        return client

    def swaks(self, service, client):
        """The command and the options with which swaks comes from that address."""
        return f"swaks --server 127.0.0.1:{self.ports[service]}" + (f" --xclient-addr {client}" if client else "")


class Alone:
    """A mail server that knows no XCLIENT: it has a network of its own, where clients really have these addresses."""

    network = "nsenter -t {pid} -n"
    milter = True
    where = "all of it private and in a network of its own"
    clients = "have the addresses 203.0.113.5, 198.51.100.66 and 192.0.2.99 in that network"

    @classmethod
    def house(cls):
        return space.Space(addresses=(*CLIENTS, cls.address), prefix="sekisho-demo.").root

    def client(self, who, **options):
        address, helo = who or LAPTOP
        return smtp.Client(self, source=address, helo=helo, **options)

    def swaks(self, service, client):
        return f"swaks --server {self.address}:{self.ports[service]} --local-interface {client or LAPTOP[0]}"


class Sendmail(Alone, sendmail.Sendmail):
    title = "Sendmail"
    attach = """\
  sendmail.mc:
  INPUT_MAIL_FILTER(`sekisho', `S=unix:/run/sekisho/milter.sock, F=T, T=C:30s;S:30s;R:30s;E:5m')dnl"""

    def __init__(self, directory):
        self.listen = ["inet:18891@127.0.0.1"]
        super().__init__(directory, self.listen[0], start=False)

    def services(self, mc):
        return re.sub(r"^DAEMON_OPTIONS\(`Name=(?!MX,|MSA,).*\n", "", mc, flags=re.M)


class Exim(Alone, exim.Exim):
    title = "Exim"
    milter = False
    attach = """\
  the configuration of Exim: the lines of conf/exim.conf

  sekisho.conf:
  listen policy unix:/run/sekisho/policy.sock mode 0660 group Debian-exim
  listen rspamc unix:/run/sekisho/rspamc.sock mode 0660 group Debian-exim"""

    def __init__(self, directory):
        super().__init__(directory, start=False)
        self.listen = [f"{door} unix:{path} mode 0660 group {exim.USER}"
                       for door, path in (("rspamc", self.rspamc), ("policy", self.policy))]

    def services(self, text):
        text = re.sub(r"^local_interfaces = .*$", f"local_interfaces = {self.address}", text, flags=re.M)
        return re.sub(r"^disable_ipv6 = false$", "disable_ipv6 = true", text, flags=re.M)


SERVERS = {"postfix": Postfix, "sendmail": Sendmail, "exim": Exim}
