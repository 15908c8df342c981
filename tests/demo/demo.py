#!/usr/bin/python3
"""demo.py [--mta NAME] [--engine NAME] [--stay] - Sekisho at work: a private mail server, a private DNS, eight messages
by a real SMTP client.

Everything is in one directory below /tmp, and on ports of 127.0.0.1 above 1024 or in a network of its own; at the end,
also after Ctrl-C, all of it is gone. With --stay it goes on running and shows what the policy says of your own messages.
Exits 1 when one of the eight did not end as expected.
"""
import argparse
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True

import show
from cases import CASES
from servers import SERVERS, SYSTEM, port

import sekisho
import smtp
import space
from mta import wait_for

def read(name):
    with open(os.path.join(HERE, name)) as f:
        return f.read()


class Stage:
    """The running programs, and the directory they live in."""

    program = sekisho.PROGRAM

    def __init__(self, kind, engine):
        self.kind = kind
        self.engine = engine

    def __enter__(self):
        self.directory = self.kind.house()
        self.running = []
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        dns = port(53 if self.kind.network else 10053)
        self.nameserver(dns)
        self.mta = self.kind(os.path.join(self.directory, self.kind.name))
        self.running.append(self.mta.stop)  # before it starts: it may be there before its start has returned
        self.mta.start()
        self.gate = self.daemon(dns)

    def nameserver(self, number):
        zone = os.path.join(self.directory, "zone")
        shutil.copyfile(os.path.join(HERE, "zone"), zone)
        server = subprocess.Popen([sys.executable, os.path.join(SYSTEM, "dnsd.py"), "--listen", f"127.0.0.1@{number}",
                                   "--log", os.path.join(self.directory, "dns.log"), "--ttl", "1", zone],
                                  stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.running.append(lambda: (server.terminate(), server.wait(timeout=10)))
        if not server.stdout.readline().startswith("ready"):
            raise RuntimeError("the DNS server does not start")

    def listen(self):
        """The lines of sekisho.conf that say where the mail server connects."""
        engine = f" engine {self.engine}" if self.kind.milter else ""
        return "\n".join(f"listen {address}{engine}" for address in self.mta.listen)

    def daemon(self, dns):
        directory = os.path.join(self.directory, "sekisho")
        os.mkdir(directory, 0o755)
        with open(os.path.join(directory, "owners"), "w") as f:
            f.write("alice@example.org  alice@example.org\nbob@example.org    bob@example.org\n")
        policy = read("sekisho.conf")
        for word, value in (("LISTEN", self.listen()), ("DNS_PORT", dns), ("DIRECTORY", directory),
                            ("SUBMISSION_PORT", self.mta.ports["submission"])):
            policy = policy.replace(word, str(value))
        address = re.search(r"(unix|inet):\S+", self.mta.listen[0]).group(0)
        gate = sekisho.Daemon(directory, policy, listen=address, base="", start=False)
        self.running.append(gate.stop)
        gate.start(start_new_session=True)
        return gate

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not keep this from its end
        for stop in reversed(self.running):
            try:
                stop()
            except Exception as problem:  # the others must be stopped nevertheless
                print(f"demo: {problem}", file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)


class Result:
    """What happened to one case."""

    def __init__(self, case):
        self.case = case
        self.reply = self.record = self.delivered = None
        self.rule = ("", "")  # which decided: place and text
        self.edit = ("", "")  # which changed the message
        self.wrong = []


def send(stage, case, token):
    """The conversation of one case, with a real server."""
    with stage.mta.client(case.client, service="mx" if case.client else "submission", tls=not case.client,
                          login=case.login and (case.login,)) as client:
        text = smtp.message(token, *case.fields, sender=case.sender, to=case.recipient, subject=case.subject)
        return client.send(f"<{case.sender}>", [f"<{case.recipient}>"], text).last


def rule_of(place):
    """("sekisho.conf:27", the rule as written) of FILE:LINE; two empty texts without a rule."""
    if not place:
        return "", ""
    path, line = place.rsplit(":", 1)
    with open(path) as f:
        text = f.read().splitlines()[int(line) - 1]
    return f"{os.path.basename(path)}:{line}", " ".join(text.split())


def play(stage, number, case):
    result = Result(case)
    before = len(stage.gate.records())
    token = f"demo-{number}-{os.getpid()}"
    result.reply = send(stage, case, token)
    seen = wait_for(lambda: stage.gate.records()[before:])
    if seen:
        result.record = seen[0]
        result.rule = rule_of(seen[0].get("rule"))
    if result.reply.code < 300:
        result.delivered = stage.mta.delivered(token)
        result.edit = rule_of(case.edit and stage.gate.line(case.edit))
    judge(result)
    return result


def judge(result):
    case, wrong = result.case, result.wrong
    if result.reply.code != case.code:
        wrong.append(f"the answer should be {case.code}, it is {result.reply.code} {result.reply.text}")
    if not result.record:
        wrong.append("it has no record")
    elif bool(case.rule) != bool(result.rule[1]) or (case.rule or "") not in result.rule[1]:
        wrong.append(f"the rule should be \"{case.rule or 'none'}\", it is \"{result.rule[1] or 'none'}\"")
    if not result.delivered:
        return
    for name, text in case.expect:
        if not any(text in value for value in result.delivered.fields(name)):
            wrong.append(f"no {name} of the delivered message holds \"{text}\"")
    header = result.delivered.raw.split(b"\n\n", 1)[0].decode("latin-1")
    if case.never and case.never in header:
        wrong.append(f"the delivered message still says \"{case.never}\"")


def stay(stage):
    seen = len(stage.gate.records())
    show.how_to_talk(stage)
    while stage.gate.alive():
        records = stage.gate.records()
        for record in records[seen:]:
            show.record(record, *rule_of(record.get("rule")))
        seen = len(records)
        time.sleep(0.2)
    raise SystemExit("demo: sekisho has ended\n" + stage.gate.errors())


def run(arguments):
    began = time.monotonic()
    with Stage(SERVERS[arguments.mta], arguments.engine or sekisho.ENGINES[0]) as stage:
        show.opening(stage)
        results = [play(stage, number, case) for number, case in enumerate(CASES, 1)]
        show.table(results)
        show.headers(results[3])
        show.attach(stage)
        good = show.verdict(results, time.monotonic() - began)
        sys.stdout.flush()
        if arguments.stay:
            stay(stage)
    return 0 if good else 1


def why_not(kind):
    """Why the demonstration cannot run here, or None."""
    if os.geteuid() != 0:
        return "mail servers change users, so the demonstration must be started by root (or: sudo ./autogen.sh demo)"
    if kind.network and space.why_not():
        return space.why_not().replace("system tests need", f"{kind.title} has no XCLIENT, so the demonstration needs")
    return kind.why_not()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mta", choices=SERVERS, default="postfix", help="the mail server")
    parser.add_argument("--engine", choices=sekisho.ENGINES, help="who reads the milter protocol (libmilter)")
    parser.add_argument("--stay", action="store_true", help="go on running until Ctrl-C")
    arguments = parser.parse_args()
    kind = SERVERS[arguments.mta]
    if arguments.engine and not kind.milter:
        parser.error(f"--engine is of the milter protocol, and {kind.title} has no milter")
    if why_not(kind):
        sys.exit("demo: " + why_not(kind))
    if kind.network and not space.inside():
        space.enter([sys.executable, *sys.argv])
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return 0 if arguments.stay else 130
    except (OSError, AssertionError, RuntimeError, smtplib.SMTPException, subprocess.SubprocessError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
