"""`sekisho queue` as QMAILQUEUE: the contract of qmail-queue, what the policy makes of a message, and kill -9 at any point."""
import ctypes
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

import qmail_queue
import sekisho

POLICY = """
policy inbound {
  on connect { reject 554 5.7.1 "no service for %{client}"        if client is 198.51.100.7 }
  on mail    { reject 550 5.1.8 "sender %{sender}"                if sender is spam@pass.example.net
               discard                                            if sender is hole@pass.example.net
               quarantine "odd sender"                            if sender is odd@pass.example.net
               defer 451 4.7.1 "later"                            if sender is later@pass.example.net }
  on rcpt    { reject 550 5.1.1 "no %{recipient} here"            if recipient is nobody@example.org
               defer 450 4.2.0 "busy"                             if recipient is busy@example.org }
  on message {
    reject 550 5.7.26 "line one" "100%% two"                      if header("Subject") is "two lines"
    reject 550 5.7.1 "%{header(X-Text)}"                          if header.count("X-Text") > 0
    add-header X-Helo "%{helo}"
    add-header X-Client "%{client} %{client.name}"
    add-header X-Tls "%{tls.version}"                             if tls
    add-header X-Login "%{auth.user}"                             if auth
    add-header X-Bottom "1" bottom
    delete-header X-Gone
    replace-header X-One "new"
    set-sender "new@example.org"                                  if header("Subject") is "envelope"
    add-recipient "more@example.org"                              if header("Subject") is "envelope"
    delete-recipient "bob@example.org"                            if header("Subject") is "envelope"
    footer "the footer"                                            if header("Subject") is "footer"
  }
}
policy submission { on message { add-header X-Ours "%{auth.user}" } }
policy local { on message { add-header X-Local "yes" } }
"""
BASE = sekisho.SETTINGS.replace("port 587 465", "port 587 465 daemon-name qmail-relay").replace(
    "authentication-results {{ spf auth }}", "authentication-results off")

MESSAGE = b"From: Alice <alice@pass.example.net>\nTo: bob@example.org\nSubject: hello\n\nHello.\n..\nEnd.\n"


def message(subject="hello", *fields, body=b"Hello.\n"):
    return b"From: Alice <alice@pass.example.net>\nSubject: %s\n" % subject.encode() + \
        b"".join(f.encode() + b"\n" for f in fields) + b"\n" + body


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    with sekisho.Daemon(module_directory, POLICY, base=BASE) as running:
        yield running


@pytest.fixture
def caller(daemon, directory):
    return qmail_queue.Caller(sekisho.PROGRAM, directory + "/queue", SEKISHO_SOCKET=sekisho.INET)


def fields(done):
    """The header of what was queued, as lines."""
    return done.queued.message.split(b"\n\n")[0].decode().split("\n")


# ---- the message and its envelope -----------------------------------------------------------------


def test_a_message_is_queued_with_its_edits_and_nothing_else_changed(daemon, caller, token):
    text = b"X-One: old\nX-Gone: 1\n\tfolded\nSubject: x\nX-Odd  : a\xff\0b\nX-Gone: 2\n\n" + \
        b"a\r\nb\rc\n.\n..\n\0\xff\n" + b"x" * 5000 + b"\n\n\n" + token.encode()
    done = caller.queue(text, sender=token + "@pass.example.net", recipients=["bob@example.org", "carol@example.org"])
    assert done.code == 0 and not done.errors
    assert done.queued.sender.decode() == token + "@pass.example.net"
    assert done.queued.recipients == [b"bob@example.org", b"carol@example.org"]
    assert done.queued.message == (
        b"X-Helo: mail.example.net\nX-Client: 203.0.113.5\n"
        b"Received: from unknown (HELO mail.example.net) (203.0.113.5)\n"
        b"  by mx.example.org with ESMTP; 27 Nov 2026 12:00:00 -0000\n"
        b"X-One: new\nSubject: x\nX-Odd  : a\xff\0b\nX-Bottom: 1\n\n" + text.split(b"\n\n", 1)[1])
    record = daemon.record(sender=token + "@pass.example.net")
    assert record["client"] == "203.0.113.5" and record["helo"] == "mail.example.net" and record["verdict"] == "accept"


def test_the_envelope_is_changed(caller):
    done = caller.queue(message("envelope"), recipients=["bob@example.org", "carol@example.org"])
    assert done.queued[:2] == (b"new@example.org", [b"carol@example.org", b"more@example.org"])


def test_a_body_is_replaced(caller):
    done = caller.queue(message("footer", body=b"One.\nTwo.\n"))
    assert done.queued.message.endswith(b"\n\nOne.\nTwo.\n\nthe footer\n"), done


@pytest.mark.parametrize("address", ["", "odd one@example.org", 'a"b\\c@example.org', "m\u00fcller@example.org",
                                     "x" * 900 + "@example.org"],
                         ids=range(5))
def test_addresses_come_back_as_they_were(caller, address):
    done = caller.queue(message(), sender=address, recipients=[address or "bob@example.org"])
    assert done.queued and done.queued.sender.decode() == address
    assert done.queued.recipients == [(address or "bob@example.org").encode()]


def test_a_header_without_an_end_gets_one(caller):
    done = caller.queue(b"Subject: x\nno field\nX-Gone: hidden\n\nbody\n")
    assert done.queued.message.endswith(b"\nSubject: x\nX-Bottom: 1\n\nno field\nX-Gone: hidden\n\nbody\n")
    done = caller.queue(b"Subject: x\n")
    assert done.queued.message.endswith(b"\nSubject: x\nX-Bottom: 1\n")


# ---- who the client is -------------------------------------------------------------------------------


def test_what_the_environment_and_the_received_field_say(caller):
    plain = fields(caller.queue(message()))
    assert "X-Client: 203.0.113.5" in plain and not any(f.startswith(("X-Tls", "X-Login")) for f in plain)
    named = caller.queue(message(), TCPREMOTEHOST="mail.example.net", name="mail.example.net", arguments=["--verified-names"])
    assert "X-Client: 203.0.113.5 mail.example.net" in fields(named)
    assert "X-Client: 203.0.113.5" in fields(caller.queue(message(), TCPREMOTEHOST="mail.example.net"))
    tls = fields(caller.queue(message(), SSL_PROTOCOL="TLSv1.3", SSL_CIPHER="TLS_AES_256_GCM_SHA384"))
    assert "X-Tls: TLSv1.3" in tls
    assert "X-Tls: TLS" in fields(caller.queue(message(), protocol="ESMTPS"))
    assert "X-Local: yes" in fields(caller.queue(message(), client=None))


def test_what_a_client_says_of_itself_is_not_a_login(caller):
    ident = {"TCPREMOTEINFO": "alice@example.org"}
    assert "X-Helo: mail.example.net" in fields(caller.queue(message(), protocol="ESMTPA", **ident)), "no --auth"
    trusting = {"SEKISHO_AUTH": "TCPREMOTEINFO", **ident}
    assert "X-Helo: mail.example.net" in fields(caller.queue(message(), **trusting)), "an answer of ident"
    assert "X-Ours: alice@example.org" in fields(caller.queue(message(), protocol="ESMTPSA", **trusting))
    assert "X-Ours: bob" in fields(caller.queue(message(), SEKISHO_AUTH="SMTPAUTHUSER", SMTPAUTHUSER="bob"))
    forged = b"Received: from unknown (HELO x) (203.0.113.77)\n  by mx.example.org with ESMTPA; 27 Nov 2026 12:00:00 -0000\n"
    done = caller.run(forged + message(), qmail_queue.envelope_of("alice@pass.example.net", ["bob@example.org"]), **trusting)
    assert not any("X-Ours" in f for f in fields(done)), "a Received field that names another client"


def test_a_client_with_relayclient_may_be_a_user(caller):
    assert "X-Ours: " in fields(caller.queue(message(), RELAYCLIENT=""))
    assert "X-Ours: " in fields(caller.queue(message(), TCPLOCALPORT="587"))
    assert "X-Ours: " in fields(caller.queue(message(), SEKISHO_DAEMON_NAME="qmail-relay"))
    other = caller.queue(message(), RELAYCLIENT="", arguments=["--daemon-name", "other"])
    assert "X-Helo: mail.example.net" in fields(other), "RELAYCLIENT counts by the name of the service"


# ---- verdicts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender, subject, client, code, text", [
    ("spam", "x", "203.0.113.5", 31, b"Dsender spam@pass.example.net (#5.1.8)"),
    ("later", "x", "203.0.113.5", 71, b"Zlater (#4.7.1)"),
    ("alice", "two lines", "203.0.113.5", 31, b"Dline one 100% two (#5.7.26)"),
    ("alice", "x", "198.51.100.7", 31, b"Dno service for 198.51.100.7 (#5.7.1)"),
    ("odd", "x", "203.0.113.5", 71, None),
], ids=range(5))
def test_a_refusal_is_an_exit_code_and_perhaps_a_text(caller, sender, subject, client, code, text):
    case = {"sender": sender + "@pass.example.net", "client": client}
    assert caller.queue(message(subject), **case)[:3] == (code, None, None)
    told = caller.queue(message(subject), text_fd=6, SEKISHO_TEXT="notqmail", **case)
    assert told[:2] == (82, None) and (text is None or told.text == text)
    told = caller.queue(message(subject), text_fd=9, SEKISHO_TEXT="indimail", ERROR_FD="9", **case)
    assert told[:2] == (88, None) and (text is None or told.text == text)
    for absent in ({"SEKISHO_TEXT": "notqmail"}, {"SEKISHO_TEXT": "indimail", "ERROR_FD": "2"}, {"SEKISHO_TEXT": "indimail"}):
        assert caller.queue(message(subject), **absent, **case).code == code, "nobody reads a text"


def test_a_text_is_one_line_of_ascii_and_255_bytes(caller):
    told = caller.queue(message("x", "X-Text: " + "\u00fc" + "long " * 100), text_fd=6, SEKISHO_TEXT="notqmail")
    assert len(told.text) == 255 and told.text.endswith(b" (#5.7.1)") and told.text.startswith(b"D?")
    assert all(32 <= c < 127 for c in told.text)


def test_a_message_is_discarded(daemon, caller):
    assert caller.queue(message(), sender="hole@pass.example.net")[:2] == (0, None)


def test_refused_recipients(daemon, caller, token):
    both = ["bob@example.org", "nobody@example.org", "busy@example.org"]
    assert caller.queue(message(), recipients=both)[:2] == (31, None)
    told = caller.queue(message(), recipients=both[2:] + both[:2], text_fd=6, SEKISHO_TEXT="notqmail")
    assert told.text == b"Dno nobody@example.org here (#5.1.1)", "for good counts before for now"
    assert caller.queue(message(), recipients=["bob@example.org", "busy@example.org"])[:2] == (71, None)
    some = caller.queue(message(), recipients=both[:2], SEKISHO_REFUSED="some", sender=token + "@pass.example.net")
    assert some.code == 0 and some.queued.recipients == [b"bob@example.org"]
    assert "1 of 2 recipients were refused" in some.errors
    assert len(daemon.record(sender=token + "@pass.example.net")["refused"]) == 1
    assert caller.queue(message(), recipients=both[1:2], SEKISHO_REFUSED="some")[:2] == (31, None)
    for recipients in (both, both[1:], both[::-1]):
        assert caller.queue(message(), recipients=recipients, SEKISHO_REFUSED="some")[:2] == (71, None), "it comes again"


def test_recipients_are_bounded_before_they_cost_anything(daemon, caller):
    many = [f"x{number}@example.org" for number in range(10001)]
    assert caller.queue(message(), recipients=many[1:])[0] == 0
    refused = caller.queue(message(), recipients=many)
    assert refused[:2] == (31, None) and "more than 10,000 recipients" in refused.errors


def test_nobody_who_reads_standard_error_stops_no_mail(daemon, caller, directory):
    for name, content in (("envelope", qmail_queue.envelope_of("alice@pass.example.net", ["bob@example.org", "nobody@example.org"])),
                          ("message", message())):
        with open(f"{directory}/{name}", "wb") as f:
            f.write(content)
    reader, writer = os.pipe()
    os.close(reader)
    command = ["bash", "-c", f'exec "$@" <{directory}/message 1<{directory}/envelope', "bash", sekisho.PROGRAM, "queue"]
    options = {"stderr": writer, "timeout": 30}
    for refused, code in (("some", 0), ("all", 31)):
        environment = {**caller.environment, "TCPREMOTEIP": "203.0.113.5", "SEKISHO_REFUSED": refused}
        assert subprocess.run(command, env=environment, **options).returncode == code
        assert len(caller.queue_files.new()) == (1 if code == 0 else 0)
    away = {**caller.environment, "SEKISHO_SOCKET": f"unix:{directory}/none", "SEKISHO_ON_FAILURE": "accept"}
    assert subprocess.run(command, env=away, **options).returncode == 0 and len(caller.queue_files.new()) == 1
    os.close(writer)


def test_a_message_that_is_not_there_is_not_an_empty_one(daemon, caller, directory):
    with open(directory + "/envelope", "wb") as f:
        f.write(qmail_queue.envelope_of("alice@pass.example.net", ["bob@example.org"]))
    for places in ("<&-", "<&- 2<&-"):
        ended = subprocess.run(["bash", "-c", f'exec "$@" 1<{directory}/envelope {places}', "bash", sekisho.PROGRAM, "queue"],
                               env=caller.environment, timeout=30)
        assert ended.returncode == 54 and not caller.queue_files.new()


def test_a_message_to_be_held_goes_to_the_administrator(daemon, caller):
    done = caller.queue(message(), sender="odd@pass.example.net", recipients=["bob@example.org", "carol@example.org"],
                        arguments=["--quarantine", "quarantine@example.org"])
    assert done.queued.recipients == [b"quarantine@example.org"]
    assert fields(done)[:2] == ["X-Sekisho-Quarantine: odd sender", "X-Sekisho-Recipients: bob@example.org, carol@example.org"]
    many = [f"recipient-{number}@example.org" for number in range(500)]
    held = caller.queue(message(), sender="odd@pass.example.net", recipients=many,
                        arguments=["--quarantine", "quarantine@example.org"]).queued
    named = held.message.split(b"X-Sekisho-Recipients: ")[1].split(b"\nX-")[0].split(b"\nReceived")[0]
    assert named.decode().replace("\n", "").replace("\t", "").replace(" ", "").split(",") == many, "it can be sent to all of them"
    assert all(len(line) < 998 for line in held.message.split(b"\n"))


# ---- the contract ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("envelope, code", [
    (b"", 54), (b"F", 54), (b"Fa@b.example\0", 54), (b"Fa@b.example\0Tc@d.example", 54), (b"Fa@b.example\0Tc@d.example\0", 54),
    (b"X\0\0", 91), (b"\0\0", 91), (b"a@b.example\0Tc\0\0", 91), (b"Fa@b.example\0Fc@d.example\0\0", 91),
    (b"Fa@b.example\0c@d.example\0\0", 91), (b"Ta@b.example\0\0", 91),
    (b"F" + b"a" * 1003 + b"\0Tc\0\0", 11), (b"Fa@b.example\0T" + b"a" * 1003 + b"\0\0", 11),
], ids=range(13))
def test_an_envelope_that_is_not_one(caller, envelope, code):
    assert caller.run(MESSAGE, envelope)[:2] == (code, None)


def test_a_message_without_recipients_is_not_judged(caller):
    assert caller.run(MESSAGE, b"Fa@b.example\0\0").queued == (b"a@b.example", [], MESSAGE)


@pytest.mark.parametrize("code", [11, 31, 51, 53, 62, 71, 81, 91, 1, 99])
def test_the_code_of_the_real_one_is_passed_on(caller, code):
    assert caller.queue(message(), QUEUE_EXIT=str(code))[:2] == (code, None)
    early = caller.queue(message(body=b"x" * 300000), QUEUE_EARLY=str(code))
    assert early[:2] == (code, None), "it did not read"


def test_a_real_one_that_lies_dies_or_is_missing_is_no_success(caller, directory):
    assert caller.queue(message(body=b"x" * 300000), QUEUE_EARLY="0").code == 54
    assert caller.queue(message(), SEKISHO_QUEUE=directory + "/missing").code == 120
    killed = directory + "/killed"
    with open(killed, "w") as f:
        f.write("#!/bin/sh\nkill -9 $$\n")
    os.chmod(killed, 0o755)
    assert caller.queue(message(), SEKISHO_QUEUE=killed).code == 81


@pytest.mark.parametrize("arguments", [["--socket", "nowhere"], ["--on-failure", "perhaps"], ["--text", "no"], ["--wrong"],
                                       ["--quarantine", "me"], ["operand"], ["--queue"], ["--refused", "none"]])
def test_wrong_options_are_a_wrong_configuration(caller, arguments):
    done = caller.queue(message(), arguments=arguments)
    assert done[:2] == (55, None) and done.errors.startswith("sekisho queue: ")


def test_the_policy_file_names_the_socket(daemon, caller):
    values = {"SEKISHO_CONFIG": daemon.file}
    caller.environment.pop("SEKISHO_SOCKET")
    assert caller.queue(message(), **values).code == 0
    assert caller.queue(message(), SEKISHO_CONFIG="/nonexistent").code == 55


def test_a_full_disk(caller, directory):
    """/var/tmp is a small file system for this program alone."""
    script = f'mount -t tmpfs -o size=256k none /var/tmp && exec {sekisho.PROGRAM} "$@"'
    wrapper = directory + "/small-disk"
    with open(wrapper, "w") as f:
        f.write(f"#!/bin/sh\nexec unshare -m sh -c '{script}' sh \"$@\"\n")
    os.chmod(wrapper, 0o755)
    caller.program = wrapper
    assert caller.queue(message(body=b"x" * 100000)).code == 0
    assert caller.queue(message(body=b"x" * 1000000))[:2] == (53, None)


# ---- the daemon is away, or is something else --------------------------------------------------------------


class Listener:
    """Something that listens, and does `behave(connection)`."""

    def __init__(self, path, behave):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.behave = behave
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self.behave(connection)
                except OSError:
                    pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


NEGOTIATED = b"\0\0\0\x0dO\0\0\0\x06\0\0\0\0" + (0x000FF280).to_bytes(4, "big")  # mutes everything before the end


@pytest.mark.parametrize("said", [
    b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\0", b"\xff\xff\xff\xffO", b"\0\0\0\x01c", b"\0\0\0\x05Oabcd",
    b"\0\0\0\x0dO\0\0\0\x06\xff\xff\xff\xff\0\0\0\0",          # actions that were not offered
    NEGOTIATED + b"\0\0\0\x01Z", NEGOTIATED + b"\0\0\0\x05m\0\0\0\x01", NEGOTIATED + b"\0\0\0\x08iabcdx\0y",
    NEGOTIATED + b"\0\0\0\x0bh:\0Evil: y\0\0\0\0\x01c", NEGOTIATED + b"\0\0\0\x03y20", NEGOTIATED + b"\0\0\0\x01s",
    NEGOTIATED + b"\0\0\0\x02+x",
], ids=range(14))
def test_what_is_no_milter_counts_as_away(caller, directory, said):
    def behave(connection):
        connection.recv(100)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    listener = Listener(directory + "/other", behave)
    where = {"SEKISHO_SOCKET": f"unix:{directory}/other"}
    try:
        deferred = caller.queue(message(), **where)
        assert deferred[:2] == (71, None) and "the daemon does not answer" in deferred.errors
        assert "Evil" not in deferred.errors
        accepted = caller.queue(message(), arguments=["--on-failure", "accept"], **where)
        assert accepted.code == 0 and accepted.queued.message.endswith(message())
    finally:
        listener.close()


def test_without_the_daemon_the_message_is_deferred_or_queued_as_it_is(caller, directory):
    where = {"SEKISHO_SOCKET": f"unix:{directory}/nothing"}
    assert caller.queue(message(), **where)[:2] == (71, None)
    assert caller.queue(message(), text_fd=6, SEKISHO_TEXT="notqmail", **where).text == \
        b"ZThe policy service is not available (#4.3.0)"
    done = caller.queue(MESSAGE, SEKISHO_ON_FAILURE="accept", **where)
    assert done.code == 0 and done.queued.message.endswith(MESSAGE)
    assert caller.queue(message(), SEKISHO_SOCKET="inet:1@127.0.0.1")[:2] == (71, None)


# ---- nothing is lost ------------------------------------------------------------------------------------------
#
# What qmail-smtpd sees is the end of the process: anything but exit code 0 makes the client come again. So a message is
# lost when the code was 0 and it is not in the queue, and broken when it is there and not complete.

BODY = b"".join(b"%07d\n" % i for i in range(40000))


def judged(caller, process, thread):
    code = process.wait(timeout=60)
    thread.join()
    process.stderr.close()
    return code


def complete(found):
    return found.sender == b"alice@pass.example.net" and found.recipients == [b"bob@example.org"] * 3 and \
        found.message.endswith(b"\n\n" + BODY) and found.message.startswith(b"X-Helo: ")


def settle(caller):
    """The stand-in may still run after the death of its caller."""
    while caller.queue_files.is_written():
        time.sleep(0.02)
    return caller.queue_files.new()


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_broken(caller):
    """kill -9 at delays that cover the whole run."""
    envelope = qmail_queue.envelope_of("alice@pass.example.net", ["bob@example.org"] * 3)
    stamp = qmail_queue.RECEIVED % (b"unknown", b"mail.example.net", b"203.0.113.5", b"ESMTP")
    began = time.monotonic()
    caller.run(stamp + message(body=BODY), envelope)
    whole = time.monotonic() - began
    killed = ended = queued = 0
    for i in range(15):
        process, thread, _ = caller.start(stamp + message(body=BODY), envelope)
        time.sleep(whole * 1.1 * i / 15)
        process.send_signal(signal.SIGKILL)
        code = judged(caller, process, thread)
        found = settle(caller)
        assert all(complete(one) for one in found)
        assert code != 0 or len(found) == 1, "answered with 0, and not queued"
        killed += code == -signal.SIGKILL
        ended += code == 0
        queued += len(found)
    assert killed > 3 and queued < 15, (killed, ended, queued)


PTRACE_TRACEME, PTRACE_SYSCALL = 0, 24
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def full_pipe(data):
    """The read end of a pipe that holds the data and nothing more."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read


def killed_at(caller, point, message, envelope):
    """Runs it and kills it at a point: each system call has two, before and after. (exit code or None, points it had)"""
    environment = {**caller.environment, "TCPREMOTEIP": "203.0.113.5"}
    ends = full_pipe(message), full_pipe(envelope)
    child = os.fork()
    if child == 0:
        try:
            os.dup2(ends[0], 0)
            os.dup2(ends[1], 1)
            os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
            ptrace(PTRACE_TRACEME, 0, None, None)
            os.execve(caller.program, [caller.program, "queue"], environment)
        finally:
            os._exit(99)
    for end in ends:
        os.close(end)
    _, status = os.waitpid(child, 0)
    for number in range(point):
        stopped = os.WSTOPSIG(status) if os.WIFSTOPPED(status) else 0
        ptrace(PTRACE_SYSCALL, child, None, 0 if stopped == signal.SIGTRAP else stopped)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status), number
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, point


def test_killed_before_and_after_every_system_call_nothing_is_lost_and_nothing_is_broken(caller):
    envelope = qmail_queue.envelope_of("alice@pass.example.net", ["bob@example.org"] * 3)
    text = qmail_queue.RECEIVED % (b"unknown", b"mail.example.net", b"203.0.113.5", b"ESMTP") + message()
    code, points = killed_at(caller, 10 ** 6, text, envelope)
    assert code == 0 and len(settle(caller)) == 1 and points > 100
    queued = []  # at each of the last points, and at some of those before: most are of the start of a program
    for point in [*range(1, points - 60, 60), *range(points - 60, points)]:
        code, _ = killed_at(caller, point, text, envelope)
        found = settle(caller)
        assert code is None or code == 0 and found, f"point {point}: it ended with {code}"
        assert all(one.message.endswith(b"\n\nHello.\n") and one.message.startswith(b"X-Helo: ") and
                   one.recipients == [b"bob@example.org"] * 3 for one in found), f"point {point}: {found}"
        queued.append(len(found))
    assert 0 < sum(queued) < 20, "queued only when it is killed after the last byte"


def test_the_daemon_killed_while_it_judges_nothing_is_lost(daemon, caller, directory):
    """The daemon is another one, which is killed at delays that cover its work."""
    envelope = qmail_queue.envelope_of("alice@pass.example.net", ["bob@example.org"] * 3)
    stamp = qmail_queue.RECEIVED % (b"unknown", b"mail.example.net", b"203.0.113.5", b"ESMTP")
    own = sekisho.Daemon(directory + "/own", POLICY, listen=f"unix:{directory}/own/milter", base=BASE)
    codes = []
    try:
        for i in range(8):
            if not own.alive():
                own.start()
            process, thread, _ = caller.start(stamp + message(body=BODY), envelope,
                                              SEKISHO_SOCKET=f"unix:{directory}/own/milter")
            time.sleep(0.003 * i)
            own.kill()
            code = judged(caller, process, thread)
            found = settle(caller)
            assert code in (0, 71) and len(found) == (code == 0) and all(complete(one) for one in found)
            codes.append(code)
    finally:
        own.kill()
    assert 71 in codes
