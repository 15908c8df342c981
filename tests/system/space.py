"""The private world the tests live in: a network, mount, host name and process namespace of their own.

Inside, ports 25, 53, 465 and 587 are free, the addresses below are on the loopback interface, so that a
client really comes from a public address, and /etc/resolv.conf, /etc/hosts, /etc/nsswitch.conf and /dev are
ours. With the last process everything is removed; nothing of the machine outside was touched.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HOSTNAME = "mx.example.org"  # Sendmail waits a minute for a name without a dot

# Where the mail servers listen.
POSTFIX, POSTFIX6 = "192.0.2.25", "2001:db8:25::25"
SENDMAIL, SENDMAIL6 = "192.0.2.26", "2001:db8:25::26"
EXIM, EXIM6 = "192.0.2.27", "2001:db8:25::27"

# Where clients come from.
GOOD = "203.0.113.5"      # the SPF records of the zone let it pass
BAD = "198.51.100.7"      # they do not
GOOD6 = "2001:db8::5"
TRUSTED = "192.0.2.99"    # in the trusted networks of every policy here

ADDRESSES = [POSTFIX, SENDMAIL, EXIM, GOOD, BAD, TRUSTED, POSTFIX6, SENDMAIL6, EXIM6, GOOD6]

MARK = "SEKISHO_TEST_SPACE"  # holds the name of the network namespace outside
UNSHARE = ["unshare", "-n", "-m", "-u"]
UNSHARE_PID = UNSHARE + ["-p", "--fork", "--kill-child", "--mount-proc"]


def inside():
    """True within the namespace. The mark alone is not enough: the network must be another one."""
    return MARK in os.environ and os.environ[MARK] != os.readlink("/proc/self/ns/net")


def works(command):
    try:
        return subprocess.run(command + ["true"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def why_not():
    """Why the tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "system tests need root (mail servers change users, which a user namespace does not allow)"
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("openssl", "openssl"),
                             ("saslpasswd2", "sasl2-bin")):
        if not shutil.which(program):
            return f"system tests need {program} (package {package})"
    if not works(UNSHARE):
        return "system tests need namespaces: unshare -n -m -u is not allowed here"
    return None


def enter(command):
    """Replaces this process by the command inside the namespaces; does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(UNSHARE[0], UNSHARE + command, marked())


def marked():
    """The environment of what runs inside."""
    return dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **{MARK: os.readlink("/proc/self/ns/net")})


def enter_pytest(arguments):
    """Replaces this process by pytest inside the namespaces, and in one of processes if that works; does not return."""
    command = UNSHARE_PID if works(UNSHARE_PID) else UNSHARE
    sys.stdout.flush()
    sys.stderr.flush()
    # The shell is process 1 and takes the dead children of others.
    os.execvpe(command[0], command + ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "pytest",
                                      "-p", "no:cacheprovider"] + list(arguments), marked())


def run(*command):
    subprocess.run(command, check=True, timeout=20)


def bind(source, target):
    run("mount", "--bind", source, target)


class Space:
    """What the namespace contains; one for the whole run."""

    def __init__(self, addresses=ADDRESSES, prefix="sekisho-system."):
        self.addresses = addresses
        self.root = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
        os.chmod(self.root, 0o755)  # mail servers run as other users and must get through
        self.syslog = os.path.join(self.root, "syslog")
        run("mount", "--make-rprivate", "/")
        self.network()
        self.names()
        self.devices()

    def network(self):
        run("ip", "link", "set", "lo", "up")
        for address in self.addresses:
            if ":" in address:
                run("ip", "addr", "add", address + "/128", "dev", "lo", "nodad")
            else:
                run("ip", "addr", "add", address + "/32", "dev", "lo")
        run("hostname", HOSTNAME)

    def names(self):
        for name, text in (("resolv.conf", "nameserver 127.0.0.1  # a comment: the test\noptions timeout:1 attempts:1\n"),
                           ("hosts", f"127.0.0.1 localhost\n::1 localhost\n{POSTFIX} {HOSTNAME} mx\n"),
                           ("nsswitch.conf", "hosts: files dns\npasswd: files\ngroup: files\nservices: files\n")):
            path = os.path.join(self.root, name)
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o644)
            if not os.path.exists("/etc/" + name):
                raise RuntimeError(f"/etc/{name} is missing on this machine; make an empty one")
            bind(path, os.path.realpath("/etc/" + name))

    def devices(self):
        """A /dev of our own, because syslog(3) speaks to /dev/log and nowhere else."""
        dev = os.path.join(self.root, "dev")
        os.mkdir(dev)
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", dev)
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            open(os.path.join(dev, name), "w").close()
            bind("/dev/" + name, os.path.join(dev, name))
        for name in ("pts", "shm"):
            os.mkdir(os.path.join(dev, name))
            if os.path.isdir("/dev/" + name):
                bind("/dev/" + name, os.path.join(dev, name))
        for name, to in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"),
                         ("ptmx", "pts/ptmx")):
            os.symlink(to, os.path.join(dev, name))
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind(os.path.join(dev, "log"))
        os.chmod(os.path.join(dev, "log"), 0o666)
        run("mount", "--move", dev, "/dev")
        threading.Thread(target=self.keep_syslog, args=(log,), daemon=True).start()

    def keep_syslog(self, log):
        with open(self.syslog, "ab", buffering=0) as f:
            while True:
                f.write(log.recv(65536).rstrip(b"\n\0") + b"\n")

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


def certificate(directory):
    """A key and a certificate of HOSTNAME in the directory: (certificate, key)."""
    key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-subj", "/CN=" + HOSTNAME, "-addext", f"subjectAltName=DNS:{HOSTNAME}",
                    "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=60)
    os.chmod(key, 0o600)
    os.chmod(cert, 0o644)
    return cert, key


USERS = ("alice", "bob")
PASSWORD = "secret"


def sasl_database(path):
    for user in USERS:
        subprocess.run(["saslpasswd2", "-f", path, "-p", "-c", "-u", "example.org", user],
                       input=PASSWORD.encode(), check=True, capture_output=True, timeout=20)
