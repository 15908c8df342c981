"""The end of the daemon, while mail arrives: no message is cut off, and when it is gone the mail servers wait."""
import signal
import threading
import time

import miltc
import sekisho
import smtp
import space
from mta import wait_for

POLICY = """
policy inbound {
  on message {
    add-header X-Judged "yes"
    reject 550 5.7.1 "refused at the end"     if header("X-Do") is "reject"
  }
}
"""

BOB = "<bob@example.org>"


def test_slow_messages_are_finished_after_sigterm(nameserver, mta, directory, token):
    daemon = sekisho.Daemon(directory, POLICY)
    clients = [smtp.Client(mta) for _ in range(6)]
    states = []
    for number, client in enumerate(clients):
        if number == 5:
            break  # connected and no more: it has no message that could be cut
        replies = client.envelope(f"<slow{number}@pass.example.net>", [BOB])
        assert replies.rcpt[0].code == 250
        states.append(replies)
        if number == 0:
            continue  # stays before DATA
        assert client.command("DATA").code == 354
        if number > 1:
            do = "reject" if number == 4 else "nothing"
            client.raw(f"X-Do: {do}\r\nSubject: slow\r\nMessage-ID: <{token}-{number}@x>\r\n".encode())
        if number > 2:
            client.raw(b"\r\nbody begins\r\n" + b"more body\r\n" * 2000)
    time.sleep(0.3)
    daemon.process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    assert daemon.alive(), "it ended while messages were open"
    assert clients[0].command("DATA").code == 354
    assert clients[0].finish(smtp.message(f"{token}-0")).code == 250
    assert clients[1].finish(smtp.message(f"{token}-1")).code == 250
    time.sleep(0.5)
    assert clients[2].finish(b"\r\nlate body\r\n").code == 250
    assert clients[3].finish(b"last line\r\n").code == 250
    assert clients[4].finish(b"last line\r\n").code == 550
    assert daemon.wait(20) == 0
    daemon.process = None
    for number in range(4):
        assert mta.delivered(f"{token}-{number}").field("X-Judged") == "yes"
    assert not mta.find(f"{token}-4")
    for client in clients:
        client.smtp.close()


def test_while_it_drains_new_sessions_wait_at_the_mail_server(nameserver, mta, directory, token):
    daemon = sekisho.Daemon(directory, POLICY)
    with smtp.Client(mta) as slow:
        slow.envelope("<slow@pass.example.net>", [BOB])
        slow.command("DATA")
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        replies = late(mta, token)
        assert replies is None or 400 <= replies.last.code < 500
        assert slow.finish(smtp.message(token)).code == 250
    assert daemon.wait(20) == 0
    assert mta.delivered(token).field("X-Judged") == "yes"


def late(mta, token):
    """A message to a mail server whose milter is away; None when it refuses the session itself."""
    try:
        return smtp.send(mta, "<late@pass.example.net>", [BOB], smtp.message("late-" + token))
    except (OSError, smtp.smtplib.SMTPException):
        return None


def test_a_message_that_never_ends_does_not_hold_it_for_ever(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, settings="\ndrain 2s\n")
    with miltc.Milter() as m:
        m.greet()
        m.mail("<slow@pass.example.net>")
        m.rcpt(BOB)
        started = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        assert 1.5 < time.monotonic() - started < 9
    daemon.process = None
    assert daemon.records()[-1]["verdict"] == "aborted"


def test_a_second_signal_ends_it_at_once(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY)
    with miltc.Milter() as m:
        m.greet()
        m.mail("<slow@pass.example.net>")
        time.sleep(0.2)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert daemon.alive()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait(5) == 0
    daemon.process = None
    assert daemon.records()[-1]["verdict"] == "aborted"


def test_idle_sessions_do_not_hold_it(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY)
    idle = []
    for _ in range(20):
        m = miltc.Milter()
        m.greet()
        idle.append(m)
    idle[0].message()
    started = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait(20) == 0
    assert time.monotonic() - started < 8
    daemon.process = None
    for m in idle:
        m.close()


def test_32_sessions_at_once_are_all_finished(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY)
    started, results = threading.Barrier(33), []

    def session(number):
        with miltc.Milter() as m:
            m.greet()
            m.mail(f"<s{number}@pass.example.net>")
            m.rcpt(BOB)
            m.data()
            started.wait()
            time.sleep(0.5 + number * 0.03)
            m.fields(None)
            m.eoh()
            m.body(b"text\r\n")
            results.append(m.end().what)
            m.quit()
    threads = [threading.Thread(target=session, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    started.wait()
    daemon.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert daemon.wait(20) == 0
    daemon.process = None
    assert results == ["continue"] * 32
    assert sorted(r["sender"] for r in daemon.records()) == sorted(f"s{n}@pass.example.net" for n in range(32))


def test_restarts_under_traffic_let_nothing_through_unjudged(nameserver, mta, directory, token):
    """Clients that come back after a 4xx, as mail servers do; the daemon ends and starts all the while."""
    stop, taken, deferred, wrong = threading.Event(), [], [], []

    def client(who):
        number = 0
        while not stop.is_set():
            number += 1
            name = f"{token}-{who}-{number}."
            try:
                last = smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message(name)).last
            except (OSError, smtp.smtplib.SMTPException):
                deferred.append(name)
                continue
            (taken if last.code == 250 else deferred if last.code < 500 else wrong).append(name)
    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    enough = []
    for _ in range(4):
        before = len(taken)
        with sekisho.Daemon(directory, POLICY):
            enough.append(wait_for(lambda: len(taken) >= before + 6, seconds=60))
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and all(enough)
    for name in taken:
        assert mta.delivered(name).field("X-Judged") == "yes"
    assert not [name for name in deferred if mta.find(name)], "what was deferred was delivered all the same"


def test_without_the_daemon_mail_waits(nameserver, mta, directory, token):
    daemon = sekisho.Daemon(directory, POLICY)
    assert smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message("first-" + token)).end.code == 250
    daemon.kill()
    replies = late(mta, token)
    assert replies is None or 400 <= replies.last.code < 500
    assert not mta.find("late-" + token)
    with sekisho.Daemon(directory, POLICY):
        assert smtp.send(mta, "<alice@pass.example.net>", [BOB], smtp.message("again-" + token)).end.code == 250
        mta.delivered("again-" + token)


def test_killed_in_the_middle_of_a_message_nothing_is_let_through(nameserver, mta, directory, token):
    daemon = sekisho.Daemon(directory, POLICY)
    with smtp.Client(mta, source=space.GOOD) as client:
        client.envelope("<alice@pass.example.net>", [BOB])
        client.command("DATA")
        client.raw(b"Subject: half\r\n")
        time.sleep(0.2)
        daemon.kill()
        reply = client.finish(smtp.message(token))
        assert 400 <= reply.code < 500
    assert not mta.find(token)
