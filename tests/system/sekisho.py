"""The daemon under test: started with a configuration, its records read, stopped and examined."""
import json
import os
import re
import signal
import subprocess
import time

from mta import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("SEKISHO") or os.path.abspath(os.path.join(HERE, "../../build/sekisho"))
PORT = 8891
ENGINES = ("libmilter", "native")
engine = ENGINES[0]  # who reads the milter protocol; conftest.py changes it

SETTINGS = """\
listen       {listen}
authserv-id  mx.example.org
trusted      {{ 127.0.0.0/8 ::1 192.0.2.99 }}
submission   {{ port 587 465 }}
control      {directory}/control
log          file:{directory}/record
resolver {{
    forward 127.0.0.1@53
    timeout 3s
    dnssec off
}}
authentication-results {{ spf auth }}
"""

INET = f"inet:{PORT}@127.0.0.1"
SANITIZER = re.compile(r"(ERROR: (Address|Leak|Thread|Memory)Sanitizer|runtime error:|WARNING: ThreadSanitizer)")


def listening(port):
    """True when somebody listens on the TCP port; asks the kernel, so that no connection disturbs the daemon."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as f:
            for line in f.readlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rsplit(":", 1)[1], 16) == port:
                    return True
    return False


def listening_unix(path):
    """True when somebody listens on the unix socket."""
    with open("/proc/net/unix") as f:
        sockets = [line.split() for line in f.readlines()[1:]]
    return any(words[-1] == path and words[3] == "00010000" for words in sockets)


def run(*arguments, **options):
    """The program with other verbs; at most 30 s."""
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30, **options)


class Daemon:
    def __init__(self, directory, policy, listen=INET, settings="", base=SETTINGS, start=True, **options):
        self.directory = str(directory)
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        self.file = os.path.join(self.directory, "sekisho.conf")
        self.listen = listen
        self.base = base
        self.settings = settings
        self.record_file = os.path.join(self.directory, "record")
        self.errors_file = os.path.join(self.directory, "stderr")
        self.process = None
        self.configure(policy)
        if start:
            self.start(**options)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        else:
            self.stop()

    # ---- configuration

    def configure(self, policy):
        """Writes the file; a running daemon reads it at reload()."""
        listen = self.listen + (" engine native" if engine == "native" else "")  # libmilter is meant without a word
        text = self.base.format(directory=self.directory, listen=listen)
        text += self.settings.replace("{directory}", self.directory) + policy
        with open(self.file + ".new", "w") as f:  # never half of it, should a reload come now
            f.write(text)
        os.rename(self.file + ".new", self.file)

    def line(self, text):
        """FILE:LINE of the first line of the configuration that holds the text, as records name a rule."""
        with open(self.file) as f:
            for number, line in enumerate(f, 1):
                if text in line:
                    return f"{self.file}:{number}"
        raise AssertionError(f"no line with {text!r} in {self.file}")

    # ---- life

    def start(self, **options):
        """Starts and waits until the socket is there. Options are those of Popen."""
        self.launch(**options)
        if not wait_for(lambda: self.process.poll() is not None or self.ready(), seconds=30):
            self.kill()
            raise AssertionError(f"the daemon does not listen\n{self.errors()}")
        assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}\n{self.errors()}"

    def launch(self, **options):
        """Starts and does not wait."""
        with open(self.errors_file, "a") as errors:
            self.process = subprocess.Popen([PROGRAM, "daemon", "-c", self.file], stdin=subprocess.DEVNULL, stdout=errors,
                                            stderr=errors, **options)

    def ready(self):
        """Both sockets are there; the control socket is the later one."""
        if not listening_unix(os.path.join(self.directory, "control")):
            return False
        if self.listen.startswith("unix:"):
            return listening_unix(self.listen.split()[0][5:])
        return self.listen.startswith("fd:") or listening(int(re.match(r"inet6?:(\d+)", self.listen).group(1)))

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait(self, seconds=30):
        """The exit code; looks for complaints of a sanitizer too."""
        code = self.process.wait(timeout=seconds)
        errors = self.errors()
        assert not SANITIZER.search(errors), errors
        return code

    def stop(self, seconds=30):
        """SIGTERM; it must end by itself with 0."""
        if not self.process:
            return
        assert self.alive(), f"the daemon had ended with {self.process.returncode}\n{self.errors()}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon did not end within {seconds} s of SIGTERM\n{self.errors()}")
        finally:
            self.process = None
        assert code == 0, f"the daemon ended with {code}\n{self.errors()}"

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def errors(self):
        with open(self.errors_file, errors="replace") as f:
            return f.read()

    # ---- verbs that talk to it

    def reload(self):
        """sekisho reload: (exit code, what it said)."""
        done = run("reload", "-c", self.file)
        return done.returncode, done.stdout + done.stderr

    def status(self):
        """sekisho status --json."""
        return json.loads(run("status", "--socket", os.path.join(self.directory, "control"), "--json").stdout)

    # ---- records

    def records(self):
        """All records of messages so far. A record is written after the answer; this waits until the file stops growing."""
        size = -1
        for _ in range(30):
            now = os.path.getsize(self.record_file) if os.path.exists(self.record_file) else 0
            if now == size:
                break
            size = now
            time.sleep(0.1)
        return self.read_records()

    def messages(self):
        """What the daemon itself said in the log."""
        return [line for line in self.read_lines() if "message" in line]

    def read_records(self):
        return [line for line in self.read_lines() if "verdict" in line]

    def read_lines(self):
        try:
            with open(self.record_file, errors="replace") as f:
                lines = f.read().split("\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]  # the last line may be half written

    def record(self, **wanted):
        """The one record whose fields have these values (queue_id means queue-id); waits for it."""
        wanted = {name.replace("_", "-"): value for name, value in wanted.items()}

        def look():
            return [r for r in self.read_records() if all(r.get(name) == value for name, value in wanted.items())]
        found = wait_for(look, seconds=5)
        assert found, f"no record with {wanted} in\n" + "\n".join(map(str, self.records()[-8:]))
        assert len(found) == 1, f"{len(found)} records with {wanted}"
        return found[0]
