"""Through a real Exim: what the filter costs, in processor time, beside rspamd with nothing else than SPF, DKIM and DMARC.

Sekisho is asked in two ways: by the spam condition alone, with the ACL that asks rspamd; and with the lines of conf/exim.conf,
that is questions at MAIL, RCPT and DATA and then the message. Each way has an Exim of its own; they take turns with the same
messages. What Exim itself takes is not counted.
"""
import os
import re
import threading
import typing

from figures import ratio, wanted
from subjects import Missing
from world import wait_for

import exim as mail_server  # of tests/system; world.py has said where that is
import smtp
import space

TARGET = 5   # times as much takes rspamd
SESSIONS = 4
EACH = 10    # messages of a session
MESSAGES = 200
MAILS = ("2k", "60k")
VERDICTS = ("2k", "2k-0sig")  # a message of each is judged alike before anything is measured

# What rspamd calls what Sekisho says.
SYMBOLS = {"R_SPF_ALLOW": "spf=pass", "R_DKIM_ALLOW": "dkim=pass", "R_DKIM_NA": "dkim=none", "DMARC_POLICY_ALLOW": "dmarc=pass"}


class Server(mail_server.Exim):
    """On port 25 of its address alone."""

    def __init__(self, directory, address):
        self.address = address
        super().__init__(directory)

    def services(self, text):
        text = re.sub(r"^local_interfaces = .*$", f"local_interfaces = {self.address}", text, flags=re.M)
        return re.sub(r"^daemon_smtp_ports = .*$", "daemon_smtp_ports = 25", text, flags=re.M)

    def take(self, count):
        """Waits for so many deliveries, and takes them away: their headers."""
        wait_for(lambda: len(os.listdir(self.inbox)) >= count, "the last delivery", 120)
        heads = []
        for name in os.listdir(self.inbox):
            with open(os.path.join(self.inbox, name), errors="replace") as f:
                heads.append(f.read().split("\n\n", 1)[0])
            os.unlink(os.path.join(self.inbox, name))
        return heads

    def verdicts(self, head):
        """Of a delivered message: {"spf=pass", "dkim=pass", "dmarc=pass"}."""
        return set(re.findall(r"(?<![\w.])(?:spf|dkim|dmarc)=\w+", head))


class Condition(Server):
    """Asks by the spam condition alone, in the way that Exim's manual shows for rspamd, and keeps what is reported."""

    def __init__(self, directory, address, path):
        self.path = path
        super().__init__(directory, address)

    def parts(self):
        return {"main": f"spamd_address = {self.path} variant=rspamd tmo=60s\n", "acl": "", "acl_smtp_mail": "",
                "acl_smtp_rcpt": "", "acl_not_smtp": "  accept\n",
                "acl_smtp_data": "  warn    spam = nobody:true\n  warn    add_header = X-Spam-Report: ${sg{$spam_report}{\\N\\s+\\N}{ }}\n"
                                 "  accept\n"}

    def verdicts(self, head):
        report = " ".join(re.search(r"^X-Spam-Report:(.*(?:\n[ \t].*)*)", head, re.M).group(1).split())
        return super().verdicts(report) | {said for symbol, said in SYMBOLS.items() if re.search(rf"\b{symbol}\b", report)}


def sending(server, lines, problems):
    """One client after another until no line is left."""
    while True:
        mine = [lines.pop() for _ in range(min(EACH, len(lines)))]
        if not mine:
            return
        try:
            path, sender, address, helo = mine[0]
            with smtp.Client(server, source=address, helo=helo) as client:
                for path, sender, _, _ in mine:
                    with open(path, "rb") as f:
                        last = client.send(f"<{sender}>", ["<user0@example.org>"], f.read()).last
                    if last.code != 250:
                        problems.append(f"{path}: {last}")
        except (OSError, smtp.smtplib.SMTPException) as problem:
            problems.append(repr(problem))
            return


def send(bench, server, mails, count):
    """So many messages of that list, SESSIONS at a time."""
    with open(bench.world.list(mails)) as f:
        known = [line.split() for line in f]
    lines, problems = [known[number % len(known)] for number in range(count)], []
    threads = [threading.Thread(target=sending, args=(server, lines, problems)) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise RuntimeError(f"through Exim {len(problems)} of {count} messages fail: {problems[0]}")


def measured(bench, way, mails):
    before = way.subject.cpu()
    send(bench, way.server, mails, MESSAGES)
    cost = 1000 * (way.subject.cpu() - before) / MESSAGES
    way.server.take(MESSAGES)
    return {"cpu": cost}


def agree(bench, ways):
    """All say the same of each message; they are warm afterwards."""
    for mails in VERDICTS:
        said = []
        for way in ways:
            send(bench, way.server, mails, MESSAGES)
            found = [way.server.verdicts(head) for head in way.server.take(MESSAGES)]
            said.append(found[0])
            if any(one != found[0] for one in found):
                raise RuntimeError(f"{way.name} does not say the same of each message of {mails}: {found}")
        if any(one != said[0] for one in said) or "spf=pass" not in said[0]:
            raise RuntimeError(f"of {mails} they do not say the same: {said}")
        bench.say(f"{MESSAGES} of {mails:8} all say {' '.join(sorted(said[0]))}")


class Way(typing.NamedTuple):
    """An Exim, and whom it asks."""
    name: str
    server: Server
    subject: object


def ways_of(bench, directory):
    """[Way]: rspamd is the last one. One Sekisho is asked in both ways."""
    ours = Server(os.path.join(directory, "exim-sekisho"), space.EXIM)
    doors = f"listen policy unix:{ours.policy} mode 0666\nlisten rspamc unix:{ours.rspamc} mode 0666\n"
    scan = bench.house.rspamd_scan()
    started = bench.start([("sekisho", lambda: bench.start_sekisho("sekisho, both doors", "sekisho-exim", settings=doors)),
                           ("rspamd", lambda: scan)])
    if len(started) < 2:
        raise Missing("there is nothing to compare")
    alone = Condition(os.path.join(directory, "exim-condition"), space.POSTFIX, ours.rspamc)
    theirs = Condition(os.path.join(directory, "exim-rspamd"), space.SENDMAIL, scan.sockets[0])
    return [Way("sekisho, one question", alone, started["sekisho"]), Way("sekisho, four questions", ours, started["sekisho"]),
            Way("rspamd, authentication", theirs, started["rspamd"])]


def through_exim(bench):
    """Through a real Exim, beside rspamd's spam condition: processor time of the filter."""
    if mail_server.Exim.why_not():
        raise Missing(mail_server.Exim.why_not())
    ways = ways_of(bench, bench.space.root)
    bench.say("\nthrough a real Exim: CPU s/1000 of the filter")
    try:
        agree(bench, ways)
        for mails in MAILS:
            found = [[] for _ in ways]
            for number in range(bench.rounds):
                order = range(len(ways)) if number % 2 == 0 else reversed(range(len(ways)))
                for which in order:
                    found[which].append(measured(bench, ways[which], mails))
            show(bench, mails, ways, found)
    finally:
        for way in ways:
            way.server.stop()
        for subject in {way.subject for way in ways}:
            subject.stop()


def show(bench, mails, ways, found):
    costs = [sum(run["cpu"] for run in runs) / len(runs) for runs in found]
    for way, cost in zip(ways, costs):
        bench.say(f"{mails:6} {way.name:24} {cost:8.3f}")
    for way, runs, cost in list(zip(ways, found, costs))[:-1]:
        times, wide = costs[-1] / max(cost, 1e-6), ratio(found[-1], runs, "cpu")[1]
        bench.say(f"{mails:6} rspamd takes {times:.1f} ±{wide:.1f} times that of {way.name} "
                  + wanted(f"≥ {TARGET}", times >= TARGET))
    bench.numbers[f"exim {mails}"] = {way.name: runs for way, runs in zip(ways, found)}
