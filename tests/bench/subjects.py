"""The programs that are measured: how each is started, what shows that it works, what it costs."""
import os
import re
import shutil
import signal
import subprocess

from world import HERE, wait_for

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """The process and its descendants."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as f:
                for child in f.read().split():
                    found += tree(int(child))
    except OSError:
        pass
    return found


def stat(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()


class Process:
    def __init__(self, name, command, run, socket, patience):
        self.name, self.socket, self.patience = name, socket, patience
        self.errors = os.path.join(run, name + ".err")
        self.process = subprocess.Popen(command, stdout=open(self.errors, "w"), stderr=subprocess.STDOUT, cwd=run)

    def ready(self):
        """Waits until it listens."""
        try:
            wait_for(lambda: self.process.poll() is not None or os.path.exists(self.socket), self.name, self.patience)
        except RuntimeError:
            self.stop()
            raise
        if self.process.poll() is not None:
            with open(self.errors) as f:
                raise RuntimeError(f"{self.name} does not start: {f.read()[-400:].strip()}")

    def cpu(self):
        """Seconds of processor time, of all its processes."""
        total = 0
        for pid in tree(self.process.pid):
            try:
                total += sum(map(int, stat(pid)[11:13]))
            except OSError:
                continue
        return total / TICK

    def memory(self):
        """Resident and virtual megabytes, and threads."""
        sums = {"VmRSS": 0, "VmSize": 0, "Threads": 0}
        for pid in tree(self.process.pid):
            try:
                with open(f"/proc/{pid}/status") as f:
                    for key, value in re.findall(r"^(VmRSS|VmSize|Threads):\s+(\d+)", f.read(), re.M):
                        sums[key] += int(value)
            except OSError:
                continue
        return sums["VmRSS"] / 1024, sums["VmSize"] / 1024, sums["Threads"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Subject:
    """One or several programs in a row. `words` are in what they add to each of our messages."""

    def __init__(self, name, words, processes):
        self.name, self.words, self.processes = name, words, processes
        self.sockets = [process.socket for process in processes]

    def ready(self):
        for process in self.processes:
            process.ready()
        return self

    def cpu(self):
        return sum(process.cpu() for process in self.processes)

    def memory(self):
        return tuple(sum(values) for values in zip(*(process.memory() for process in self.processes)))

    def stop(self):
        for process in self.processes:
            process.stop()


class Missing(Exception):
    """The program is not installed."""


def need(program, package):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Missing(f"{program} is not installed (package {package})")
    return path


class House:
    """Starts subjects in the directory `run`; `build` holds our own programs, `keep` what rspamd compiles once, `sources`
    the default policy of that build."""

    def __init__(self, build, run, keep, sources=os.path.join(HERE, "../..")):
        self.build, self.run, self.keep, self.sources = build, run, keep, sources
        self.program = os.path.join(build, "sekisho")

    def older(self, build):
        """The same for an older build of Sekisho, with the policy that came with it."""
        with open(os.path.join(build, "Makefile")) as f:
            sources = re.search(r"^abs_top_srcdir = (.*)$", f.read(), re.M).group(1)
        return House(build, self.run, self.keep, sources)

    def conf(self, name, keys="", kind="", edit=lambda text: text):
        """A peer's configuration, edited; KEYS is where keys to sign with lie, KIND of which kind they are."""
        with open(os.path.join(HERE, "peers", name)) as f:
            text = f.read().replace("@DIR@/run", self.run).replace("@DIR@", self.run)
        text = text.replace("@KEYS@", keys).replace("@KIND@", kind)
        path = os.path.join(self.run, kind + name)
        with open(path, "w") as f:
            f.write(edit(text))
        return path

    def socket(self, name):
        path = os.path.join(self.run, name + ".sock")
        if os.path.exists(path):
            os.unlink(path)
        return path

    def process(self, name, command, socket=None, patience=20):
        return Process(name, command, self.run, socket or self.socket(name), patience)

    # ---- the subjects ---------------------------------------------------------------------------

    def empty(self, how):
        socket = self.socket("empty-" + how)
        program = os.path.join(self.build, "tests/bench/empty")
        return Subject(f"empty, {how}", ["mx.example.org"], [self.process("empty-" + how, [program, how, socket], socket)])

    def least(self, *words):
        name = "-".join(["least", *words])
        socket = self.socket(name)
        command = [os.path.join(self.build, "tests/bench/least"), *words, socket]
        return Subject(", ".join(["least", *words]), ["mx.example.org"], [self.process(name, command, socket)])

    def policy(self, name, settings="", edit=lambda text: text, log="file", engine="libmilter"):
        """The default policy, here; ENGINE reads the milter protocol, None: a build that knows no such word."""
        word = f"engine {engine} " if engine else ""
        with open(os.path.join(self.sources, "conf/sekisho.conf")) as f:
            text = re.sub(r"^listen .*$", f"listen unix:{self.socket(name)} {word}mode 0666", f.read(), flags=re.M)
        log = {"file": f"file:{self.run}/{name}.log", "syslog": "syslog", "off": "off"}.get(log, log)
        path = os.path.join(self.run, name + ".conf")
        with open(path, "w") as f:
            f.write(f"authserv-id mx.example.org\ncontrol {self.run}/{name}.control\n")
            f.write(f"log {log}\n{settings}\n{edit(text)}")
        checked = subprocess.run([self.program, "check", path], capture_output=True, text=True)
        if checked.returncode != 0:
            raise RuntimeError(f"the policy {name}: {checked.stdout}{checked.stderr}")
        return path

    def sekisho(self, label="sekisho", name="sekisho", prefix=(), words=("spf=pass",), **policy):
        path = self.policy(name, **policy)
        command = [*prefix, self.program, "daemon", "-c", path]
        return Subject(label, list(words), [self.process(name, command, os.path.join(self.run, name + ".sock"))])

    def opendkim(self):
        program = need("opendkim", "opendkim")
        return self.process("opendkim", [program, "-f", "-x", self.conf("opendkim.conf")])

    def opendkim_signing(self, kind, keys):
        program = need("opendkim", "opendkim")
        return self.process("opendkim-" + kind, [program, "-f", "-x", self.conf("opendkim-sign.conf", keys, kind)])

    def pyspf(self):
        program = need("pyspf-milter", "pyspf-milter")
        left = os.path.join(self.run, "pyspf.pid")  # it leaves it behind, and then does not start
        if os.path.exists(left):
            os.unlink(left)
        return self.process("pyspf", [program, self.conf("pyspf.conf")])

    def opendmarc(self, name):
        program = need("opendmarc", "opendmarc")
        conf = self.conf(name + ".conf")
        socket = "opendmarc-c" if name == "opendmarc-chain" else "opendmarc"
        return self.process(socket, [program, "-f", "-c", conf])

    def chain(self):
        for program in ("pyspf-milter", "opendkim", "opendmarc"):
            need(program, program)
        processes = [self.pyspf(), self.opendkim(), self.opendmarc("opendmarc-chain")]
        return Subject("chain of three", ["spf=pass", "dkim=pass", "dmarc=pass"], processes)

    def alone(self, name):
        process = {"opendkim": self.opendkim, "pyspf-milter": self.pyspf,
                   "opendmarc": lambda: self.opendmarc("opendmarc")}[name]()
        words = {"opendkim": "dkim=pass", "pyspf-milter": "spf=pass", "opendmarc": "dmarc=pass"}[name]
        return Subject(name, [words], [process])

    RSPAMD_WORDS = ["spf=pass", "dkim=pass", "dmarc=pass"]
    RSPAMD_PATIENCE = 100  # at its first start it compiles its regular expressions

    def rspamd_directories(self, name):
        kept = os.path.join(self.keep, name)
        os.makedirs(kept, exist_ok=True)
        return [f"--var=DBDIR={kept}", f"--var=LOGDIR={self.run}", f"--var=RUNDIR={self.run}"]

    def rspamd_small(self, name, directory, plugins, socket=None, **conf):
        """With these plugins alone."""
        program = need("rspamd", "rspamd")
        links = os.path.join(self.run, "conf", directory)
        os.makedirs(links, exist_ok=True)
        for plugin in plugins:
            link = os.path.join(links, plugin + ".lua")
            if not os.path.exists(link):
                os.symlink(f"/usr/share/rspamd/plugins/{plugin}.lua", link)
        command = [program, "-f", "-i", "-c", self.conf(name + ".conf", **conf), *self.rspamd_directories(name)]
        return self.process(socket or name, command, patience=self.RSPAMD_PATIENCE)

    def rspamd_auth(self):
        plugins = ("arc", "dmarc", "milter_headers", "spf")
        return Subject("rspamd, authentication", self.RSPAMD_WORDS, [self.rspamd_small("rspamd-auth", "plugins", plugins)])

    def rspamd_scan(self):
        """The same, for the spam condition of Exim instead of a milter."""
        plugins = ("arc", "dmarc", "milter_headers", "spf")

        def worker(text):
            return re.sub(r'worker "rspamd_proxy" \{.*?^\}', f'worker "normal" {{\n  bind_socket = "{self.run}/rspamd-scan.sock '
                          'mode=0666 owner=root";\n  count = 2;\n}', text, flags=re.S | re.M)
        return Subject("rspamd, authentication", [], [self.rspamd_small("rspamd-auth", "plugins", plugins, edit=worker,
                                                                        socket="rspamd-scan")])

    def rspamd_signing(self, keys):
        process = self.rspamd_small("rspamd-sign", "sign-plugins", ("dkim_signing",), keys=keys)
        return Subject("rspamd, signing", [], [process])

    def rspamd_full(self):
        """Debian's own configuration; told only where to listen and to show its results."""
        program = need("rspamd", "rspamd")
        local = os.path.join(self.run, "rspamd-full")
        os.makedirs(local + "/local.d", exist_ok=True)
        socket = self.socket("rspamd-full")
        for name, text in (("worker-proxy.inc", f'bind_socket = "{socket} mode=0666 owner=root";\ncount = 2;\n'),
                           ("milter_headers.conf", 'use = ["authentication-results"];\nskip_local = false;\n'),
                           ("logging.inc", 'level = "error";\n')):
            with open(os.path.join(local, "local.d", name), "w") as f:
                f.write(text)
        command = [program, "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", f"--var=LOCAL_CONFDIR={local}",
                   *self.rspamd_directories("rspamd-full")]
        process = self.process("rspamd-full", command, socket, self.RSPAMD_PATIENCE)
        return Subject("rspamd as installed", self.RSPAMD_WORDS, [process])
