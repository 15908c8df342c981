"""Three nodes: a Postfix with its daemon each, on addresses of their own, and one Redis server that the daemons share."""
import os
import re
import socket
import threading
import time

import miltc
import postfix
import redis_server
import sekisho
import smtp
import space

COUNT = 3
REDIS, PROXY = 6391, 6392  # ports on 127.0.0.1
BOB = "<bob@example.org>"
# The user that the daemons are; `default` is for the test.
USER = ("--user", "mail", "on", ">right", "~sekisho:*", "+@read", "+@write", "+@scripting", "+@connection", "+time", "+info")


class Node(postfix.Postfix):
    """One of three Postfixes; its daemon listens on `milter_port`."""

    def __init__(self, root, number):
        self.address = f"192.0.2.{30 + number}"
        self.milter_port = 8891 + number
        space.run("ip", "addr", "replace", self.address + "/32", "dev", "lo")
        super().__init__(os.path.join(root, f"node-{number}"), milter=f"inet:127.0.0.1:{self.milter_port}")

    def write(self, name, text):
        """127.0.0.1 and the IPv6 address belong to the Postfix of the other tests."""
        if name == "conf/main.cf":
            text = re.sub(r"(?m)^inet_interfaces = .*", f"inet_interfaces = {self.address}", text)
            text = re.sub(r"(?m)^inet_protocols = .*", "inet_protocols = ipv4", text)
        super().write(name, text)

    def send(self, name, sender="<alice@pass.example.net>", **client):
        """The reply that decided about one message."""
        return smtp.send(self, sender, [BOB], smtp.message(name), **client).last


class Proxy:
    """Between the daemons and Redis: each piece of an answer comes `delay` seconds late."""

    def __init__(self):
        self.delay = 0
        self.listener = socket.create_server(("127.0.0.1", PROXY), backlog=128)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", REDIS), timeout=10)
            except OSError:
                return
            for connection in (client, server):
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.carry, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, True), daemon=True).start()

    def carry(self, source, target, late):
        try:
            while piece := source.recv(65536):
                time.sleep(self.delay if late else 0)
                target.sendall(piece)
        except OSError:
            pass
        for connection in (source, target):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Daemons:
    """The daemons of the three nodes. `more`: of the store of each."""

    def __init__(self, directory, settings, policy, port=REDIS, timeout="1s", more=("", "", "")):
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/password", "w") as f:
            f.write("right\n")
        self.url = f"redis://mail@127.0.0.1:{port}/0"
        self.each = []
        try:
            for number in range(COUNT):
                store = f"\nstore {self.url} timeout {timeout} password-file {directory}/password {more[number]}\n"
                self.each.append(sekisho.Daemon(f"{directory}/{number}", policy, settings=store + settings,
                                                listen=f"inet:{8891 + number}@127.0.0.1"))
        except BaseException:
            self.__exit__(True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for daemon in self.each:
            daemon.__exit__(kind)

    def __getitem__(self, number):
        return self.each[number]

    def lines(self, number, word=""):
        """What a daemon said of its store."""
        return [line["message"] for line in self.each[number].messages()
                if ("store redis" in line["message"] or "the store" in line["message"]) and word in line["message"]]

    def records(self):
        return [record for daemon in self.each for record in daemon.records()]

    def verb(self, number, *words):
        done = sekisho.run(*words, "--socket", f"{self.each[number].directory}/control")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def start_redis(directory, *options):
    return redis_server.Server(directory, *USER, *options, port=REDIS)


def by_milter(number, sender="<alice@pass.example.net>", source=space.GOOD, messages=1):
    """The answers to messages of one session, as a mail server in front of that daemon gets them."""
    answers = []
    with miltc.Milter(("127.0.0.1", 8891 + number), timeout=60) as m:
        m.greet(source)
        for _ in range(messages):
            answers.append(m.message(sender))
            if answers[-1].what != "continue":
                m.abort()
        m.quit()
    return answers
