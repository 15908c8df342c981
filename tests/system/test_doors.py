"""The policy door and the socketmap door behind real mail servers, and POP before SMTP with a real Dovecot."""
import os
import socket
import subprocess
import threading

import pytest

import pop3
import sekisho
import smtp
import space
from mta import wait_for

BASE = sekisho.SETTINGS.replace("submission   {{ port 587 465 }}\n", "")

SETTINGS = """
listen     policy    unix:{policy} mode 0666
listen     socketmap unix:{map} mode 0666
store      lmdb:{directory}/store
list       recent dynamic:30m writers dovecot
list       bad dynamic:1h
submission { port 587 465  clients recent }
"""

POLICY = """
policy inbound {
  on connect { reject 554 5.7.1 "listed"                              if client in bad }
  on mail    { reject 550 5.7.1 "refused by its sender"               if sender is refused@pass.example.net
               discard                                                if sender is discarded@pass.example.net
               quarantine "held"                                      if sender is held@pass.example.net }
  on rcpt    { reject 550 5.1.1 "no %{recipient}"                     if recipient is nobody@example.org
               defer 450 4.7.1 "later"                                if recipient is later@example.org }
}
policy submission {
  on rcpt    { accept                                                 if client in recent }
}
"""

OUTSIDE, BOB = "<somebody@elsewhere.example.com>", "<bob@example.org>"


@pytest.fixture
def daemon(nameserver, directory, postfix_server, sendmail_server):
    settings = SETTINGS.replace("{policy}", postfix_server.policy).replace("{map}", sendmail_server.map)
    with sekisho.Daemon(directory, POLICY, settings=settings, base=BASE) as running:
        yield running


@pytest.fixture
def pop(daemon):
    reason = pop3.Pop3.why_not()
    if reason:
        pytest.skip(reason)
    running = pop3.Pop3(daemon.directory + "/dovecot", sekisho.PROGRAM, daemon.directory + "/control")
    yield running
    running.stop()


def change(daemon, *arguments):
    done = sekisho.run("list", *arguments, "--socket", f"{daemon.directory}/control")
    assert done.returncode == 0, done.stderr


def rcpt(mta, recipient, sender="<alice@pass.example.net>", source=space.GOOD):
    with smtp.Client(mta, "pop", source=source) as client:
        return client.envelope(sender, [recipient]).last


def test_who_reads_mail_may_send_mail_for_a_while(daemon, pop, mta):
    assert "elay" in rcpt(mta, OUTSIDE).text and rcpt(mta, OUTSIDE).code >= 500
    assert pop.log_in(space.GOOD, "wrong").startswith("-ERR")
    assert rcpt(mta, OUTSIDE).code >= 500
    assert pop.log_in(space.GOOD).startswith("+OK"), pop.tail()
    assert rcpt(mta, OUTSIDE).code == 250, pop.tail()
    assert rcpt(mta, OUTSIDE, source=space.BAD).code >= 500, "another client"
    change(daemon, "remove", "recent", space.GOOD)
    assert rcpt(mta, OUTSIDE).code >= 500


def test_postfix_obeys_each_action_of_the_policy_door(daemon, postfix_server, token):
    assert rcpt(postfix_server, BOB, "<refused@pass.example.net>").text.endswith("refused by its sender")
    assert rcpt(postfix_server, "<nobody@example.org>").text.endswith("no nobody@example.org")
    assert rcpt(postfix_server, "<later@example.org>").code == 450
    for sender, verdict in (("alice", "accept"), ("discarded", "discard"), ("held", "quarantine")):
        replies = smtp.send(postfix_server, f"<{sender}@pass.example.net>", [BOB], smtp.message(token + sender),
                            service="pop")
        assert replies.end.code == 250
        record = daemon.record(sender=f"{sender}@pass.example.net", verdict=verdict)
        assert record["client"] == space.GOOD and record["helo"] == "mail.example.net"
        assert record["queue-id"] or verdict == "discard", "Postfix has none yet, and asks no more about it"
    assert postfix_server.delivered(token + "alice")
    assert postfix_server.held(token + "held")
    assert not postfix_server.find(token + "discarded")


def test_a_quoted_local_part_arrives_as_the_client_wrote_it(daemon, postfix_server, token):
    with smtp.Client(postfix_server, "pop") as client:
        client.envelope(f'<"{token} x"@pass.example.net>', [BOB])
        client.command("DATA")
        client.command(".")
    assert daemon.record(sender=f'"{token} x"@pass.example.net')


def test_without_the_daemon_nobody_relays_and_nothing_passes(daemon, mta):
    change(daemon, "add", "recent", space.GOOD)
    assert rcpt(mta, OUTSIDE).code == 250
    daemon.stop()
    assert rcpt(mta, OUTSIDE).code in (450, 451)
    daemon.start()
    assert rcpt(mta, OUTSIDE).code == 250, "the list survives"


def fail2ban(name, daemon):
    """An action of conf/fail2ban-action as fail2ban would run it."""
    values = {"list": "bad", "ip": space.GOOD, "bantime": "600", "sekisho": sekisho.PROGRAM,
              "control": daemon.directory + "/control"}
    path = os.path.join(sekisho.HERE, "../../conf/fail2ban-action.in")
    with open(path) as f:
        line = [line for line in f if line.startswith(name + " = ")][0].split(" = ", 1)[1]
    for key, value in values.items():
        line = line.replace(f"<{key}>", value)
    return subprocess.run(["sh", "-c", line], timeout=20).returncode


def test_fail2ban_bans_and_unbans_a_client(daemon, postfix_server):
    assert rcpt(postfix_server, BOB).code == 250
    assert fail2ban("actionban", daemon) == 0
    assert rcpt(postfix_server, BOB).text.endswith("listed")
    assert fail2ban("actionunban", daemon) == 0
    assert rcpt(postfix_server, BOB).code == 250


# ---- peers that no mail server is


def connected(s, path):
    try:
        s.connect(path)
        return True
    except BlockingIOError:
        return False


def ask(path, data, half_close=False):
    """What comes back until the other end closes or the answer is whole."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        assert wait_for(lambda: connected(s, path)), "its queue of connections stays full"
        try:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return s.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            return b""


REQUEST = b"request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=%d.x\nclient_address=203.0.113.5\n" \
          b"sender=alice@pass.example.net\nrecipient=bob@example.org\n\n"


def test_garbage_and_crowds_hurt_nobody_else(daemon, postfix_server, sendmail_server):
    policy, sockets = postfix_server.policy, sendmail_server.map
    for garbage in (b"\n\n", b"GET / HTTP/1.1\r\n\r\n\n\n", b"request=x\n\n", b"a" * 200000, bytes(range(256)) * 300):
        assert ask(policy, garbage, True) == b""
    for garbage in (b"x", b"99999999:x", b"3:abcd", b"-1:,", b"5:nokey,", b"1" * 100000):
        assert ask(sockets, garbage, True) == b""
    silent = []
    for i in range(1100):
        s = socket.socket(socket.AF_UNIX)
        s.connect(policy)
        silent.append(s)
        if i % 3 == 0:
            s.sendall(b"request=smtpd_access_policy\nprotocol_st")
    assert ask(policy, REQUEST % 1) == b"action=DUNNO\n\n"
    assert ask(policy, REQUEST % 1, True) == b"action=DUNNO\n\n"
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(ask(policy, REQUEST % i))) for i in range(2, 66)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"action=DUNNO\n\n"] * 64
    assert ask(sockets, b"18:recent 203.0.113.5,") == b"9:NOTFOUND ,"
    for s in silent:
        s.close()
    assert daemon.alive() and daemon.status()["version"]
