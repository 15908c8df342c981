"""The daemon is killed in the middle of a thousand submissions: each is taken once or refused, and the limits are right
within what the manual promises; a restart in the middle of a window forgets nothing."""
import collections
import json
import os
import re
import smtplib
import threading
import time

import sekisho
import smtp
from mta import wait_for

SESSIONS = 8
KILLS = 3
LOST_SECONDS = 1.5  # the manual: what was counted in the last second may be lost; and a busy machine is late
LOGIN = ("alice@example.org", "secret")

SETTINGS = """
store lmdb:{directory}/store
limit all { key auth.user  count messages  hard 100000  per 1h }
"""
POLICY = """
policy submission {
  on mail { defer 450 4.7.1 "over"  if limit("all") is over }
}
"""


class Sender(threading.Thread):
    """A client that writes one message after the other, each once, and connects again when something went wrong."""

    def __init__(self, mta, token, numbers):
        super().__init__()
        self.mta, self.token, self.numbers = mta, token, numbers
        self.told = {}  # number: (when, code); 0: the connection broke
        self.client = None

    def close(self):
        if self.client:
            try:
                self.client.close()
            except (OSError, smtplib.SMTPException):
                pass
        self.client = None

    def one(self, number):
        if not self.client:
            self.client = smtp.Client(self.mta, "submission", tls=True, login=LOGIN)
        text = smtp.message(f"{self.token}.{number}.", sender="alice@example.org")
        replies = self.client.send("<alice@example.org>", ["<bob@example.org>"], text)
        return replies.last.code

    def run(self):
        for number in self.numbers:
            try:
                code = self.one(number)
            except (OSError, smtplib.SMTPException, AttributeError, ValueError):
                code = 0
            self.told[number] = (time.monotonic(), code)
            if code != 250:
                self.close()
                time.sleep(0.1)
        self.close()


def delivered(mta, token):
    """How often each number is in the mailbox."""
    found = collections.Counter()
    for name in os.listdir(mta.inbox):
        with open(os.path.join(mta.inbox, name), "rb") as f:
            hit = re.search(rb"%s\.(\d+)\." % token.encode(), f.read())
        if hit:
            found[int(hit.group(1))] += 1
    return found


def counted(daemon):
    done = sekisho.run("store", "get", "limit:all:messages:alice@example.org", "--json", "-c", daemon.file)
    return json.loads(done.stdout)[0]["count"]


def test_each_submission_is_taken_once_or_refused(nameserver, directory, mta, token):
    messages = 1000 if mta.name == "postfix" else 200  # Sendmail takes ten times as long for one
    with sekisho.Daemon(directory, POLICY, settings=SETTINGS) as daemon:
        senders = [Sender(mta, token, range(i, messages, SESSIONS)) for i in range(SESSIONS)]
        for sender in senders:
            sender.start()
        kills = []
        for number in range(1, KILLS + 1):
            wanted = number * messages // (KILLS + 1)
            assert wait_for(lambda: sum(len(s.told) for s in senders) >= wanted, seconds=30)
            daemon.kill()
            kills.append(time.monotonic())
            daemon.start()
        for sender in senders:
            sender.join(timeout=60)
        told = {number: said for sender in senders for number, said in sender.told.items()}
        taken = {number for number, (_, code) in told.items() if code == 250}
        broken = {number for number, (_, code) in told.items() if code == 0}
        wait_for(lambda: len(delivered(mta, token)) >= len(taken), seconds=20)
        found, count = delivered(mta, token), counted(daemon)
    assert len(told) == messages and len(taken) > messages // 2
    assert set(taken) <= set(found), "what was taken is delivered"
    assert set(found) <= taken | broken, "what was refused is not"
    assert set(found.values()) == {1}
    late = sum(any(kill - LOST_SECONDS <= when <= kill + 0.1 for kill in kills)
               for when, code in told.values() if code == 250)
    assert len(taken) - late <= count <= len(taken) + KILLS * SESSIONS, (len(taken), late, count)
