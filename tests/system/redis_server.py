"""A Redis server of the tests: with TLS or a password, stopped, killed and started again."""
import os
import shutil
import signal
import socket
import subprocess

from mta import wait_for

PROGRAM = shutil.which("redis-server")


def why_not():
    return None if PROGRAM else "redis-server is not installed (package redis-server)"


class Server:
    """On a port of 127.0.0.1; `options` are words of its command line."""

    def __init__(self, directory, *options, port=6379, tls=False):
        self.directory, self.options, self.port, self.tls = directory, options, port, tls
        os.makedirs(directory, exist_ok=True)
        self.socket = os.path.join(directory, "redis.sock")
        self.process = None
        self.start()

    def start(self):
        ports = ["--port", "0", "--tls-port", str(self.port)] if self.tls else ["--port", str(self.port)]
        self.process = subprocess.Popen(
            [PROGRAM, "--bind", "127.0.0.1", *ports, "--unixsocket", self.socket, "--dir", self.directory, "--save", "",
             "--appendonly", "no", "--logfile", os.path.join(self.directory, "log"), *self.options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_for(lambda: self.say("PING")), "redis-server does not start"

    def say(self, *words):
        """The first line of the answer, as it is; "" when there is none."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            try:
                s.connect(self.socket)
                s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
                return s.recv(65536).split(b"\r\n")[0].decode()
            except OSError:
                return ""

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
