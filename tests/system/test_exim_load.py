"""10,000 messages through Exim, and one of the daemon: none is lost, none counted twice, and the two doors agree about each."""
import collections
import os
import re
import signal
import threading

import pytest

import sekisho
import smtp
from mta import wait_for

ENGINES = sekisho.ENGINES[:1]  # no milter here: once is enough

MESSAGES = 10000
CLIENTS = 8
EACH = 25          # messages of a session
SECONDS = 1500     # for the test: five processes of Exim for each message, on a machine that has other work
GROWTH = 16 << 20  # of the daemon's memory between the first tenth and the end

SETTINGS = """
listen     policy unix:{policy} mode 0666
listen     rspamc unix:{rspamc} mode 0666
store      lmdb:{directory}/store
"""

# Of 20 messages: two are refused at MAIL, one at RCPT, two at the end; one is deferred at RCPT, one at the end.
POLICY = """
limit everyone { key client  count messages  hard MESSAGES  per 1h }
policy inbound {
  on mail    { defer 450 4.7.1 "counted twice"  if limit("everyone") is over
               reject 550 5.7.1 "no sender"     if sender matches /^mail-refused/ }
  on rcpt    { reject 550 5.1.1 "no recipient"  if sender matches /^rcpt-refused/
               defer 450 4.2.1 "later"          if sender matches /^rcpt-deferred/ }
  on message { reject 550 5.7.2 "no message"    if header(Subject) is "end-refused"
               defer 451 4.7.1 "come again"     if header(Subject) is "end-deferred"
               add-header X-Queue-Id "%{queue-id}" }
}
"""
KINDS = {0: "mail-refused", 1: "mail-refused", 2: "rcpt-refused", 3: "end-refused", 4: "end-refused", 5: "rcpt-deferred",
         6: "end-deferred"}
CODES = {"mail-refused": 550, "rcpt-refused": 550, "end-refused": 550, "rcpt-deferred": 450, "end-deferred": 451, "fine": 250}


class Load:
    def __init__(self, exim):
        self.exim = exim
        self.lock = threading.Lock()
        self.next = 0
        self.answers = collections.Counter()  # (kind, code)
        self.problems = []
        self.ids = set()  # that Exim named when it took a message
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CLIENTS)]

    def take(self):
        with self.lock:
            first = self.next
            self.next = min(first + EACH, self.most)
            return range(first, self.next)

    def run(self):
        while numbers := self.take():
            try:
                with smtp.Client(self.exim) as client:
                    for number in numbers:
                        self.one(client, number)
            except Exception as problem:  # the test tells of it
                self.problems.append(repr(problem))

    def one(self, client, number):
        kind = KINDS.get(number % 20, "fine")
        last = client.send(f"<{kind}{number}@pass.example.net>", ["<bob@example.org>"],
                           smtp.message(f"load-{number}", subject=kind)).last
        queue_id = re.search(r"id=(\S+)", last.text)
        with self.lock:
            self.answers[kind, last.code] += 1
            if queue_id:
                self.ids.add(queue_id.group(1))

    def send(self, most):
        """Up to message number `most`."""
        self.most = most
        threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.problems, self.problems[:3]


def memory(process):
    with open(f"/proc/{process.pid}/status") as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M).group(1)) << 10


def lines(exim, word):
    with open(exim.log, errors="replace") as f:
        return [line for line in f if word in line]


def delivered(exim, names):
    """How often each queue id was delivered in files other than `names`. A message without ours is of an earlier test: Exim
    delivers in its own time."""
    ids = collections.Counter()
    for name in set(os.listdir(exim.inbox)) - names:
        with open(os.path.join(exim.inbox, name), "rb") as f:
            found = re.search(rb"^X-Queue-Id: (\S+)$", f.read(), re.M)
        if found:
            ids[found.group(1).decode()] += 1
    return ids


@pytest.fixture
def gate(nameserver, directory, exim_server):
    signal.alarm(SECONDS)
    settings = SETTINGS.replace("{policy}", exim_server.policy).replace("{rspamc}", exim_server.rspamc)
    with sekisho.Daemon(directory, POLICY.replace("MESSAGES", str(MESSAGES)), settings=settings) as running:
        yield running


def test_10000_messages_are_each_delivered_or_refused(gate, exim_server):
    earlier, taken = set(os.listdir(exim_server.inbox)), len(lines(exim_server, " <= "))
    load = Load(exim_server)
    load.send(MESSAGES // 10)
    before = memory(gate.process)
    load.send(MESSAGES)
    grown = memory(gate.process) - before

    share = collections.Counter(KINDS.get(number % 20, "fine") for number in range(MESSAGES))
    assert load.answers == {(kind, CODES[kind]): count for kind, count in share.items()}
    assert len(load.ids) == share["fine"] == len(lines(exim_server, " <= ")) - taken
    assert wait_for(lambda: load.ids <= delivered(exim_server, earlier).keys(), seconds=120, every=1), "deliveries are missing"
    assert delivered(exim_server, earlier) == collections.Counter(load.ids), "each is delivered once"

    no_data = share["rcpt-refused"] + share["rcpt-deferred"]  # Exim does not tell of their end, so they are waited for
    assert wait_for(lambda: len(gate.read_records()) >= MESSAGES - no_data)
    gate.stop()
    records = gate.records()
    assert len(records) == MESSAGES, "one of each: what was asked before DATA and the message are the same"
    verdicts = collections.Counter((record["verdict"], record.get("stage")) for record in records)
    assert verdicts == {("accept", None): share["fine"], ("reject", "mail"): share["mail-refused"],
                        ("reject", "rcpt"): share["rcpt-refused"], ("defer", "rcpt"): share["rcpt-deferred"],
                        ("reject", "message"): share["end-refused"], ("defer", "message"): share["end-deferred"]}
    assert {record["queue-id"] for record in records if record["verdict"] == "accept"} == load.ids
    assert grown < GROWTH, f"the daemon has grown by {grown >> 10} KB"
