"""Three daemons behind three Postfixes share one Redis: a limit is exact, greylisting and blocks are known everywhere. While
the server is in trouble mail flows, or waits where the administrator wants that; then everything is right again."""
import collections
import os
import signal
import threading
import time

import pytest

import nodes
import redis_server
import smtp
import space
from mta import wait_for

THOUSAND, TRIED, BY_POSTFIX = 1000, 1110, 300
SECONDS = 400              # for a test of many messages, on a machine that has other work
PATIENCE_US = 10 * 1000000  # of the mail servers here (milter_connect_timeout)

SETTINGS = """
limit thousand { key client  count messages  hard 1000  per 1h }
limit thirty   { key sender  count messages  hard 30    per 1h }
greylist { delay 1s  window 2d  remember 36d }
"""

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.1 "Blocked: %{blocked.why}"                        if blocked
    defer 450 4.7.1 "thousand: %{limit.count("thousand")}"            if sender.domain is pass.example.net and limit("thousand") is over
    defer 450 4.7.1 "thirty: %{limit.count("thirty")}"                if sender.domain is fail.example.net and limit("thirty") is over
  }
  on rcpt { defer 451 4.2.0 "Greylisted"                              if sender.domain is none.example.net and greylist is { new early } }
}
"""


@pytest.fixture(scope="session")
def postfixes(world, nameserver):
    reason = nodes.Node.why_not() or redis_server.why_not()
    if reason:
        pytest.skip(reason)
    running = [nodes.Node(world.root, number) for number in range(nodes.COUNT)]
    yield running
    for node in running:
        node.stop()


@pytest.fixture
def server(world, token):
    signal.alarm(SECONDS)
    running = nodes.start_redis(os.path.join(world.root, "nodes-" + token[:12]))
    yield running
    running.kill()


@pytest.fixture
def daemons(postfixes, server, directory):
    with nodes.Daemons(directory, SETTINGS, POLICY) as running:
        yield running


def at_once(*works):
    """Calls them all in threads; the first problem is raised here."""
    problems = []

    def run(work):
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    if problems:
        raise problems[0]


def inboxes(postfixes):
    return sum(len(os.listdir(node.inbox)) for node in postfixes)


# ---- what they share


def test_a_limit_of_a_thousand_is_exact_over_three_nodes(postfixes, daemons, token):
    """Through the mail servers and beside them, all at once; a limit that is counted per node would take 1110."""
    answers = collections.Counter()
    before = inboxes(postfixes)

    def through(node):
        for i in range(BY_POSTFIX // nodes.COUNT // 10):
            with smtp.Client(node) as client:
                for j in range(10):
                    last = client.send("<alice@pass.example.net>", [nodes.BOB], smtp.message(f"{token}-{i}-{j}")).last
                    answers["postfix", last.code] += 1

    def beside(number):
        for _ in range((TRIED - BY_POSTFIX) // nodes.COUNT // 2 // 27):
            for answer in nodes.by_milter(number, messages=27):
                answers["milter", answer.what if answer.what == "continue" else answer.text[:3]] += 1

    at_once(*(lambda node=node: through(node) for node in postfixes),
            *(lambda number=number: beside(number) for number in range(nodes.COUNT) for _ in range(2)))
    taken = answers["postfix", 250] + answers["milter", "continue"]
    assert taken == THOUSAND and answers["postfix", 450] + answers["milter", "450"] == TRIED - THOUSAND, answers
    for number, node in enumerate(postfixes):
        assert node.send("one more").text.endswith("thousand: 1000")
        assert nodes.by_milter(number)[0].text == "450 4.7.1 thousand: 1000"
        shown = daemons.verb(number, "store", "list", "limit:thousand").split()
        assert "1000" in shown, shown
    verdicts = collections.Counter(record["verdict"] for record in daemons.records())
    assert verdicts == {"accept": THOUSAND, "defer": TRIED - THOUSAND + 2 * nodes.COUNT}
    assert wait_for(lambda: inboxes(postfixes) - before == answers["postfix", 250], seconds=60), "deliveries are missing"
    assert not any(daemons.lines(number) for number in range(nodes.COUNT))


def test_a_sender_that_waited_at_one_node_is_known_at_all(postfixes, daemons, token):
    sender = f"<{token}@none.example.net>"
    first, second, third = postfixes
    assert first.send(token, sender, source=space.BAD).code == 451
    time.sleep(1.2)
    for node in (second, third, first):
        assert node.send(token, sender, source=space.BAD).code == 250


def test_a_block_at_one_node_is_a_block_at_all(postfixes, daemons, token):
    for number in range(nodes.COUNT):
        daemons.verb(number, "block", space.GOOD, "--for", "1h", "--why", f"by node {number}")
        for node in postfixes:
            assert node.send(token).text.endswith(f"Blocked: by node {number}")
        daemons.verb((number + 1) % nodes.COUNT, "unblock", space.GOOD)
        for node in postfixes:
            assert node.send(token).code == 250


# ---- a server in trouble


def kill(server):
    assert server.say("SAVE") == "+OK"
    server.kill()


def load_slowly(server):
    """Starts with a file of many keys, each of which takes a while."""
    assert server.say("EVAL", "for i=1,20000 do redis.call('SET','other:'..i,string.rep('x',100)) end return 1", "0") == ":1"
    kill(server)
    options, server.options = server.options, (*server.options, "--key-load-delay", "2000",
                                               "--loading-process-events-interval-bytes", "1024")
    server.start()
    server.options = options
    assert server.say("GET", "x").startswith("-LOADING")


def load_at_once(server):
    assert server.say("CONFIG", "SET", "key-load-delay", "0") == "+OK"
    assert wait_for(lambda: server.say("PING") == "+PONG", 60)


def change_password(server):
    assert server.say("ACL", "SETUSER", "mail", "resetpass", ">other") == "+OK"
    assert server.say("CLIENT", "KILL", "USER", "mail").startswith(":")


TROUBLES = {  # how it begins, how it ends, what the log says: one of these words
    "killed": (kill, lambda server: server.start(), ("Connection refused", "it closed the connection")),
    "stopped": (lambda server: server.freeze(), lambda server: server.thaw(), ("does not answer in time",)),
    "read-only": (lambda server: server.say("REPLICAOF", "127.0.0.1", "1"), lambda server: server.say("REPLICAOF", "NO", "ONE"),
                  ("it is a read-only replica",)),
    "loading": (load_slowly, load_at_once, ("it is still loading its data",)),
    "another password": (change_password, lambda server: server.say("ACL", "SETUSER", "mail", ">right"),
                         ("it does not accept the user and the password",)),
}


def few(postfixes, count, sender="<few@fail.example.net>"):
    """So many messages, by turns through the nodes: the codes of the answers."""
    return [postfixes[i % nodes.COUNT].send("few", sender, source=space.BAD).code for i in range(count)]


def in_trouble(postfixes, daemons, words):
    """The second node defers then, the others do not; each says so once, and nobody waits for long."""
    for _ in range(3):
        assert few(postfixes, nodes.COUNT, "<meanwhile@fail.example.net>") == [250, 451, 250]
    for number in range(nodes.COUNT):
        assert wait_for(lambda: daemons.lines(number), 15)
        line, = daemons.lines(number)
        assert f"store {daemons.url}: " in line and any(word in line for word in words), line
    assert all(record["total-us"] < PATIENCE_US for record in daemons.records())


def right_again(postfixes, daemons, left):
    """Without a message: the threads of the stores find out. So many of the limit were left."""
    for number in range(nodes.COUNT):
        assert wait_for(lambda: daemons.lines(number, "works again"), 60, every=0.2), daemons.lines(number)
    assert few(postfixes, left + nodes.COUNT) == [250] * left + [450] * nodes.COUNT


def different(directory, **options):
    return nodes.Daemons(directory, SETTINGS, POLICY, more=("", "on-failure defer", "on-failure skip"), **options)


@pytest.mark.parametrize("what", TROUBLES)
def test_three_nodes_survive_a_server(postfixes, server, directory, what):
    begin, end, words = TROUBLES[what]
    with different(directory) as daemons:
        assert few(postfixes, 12) == [250] * 12
        begin(server)
        in_trouble(postfixes, daemons, words)
        end(server)
        right_again(postfixes, daemons, 18)


def test_three_nodes_and_a_server_that_is_slow(postfixes, server, directory):
    """200 ms late is in time, and nothing is lost; later than the timeout is as if it were dead."""
    with nodes.Proxy() as proxy, different(directory, port=nodes.PROXY) as daemons:
        proxy.delay = 0.2
        assert few(postfixes, 12) == [250] * 12
        assert not any(daemons.lines(number) for number in range(nodes.COUNT))
        proxy.delay = 3
        in_trouble(postfixes, daemons, ("does not answer in time",))
        proxy.delay = 0
        right_again(postfixes, daemons, 18)


def test_three_nodes_and_an_emptied_server(postfixes, server, daemons):
    assert few(postfixes, 33) == [250] * 30 + [450] * 3
    assert server.say("FLUSHALL") == server.say("SCRIPT", "FLUSH") == "+OK"
    assert few(postfixes, 33) == [250] * 30 + [450] * 3
    assert not any(daemons.lines(number) for number in range(nodes.COUNT))
