"""What the native engine of the milter door promises beside the protocol: few threads, nobody waits for another, and a peer
that misbehaves hurts itself alone."""
import os
import re
import resource
import socket
import struct
import threading
import time

import pytest

import miltc
import sekisho
from mta import wait_for

ENGINES = ("native",)

POLICY = """
policy inbound {
  on mail { reject 550 5.7.1 "Refused"  if sender is "refused@pass.example.net" }
  on message {
    prefix-subject "[x] "
    footer "A footer."  if header(X-Do) is "footer"
  }
}
"""
IDLE = 1000
IDLE_BYTES = 6 * 1024  # of each, with what a sanitizer or a first session adds


def status_of(daemon, key):
    with open(f"/proc/{daemon.process.pid}/status") as f:
        return int(re.search(rf"^{key}:\s+(\d+)", f.read(), re.M).group(1))


def sanitized(daemon):
    with open(f"/proc/{daemon.process.pid}/maps") as f:
        return bool(re.search("lib[at]san", f.read()))


def test_sessions_that_wait_for_dns_delay_no_other(daemon, dns, token):
    """More sessions than there are processors wait for a server that answers late; meanwhile others get whole messages
    through. None of them takes a third of that time, nor spends it in the daemon by its own measure."""
    dns.fault(f"{token}.example.net ANY slow=3")
    waiting = [miltc.Milter() for _ in range(4 * os.cpu_count())]
    answers = []

    def wait(m):
        m.greet(helo="mail.example.net")
        answers.append(m.message(f"<alice@{token}.example.net>").what)
    threads = [threading.Thread(target=wait, args=(m,)) for m in waiting]
    with miltc.Milter() as m:
        m.greet()
        m.message()  # from here on the answers for it are known
        for thread in threads:
            thread.start()
        took = []
        while not answers:
            began = time.monotonic()
            assert m.message().what == "continue"
            took.append(time.monotonic() - began)
    for thread in threads:
        thread.join()
    assert answers == ["continue"] * len(waiting)
    for m in waiting:
        m.close()
    records = daemon.records()[-len(took) - len(waiting):]
    waited = [record for record in records if token in record["sender"]]
    others = [record for record in records if token not in record["sender"]]
    assert len(waited) == len(waiting) and len(others) == len(took) >= 20
    assert max(took) < 1
    assert min(record["dns-us"] for record in waited) > 2_000_000
    assert max(record["total-us"] for record in others) < 1_000_000


def test_idle_connections_cost_neither_threads_nor_much_memory(daemon):
    with miltc.Milter() as m:
        m.greet()
        m.message()
    before = status_of(daemon, "VmRSS")
    idle = [miltc.Milter() for _ in range(IDLE)]
    for m in idle:
        m.greet()
    assert status_of(daemon, "Threads") < 32
    if not sanitized(daemon):
        assert (status_of(daemon, "VmRSS") - before) * 1024 < IDLE * IDLE_BYTES
    for m in idle:
        assert m.message("<refused@pass.example.net>").what == "reply"
        m.close()


def test_an_mta_that_does_not_read_stops_nobody(directory, nameserver):
    """Its answers fill the socket; it is not read from until they are taken."""
    path = directory + "/socket"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path}") as daemon:
        lazy = miltc.Milter(path, timeout=0.5)
        lazy.greet()
        refused = b"<refused@pass.example.net>\0"
        with pytest.raises((OSError, miltc.Closed)):
            for _ in range(100000):
                lazy.packet(b"M", refused)
        with miltc.Milter(path) as m:
            m.greet()
            assert m.message().what == "continue"
        assert status_of(daemon, "Threads") < 32
        lazy.close()


def test_a_slow_writer_stops_nobody(daemon):
    slow = [socket.create_connection(("127.0.0.1", sekisho.PORT)) for _ in range(50)]
    for part in (b"\0", b"\0\0", b"\xff", b"B" b"x"):
        for one in slow:
            one.sendall(part)
        with miltc.Milter() as m:
            m.greet()
            assert m.message().what == "continue"
    for one in slow:
        one.close()


def test_a_length_of_four_gigabytes_ends_only_its_session(daemon):
    with miltc.Milter() as other:
        other.greet()
        before = status_of(daemon, "VmSize")
        for head in (b"\xff\xff\xff\xffL", b"\xff\xff\xff\xffB", b"\x7f\xff\xff\xffO", b"\x80\0\0\0E"):
            with miltc.Milter() as m:
                m.greet()
                m.socket.sendall(head + b"x" * 1000)
                with pytest.raises(miltc.Closed):
                    m.read()
        assert status_of(daemon, "VmSize") - before < 100 * 1024
        assert other.message().what == "continue"


def test_a_large_body_comes_back_in_pieces(daemon):
    with miltc.Milter() as m:
        m.greet()
        body = b"".join(b"%d, a line of the body\r\n" % n for n in range(20000))
        assert m.message(headers=[("From", " a@pass.example.net"), ("X-Do", " footer")], body=b"") .what == "continue"
        m.mail("<alice@pass.example.net>")
        m.rcpt("<bob@example.org>")
        m.data()
        m.fields([("From", " a@pass.example.net"), ("X-Do", " footer")])
        m.eoh()
        for at in range(0, len(body), 65535):
            m.body(body[at:at + 65535])
        assert m.end().what == "continue"
        pieces = [data for code, data in m.changes if code == "b"]
        assert all(len(piece) <= 65535 for piece in pieces) and b"".join(pieces).startswith(body)


def test_accepting_stops_and_resumes_with_descriptors(directory, nameserver):
    path = directory + "/socket"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path}") as daemon:
        with miltc.Milter(path) as m:  # now the resolver has its descriptors, too
            m.greet()
            assert m.message().what == "continue"
        opened = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (opened + 20, opened + 20))
        many = [miltc.Milter(path, timeout=5) for _ in range(30)]
        for m in many[:10]:
            m.greet()
        assert status_of(daemon, "Threads") < 32
        for m in many[:10]:
            m.quit()
            m.close()
        for m in many[20:]:
            m.greet()
            assert m.message().what == "continue"
            m.close()
        for m in many[10:20]:
            m.close()


def test_several_sockets_share_one_policy(directory, nameserver):
    settings = f"listen milter unix:{directory}/second engine native mode 0600\nlisten milter inet:8892@127.0.0.1\n"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{directory}/first", settings=settings) as daemon:
        for address in (f"{directory}/first", f"{directory}/second", ("127.0.0.1", 8892)):
            with miltc.Milter(address) as m:
                m.greet()
                assert m.message("<refused@pass.example.net>").what == "reply"
        assert [door["engine"] for door in daemon.status()["doors"]] == ["native", "native", "libmilter"]


def test_sessions_and_reloads_at_once(daemon):
    """64 sessions while the policy is read again; with ThreadSanitizer it looks for races."""
    wrong, stop = [], threading.Event()

    def session(number):
        try:
            for turn in range(6):
                with miltc.Milter(timeout=60) as m:
                    m.greet()
                    sender, what = ("refused", "reply") if (number + turn) % 2 else ("alice", "continue")
                    if m.message(f"<{sender}@pass.example.net>").what != what:
                        wrong.append(sender)
        except Exception as error:  # a thread has no other way to report
            wrong.append(error)

    def reload():
        while not stop.is_set():
            if daemon.reload()[0] != 0:
                wrong.append("reload")
    threads = [threading.Thread(target=session, args=(n,)) for n in range(64)]
    reloader = threading.Thread(target=reload)
    reloader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    reloader.join()
    assert not wrong
    assert wait_for(lambda: daemon.status()["sessions"]["open"] == 0, seconds=10)
