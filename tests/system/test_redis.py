"""Daemons that share a Redis server, which is killed, stopped, emptied, a replica, full, not the right one: mail flows or
waits as the policy says, the log has one line, and everything is right again afterwards."""
import json
import os
import subprocess
import threading
import time

import pytest

import miltc
import redis_server
import sekisho
import smtp
import space
from mta import wait_for

URL = "redis://127.0.0.1:6379/0"

SETTINGS = """
store {url} timeout 500ms {more}
limit hourly  {{ key auth.user  count messages  hard 100  per 1h }}
limit people  {{ key auth.user  count distinct-recipients  hard 5  per 1h }}
greylist {{ delay 1s  window 2d  remember 36d }}
list recent dynamic:30m
"""

POLICY = """
policy submission {
  on mail {
    reject 550 5.7.1 "Blocked: %{blocked.why}"              if blocked
    defer 450 4.7.1 "hourly: %{limit.count("hourly")}"      if limit("hourly") is over
  }
  on rcpt { defer 450 4.7.1 "people: %{limit.count("people")}"  if auth.user is many and limit("people") is over }
}
policy inbound {
  on rcpt { defer 451 4.2.0 "Greylisted"                    if sender.domain is none.example.net and greylist is { new early } }
  on message {
    log "repeats %{dkim.repeats}"                           if dkim.repeats >= 0
    reject 550 5.7.1 "listed"                               if client in recent
  }
}
"""

QUIET = "policy inbound { on mail { reject 550 5.7.1 \"quiet\" if sender is quiet@pass.example.net } }\n"


@pytest.fixture
def redis(world, token):
    reason = redis_server.why_not()
    if reason:
        pytest.skip(reason)
    server = redis_server.Server(os.path.join(world.root, "redis-" + token[:12]))
    yield server
    server.kill()


def daemon_of(directory, url=URL, more="", port=8891, **options):
    return sekisho.Daemon(directory, POLICY, settings=SETTINGS.format(url=url, more=more),
                          listen=f"inet:{port}@127.0.0.1", **options)


@pytest.fixture
def daemon(nameserver, redis, directory):
    with daemon_of(directory) as running:
        yield running


@pytest.fixture
def two(nameserver, redis, directory):
    with daemon_of(directory + "/a") as a, daemon_of(directory + "/b", port=8892) as b:
        yield a, b


def submit(user="alice", port=8891, recipients=("<bob@example.org>",)):
    """The text of the refusal of a message, "" when it is taken."""
    with miltc.Milter(("127.0.0.1", port)) as m:
        m.greet()
        m.macros("mail", auth_authen=user, auth_type="PLAIN")
        answer = m.message("<alice@example.org>", recipients)
        m.quit()
    return "" if answer.what == "continue" else answer.text


def lines(daemon, word=""):
    return [line["message"] for line in daemon.messages() if "store redis" in line["message"] or "the store" in line["message"]
            if word in line["message"]]


def verb(daemon, *words, code=0):
    done = sekisho.run(*words, "--socket", f"{daemon.directory}/control")
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def works_again(daemon, seconds=60):
    """The thread of the store finds out; no message is needed."""
    assert wait_for(lambda: lines(daemon, "works again"), seconds, every=0.2), lines(daemon)


# ---- two daemons


def test_a_limit_is_exact_over_two_daemons(two):
    taken = []

    def session(port):
        for _ in range(8):
            taken.append(submit("many.more", port) == "")

    threads = [threading.Thread(target=session, args=(8891 + i % 2,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 128 and taken.count(True) == 100
    assert submit("many.more", 8891) == submit("many.more", 8892) == "450 4.7.1 hourly: 100"
    assert not lines(two[0]) and not lines(two[1])


def test_members_of_a_set_are_counted_over_two_daemons(two):
    for i in range(5):
        assert submit("many", 8891 + i % 2, [f"<user{i}@example.org>"]) == ""
    assert submit("many", 8891, ["<user9@example.org>"]) == submit("many", 8892, ["<user8@example.org>"]) == "450 4.7.1 people: 5"
    assert submit("many", 8892, ["<user0@example.org>"]) == ""


def test_greylisting_through_a_mail_server_and_another_node(two, postfix_server, token):
    sender = f"<{token}@none.example.net>"
    with smtp.Client(postfix_server, source=space.BAD) as client:
        assert client.send(sender, ["<bob@example.org>"], smtp.message(token)).rcpt[0].code == 451
    time.sleep(1.2)
    with miltc.Milter(("127.0.0.1", 8892)) as m:
        m.greet(space.BAD)
        assert m.message(sender).what == "continue"
        m.quit()
    with smtp.Client(postfix_server, source=space.BAD) as client:
        assert client.send(sender, ["<bob@example.org>"], smtp.message(token)).last.code == 250
    assert postfix_server.delivered(token)


def test_blocks_lists_and_keys_are_those_of_both(two):
    a, b = two
    verb(a, "block", "alice", "--for", "1h", "--why", "stolen")
    assert submit("alice", 8892) == "550 5.7.1 Blocked: stolen"
    assert "stolen" in verb(b, "blocks")
    verb(b, "unblock", "alice")
    assert submit("alice", 8891) == ""
    verb(a, "list", "add", "recent", "203.0.113.0/24")
    with miltc.Milter(("127.0.0.1", 8892)) as m:
        m.greet("203.0.113.7")
        assert m.message().text == "550 5.7.1 listed"
        m.quit()
    assert "203.0.113.0/24" in verb(b, "list", "show", "recent")
    assert submit("bob", 8891) == submit("bob", 8892) == ""
    assert "bob" in verb(a, "logins")
    shown = verb(b, "store", "list", "limit:hourly")
    assert "limit:hourly" in shown and "bob" in shown
    verb(a, "store", "delete", "limit:hourly")
    assert verb(b, "store", "list", "limit:hourly").strip() in ("", "no keys") or "bob" not in verb(b, "store", "list", "limit:hourly")


def signed(dns, directory):
    """The fields of a message with a signature of our own."""
    done = sekisho.run("genkey", "signer.example.org", "s1", "--out", f"{directory}/s1.pem", "--type", "ed25519")
    assert done.returncode == 0, done.stderr
    dns.zone(done.stdout.strip().replace(". IN TXT", " TXT"))
    fields = [("From", " Alice <alice@signer.example.org>"), ("Subject", " hello"), ("To", " bob@example.org")]
    settings = f"sign signer.example.org {{ selector s1 key {directory}/s1.pem }}\n"
    with sekisho.Daemon(directory + "/signer", "policy submission { on message { sign } }\n", settings=settings,
                        listen="inet:8893@127.0.0.1"):
        with miltc.Milter(("127.0.0.1", 8893)) as m:
            m.greet()
            m.macros("mail", auth_authen="alice", auth_type="PLAIN")
            assert m.message("<alice@signer.example.org>", headers=fields).what == "continue"
            signature, = [edit[3] for edit in m.edits() if edit[2] == "DKIM-Signature"]
            m.quit()
    return [("DKIM-Signature", signature)] + fields


def test_a_signature_that_comes_again_is_counted_by_both(two, dns, directory):
    fields = signed(dns, directory)
    for i in range(4):
        with miltc.Milter(("127.0.0.1", 8891 + i % 2)) as m:
            m.greet("203.0.113.9")
            assert m.message("<x@pass.example.net>", headers=fields).what == "continue"
            m.quit()
        wait_for(lambda: len(two[i % 2].read_records()) > i // 2)
    notes = [note for daemon in two for record in daemon.records() for note in json.dumps(record).split('"') if "repeats " in note]
    assert sorted(notes) == [f"repeats {i}" for i in range(4)]


# ---- a server in trouble


@pytest.mark.parametrize("how", ["killed", "stopped", "a replica", "busy"])
def test_while_the_server_does_not_answer_mail_flows(daemon, redis, how):
    assert submit() == ""
    if how == "killed":
        redis.kill()
    elif how == "stopped":
        redis.freeze()
    elif how == "busy":
        threading.Thread(target=redis.say, args=("EVAL", "while true do end", "0")).start()
        time.sleep(0.3)
    else:
        assert redis.say("REPLICAOF", "127.0.0.1", "1") == "+OK"
    for _ in range(20):
        assert submit() == ""
    assert wait_for(lambda: lines(daemon), 15)
    assert len(lines(daemon)) == 1 and f"store {URL}: " in lines(daemon)[0], lines(daemon)
    expected = {"killed": ("Connection refused", "closed"), "stopped": ("does not answer in time",),
                "a replica": ("read-only replica",), "busy": ("does not answer in time", "busy")}[how]
    assert any(word in lines(daemon)[0] for word in expected), lines(daemon)
    if how == "killed":
        redis.start()
    elif how == "stopped":
        redis.thaw()
    elif how == "busy":
        assert wait_for(lambda: redis.say("SCRIPT", "KILL") == "+OK", 15)
    else:
        assert redis.say("REPLICAOF", "NO", "ONE") == "+OK"
    works_again(daemon)
    for _ in range(100):
        assert submit("edge") == ""
    assert submit("edge") == "450 4.7.1 hourly: 100"


def test_with_on_failure_defer_mail_waits(nameserver, redis, directory):
    with daemon_of(directory, more="on-failure defer") as daemon:
        assert submit() == ""
        redis.freeze()
        for _ in range(5):
            assert submit().startswith("451 4.3.0"), "a message was taken without its limit"
        redis.thaw()
        assert wait_for(lambda: submit() == "", 40)


def test_what_was_counted_is_there_after_a_stop(daemon, redis):
    for _ in range(60):
        assert submit("edge") == ""
    redis.freeze()
    for _ in range(3):
        assert submit("other") == ""
    assert wait_for(lambda: lines(daemon), 15)
    redis.thaw()
    works_again(daemon)
    for _ in range(40):
        assert submit("edge") == ""
    assert submit("edge") == "450 4.7.1 hourly: 100"


def test_an_emptied_server_and_forgotten_scripts(daemon, redis):
    for _ in range(100):
        submit("edge")
    assert submit("edge") == "450 4.7.1 hourly: 100"
    assert redis.say("SCRIPT", "FLUSH") == "+OK"
    assert submit("edge") == "450 4.7.1 hourly: 100"
    assert redis.say("FLUSHALL") == "+OK"
    for _ in range(100):
        assert submit("edge") == ""
    assert submit("edge") == "450 4.7.1 hourly: 100"
    assert not lines(daemon)


def test_a_server_that_closes_idle_connections_is_asked_all_the_same(daemon, redis):
    for i in range(5):
        assert submit("edge") == ""
        redis.say("CLIENT", "KILL", "TYPE", "normal")
    assert not lines(daemon) and daemon.status()["store"]["unanswered"] == 0


def test_a_full_server_is_logged_and_still_read(daemon, redis):
    verb(daemon, "block", "alice", "--for", "1h", "--why", "stolen")
    redis.say("CONFIG", "SET", "maxmemory", "1")
    assert submit("alice") == "550 5.7.1 Blocked: stolen"
    assert submit("bob") == ""
    assert wait_for(lambda: lines(daemon, "no memory for another key"), 15)
    redis.say("CONFIG", "SET", "maxmemory", "0")
    assert submit("alice") == "550 5.7.1 Blocked: stolen"


def test_a_value_of_a_newer_version_is_left_alone(daemon, redis):
    assert redis.say("SET", "sekisho:1:block:name:alice", "\x02new") == "+OK"
    assert redis.say("SET", "sekisho:1:block:name:bob", "") == "+OK"
    assert redis.say("LPUSH", "sekisho:1:block:name:carol", "x") == ":1"
    for user in ("alice", "bob", "carol"):
        assert submit(user) == ""
    assert wait_for(lambda: lines(daemon, "has a value of another version of Sekisho"), 15)
    verb(daemon, "blocks")
    assert redis.say("STRLEN", "sekisho:1:block:name:alice") == ":4"
    assert daemon.status()["store"]["damaged"] >= 3


# ---- the start


def refused(directory, url, more="", **options):
    """The line of a daemon that starts, takes mail, and has no store."""
    with daemon_of(directory, url=url, more=more, **options) as daemon:
        assert submit() == ""
        assert wait_for(lambda: lines(daemon), 15)
        return lines(daemon)[0]


def test_a_server_that_is_not_redis_is_named(nameserver, postfix_server, directory):
    assert 'the answer is not one of Redis; it begins with "220 ' in refused(directory, f"redis://{space.POSTFIX}:25/0")


def test_a_server_that_is_down_is_named_and_used_when_it_comes(nameserver, world, token, directory):
    if redis_server.why_not():
        pytest.skip(redis_server.why_not())
    with daemon_of(directory) as daemon:
        assert submit() == ""
        assert wait_for(lambda: lines(daemon), 15) and "Connection refused" in lines(daemon)[0]
        server = redis_server.Server(os.path.join(world.root, "redis-" + token[:12]))
        try:
            works_again(daemon)
        finally:
            server.kill()


def test_a_password_is_needed_and_read_again(nameserver, redis, directory):
    password = f"{directory}/password"
    with open(password, "w") as f:
        f.write("wrong\n")
    assert redis.say("ACL", "SETUSER", "mail", "on", ">right", "~sekisho:*", "+@read", "+@write", "+@scripting", "+@connection",
                     "+time", "+info") == "+OK"
    url = "redis://mail@127.0.0.1:6379/2"
    with daemon_of(directory, url=url, more=f"password-file {password}") as daemon:
        assert submit() == ""
        assert wait_for(lambda: lines(daemon), 15)
        assert "does not accept the user and the password" in lines(daemon)[0] and "wrong" not in lines(daemon)[0]
        with open(password, "w") as f:
            f.write("right\n")
        works_again(daemon)
        for _ in range(100):
            assert submit("edge") == ""
        assert submit("edge") == "450 4.7.1 hourly: 100"
        assert redis.say("ACL", "SETUSER", "mail", "-evalsha") == "+OK"
        assert submit("edge") == ""
        assert wait_for(lambda: lines(daemon, "the user lacks a permission"), 15)


def test_a_cluster_is_refused(nameserver, world, token, directory):
    if redis_server.why_not():
        pytest.skip(redis_server.why_not())
    server = redis_server.Server(os.path.join(world.root, "redis-" + token[:12]), "--cluster-enabled", "yes")
    try:
        assert "it is part of a cluster, which is not supported" in refused(directory, URL)
    finally:
        server.kill()


# ---- TLS


def certificate(directory, name, *lines):
    """NAME.pem and NAME.key, signed by ca.pem, for these names."""
    with open(f"{directory}/{name}.ext", "w") as f:
        f.write("subjectAltName=" + ",".join(lines) + "\n")
    for command in (
        f"openssl req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}",
        f"openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 2 -extfile {name}.ext",
    ):
        subprocess.run(command.split(), cwd=directory, check=True, capture_output=True, timeout=60)


@pytest.fixture
def authority(directory):
    for name in ("ca", "other"):
        subprocess.run(f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}".split(),
                       cwd=directory, check=True, capture_output=True, timeout=60)
    return directory


def tls_server(world, token, directory, name):
    if redis_server.why_not():
        pytest.skip(redis_server.why_not())
    return redis_server.Server(os.path.join(world.root, "redis-" + token[:12]), "--tls-cert-file", f"{directory}/{name}.pem",
                               "--tls-key-file", f"{directory}/{name}.key", "--tls-auth-clients", "no", "--tls-ca-cert-file",
                               f"{directory}/ca.pem", tls=True)


def test_tls_verifies_the_certificate_and_its_name(nameserver, world, token, authority, directory):
    certificate(directory, "server", "IP:127.0.0.1")
    server = tls_server(world, token, directory, "server")
    url, ca = "rediss://127.0.0.1:6379/0", f"ca-file {directory}/ca.pem"
    try:
        with daemon_of(directory, url=url, more=ca) as daemon:
            for _ in range(100):
                assert submit("edge") == ""
            assert submit("edge") == "450 4.7.1 hourly: 100"
            assert not lines(daemon)
            server.freeze()
            assert submit() == ""
            assert wait_for(lambda: lines(daemon), 15)
            server.thaw()
            works_again(daemon)
            server.kill()
            assert submit() == ""
            server.start()
            assert wait_for(lambda: len(lines(daemon, "works again")) == 2, 60)
        assert "the certificate of the server is not accepted" in refused(directory + "/b", url, f"ca-file {directory}/other.pem")
        assert "the certificate of the server is not accepted" in refused(directory + "/c", url)
        assert "is not accepted" in refused(directory + "/d", "rediss://localhost:6379/0", ca)
        assert "store redis://127.0.0.1:6379/0: " in refused(directory + "/e", URL)
    finally:
        server.kill()


def test_tls_to_a_server_without_it_is_named(nameserver, redis, directory):
    assert "TLS: " in refused(directory, "rediss://127.0.0.1:6379/0")


# ---- other sessions


def test_a_session_that_waits_for_the_server_holds_up_no_other(nameserver, redis, directory):
    settings = SETTINGS.format(url=URL, more="").replace("timeout 500ms", "timeout 2s")
    with sekisho.Daemon(directory, POLICY + "policy local { on mail { reject 550 5.7.1 \"at once\" } }\n", settings=settings):
        assert submit() == ""
        redis.freeze()
        waiting = []
        for _ in range(16):
            m = miltc.Milter()
            m.greet()
            m.macros("mail", auth_authen="alice", auth_type="PLAIN")
            m.packet(b"M", b"<alice@example.org>\0")
            waiting.append(m)
        with miltc.Milter() as m:
            m.greet("127.0.0.1")
            assert m.mail("<root@example.org>").text == "550 5.7.1 at once"
        for m in waiting:
            m.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                m.socket.recv(1)
            m.socket.setblocking(True)
            m.close()
        redis.thaw()
