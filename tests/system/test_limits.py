"""How much a login may send, and what the administrator blocks: at the edge of a limit, over restarts, and through both
mail servers."""
import os
import threading
import time

import pytest

import miltc
import sekisho
import smtp

LIMITS = """
store lmdb:{directory}/store
limit hourly  { key auth.user  count messages    hard 100  per 1h }
limit people  { key auth.user  count recipients  hard 10   per 1h }
limit letters { key auth.user  count messages    soft 1  hard 3  per 1h }
"""

POLICY = """
policy submission {
  on mail {
    reject 550 5.7.1 "Blocked: %{blocked.why}"              if blocked
    defer 450 4.7.1 "hourly: %{limit.count("hourly")}"      if auth.user is { many many.more } and limit("hourly") is over
    defer 450 4.7.1 "letters: again in %{limit.reset("letters")} s"
                                                            if auth.user is bob@example.org and limit("letters") is over
  }
  on rcpt {
    reject 550 5.1.1 "nobody"                               if recipient is nobody@example.org
    defer 452 4.5.3 "people: %{limit.count("people")}"      if auth.user is alice@example.org and limit("people") is over
  }
  on message {
    reject 550 5.7.1 "content"                              if header("X-Bad") is yes
  }
}
"""

ALICE, BOB = ("alice@example.org", "secret"), ("bob@example.org", "secret")


@pytest.fixture
def daemon(nameserver, directory):
    with sekisho.Daemon(directory, POLICY, settings=LIMITS) as running:
        yield running


def log_in(milter, user="many"):
    milter.greet()
    milter.macros("mail", auth_authen=user, auth_type="PLAIN")


def send(user="many"):
    """Is a message of one session taken?"""
    with miltc.Milter() as m:
        log_in(m, user)
        answer = m.message("<many@example.org>")
        m.quit()
    return answer.what == "continue", answer.text


def test_of_64_sessions_at_once_exactly_100_messages_pass(daemon):
    taken = []

    def session():
        with miltc.Milter(timeout=60) as m:
            m.greet()
            for _ in range(3):
                m.macros("mail", auth_authen="many", auth_type="PLAIN")
                taken.append(m.message("<many@example.org>").what == "continue")
            m.quit()

    threads = [threading.Thread(target=session) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 192 and taken.count(True) == 100
    assert send() == (False, "450 4.7.1 hourly: 100")
    assert send("somebody.else")[0]


def test_what_was_counted_survives_a_kill_and_a_restart(daemon):
    for _ in range(60):
        assert send()[0]
    time.sleep(1.1)  # the manual promises that what is older than a second is kept
    daemon.kill()
    daemon.start()
    for _ in range(40):
        assert send()[0]
    assert send() == (False, "450 4.7.1 hourly: 100")
    daemon.stop()  # writes what it has not written
    daemon.start()
    assert send() == (False, "450 4.7.1 hourly: 100")


def test_a_message_that_is_given_up_does_not_count(daemon):
    for _ in range(101):
        with miltc.Milter() as m:
            log_in(m)
            assert m.mail("<many@example.org>").what == "continue"
            m.rcpt("<bob@example.org>")
            m.abort()
            m.quit()
    assert send()[0]


def test_the_store_is_in_status_and_a_changed_place_waits_for_a_restart(daemon):
    assert send()[0]
    store = daemon.status()["store"]
    assert store["place"] == f"lmdb:{daemon.directory}/store" and store["asked"] > 0 and store["unanswered"] == 0
    shown = sekisho.run("status", "--socket", os.path.join(daemon.directory, "control")).stdout
    assert f"store      lmdb:{daemon.directory}/store\n" in shown and "unanswered 0" in shown
    daemon.settings = LIMITS.replace("/store", "/elsewhere")
    daemon.configure(POLICY)
    code, said = daemon.reload()
    assert code == 0 and "`store` has changed" in said
    assert daemon.status()["store"]["place"].endswith("/store") and not os.path.exists(daemon.directory + "/elsewhere")
    assert send()[0]


def test_without_need_no_store_is_made_and_a_reload_opens_it(nameserver, directory):
    quiet = "policy inbound {\n}\n"
    with sekisho.Daemon(directory, quiet, settings=LIMITS.replace("store", "#store", 1)) as daemon:
        assert "store" not in daemon.status()
        daemon.settings = LIMITS
        daemon.configure(POLICY)
        assert daemon.reload()[0] == 0
        assert "store" in daemon.status() and send()[0]
        daemon.configure(quiet)
        assert daemon.reload()[0] == 0 and "store" in daemon.status()


def test_a_store_that_cannot_be_opened_stops_the_start_and_the_reload(nameserver, directory):
    os.makedirs(directory + "/store")
    with open(directory + "/store/store.mdb", "w") as f:
        f.write("this is not a store\n" * 1000)
    daemon = sekisho.Daemon(directory, POLICY, settings=LIMITS, start=False)
    daemon.launch()
    assert daemon.wait() == 69 and f"store {directory}/store" in daemon.errors()
    daemon.settings = LIMITS.replace("store", "#store", 1)
    daemon.configure("policy inbound {\n}\n")
    daemon.start()
    daemon.settings = LIMITS
    daemon.configure(POLICY)
    code, said = daemon.reload()
    assert code == 1 and f"store {directory}/store" in said
    assert "store" not in daemon.status()
    daemon.stop()


def test_root_makes_the_directory_for_the_user_of_the_daemon(nameserver, directory):
    settings = LIMITS.replace("/store", "/made/here") + "user nobody\n"
    with open(directory + "/record", "w") as record:
        os.fchmod(record.fileno(), 0o666)
    with sekisho.Daemon(directory, POLICY, settings=settings):
        assert send()[0]
        made = os.stat(directory + "/made/here")
        assert made.st_mode & 0o777 == 0o700 and made.st_uid == os.stat(directory + "/made/here/store.mdb").st_uid != 0


# ---- blocks and the store by verbs


def verb(daemon, *words, code=0):
    done = sekisho.run(*words, "-c", daemon.file)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_block_holds_on_open_sessions_and_over_a_kill(daemon):
    with miltc.Milter() as m:
        log_in(m)
        assert m.message("<many@example.org>").what == "continue"
        assert verb(daemon, "block", "MANY", "--for", "2h", "--why", "password stolen") == \
            "sekisho block: many is blocked for 2h\n"
        m.macros("mail", auth_authen="many", auth_type="PLAIN")
        assert m.message("<many@example.org>").text == "550 5.7.1 Blocked: password stolen"
        m.quit()
    assert send("somebody.else")[0]
    daemon.kill()  # at once: what the command has said is on the disk
    daemon.start()
    assert send() == (False, "550 5.7.1 Blocked: password stolen")
    listed = verb(daemon, "blocks").split("\t")
    assert listed[0] == "many" and listed[1] in ("2h 0m", "1h 59m") and listed[2] == "password stolen\n"
    assert verb(daemon, "unblock", "many") == "sekisho unblock: many is no longer blocked\n"
    assert send()[0]
    assert "was not blocked" in verb(daemon, "unblock", "many", code=1)
    assert verb(daemon, "blocks", "--json") == "[]\n"


def test_a_block_without_a_rule_or_a_store_is_reported(nameserver, directory):
    with sekisho.Daemon(directory, "policy inbound {\n}\n", settings="store memory:\n") as daemon:
        assert "no rule reads" in verb(daemon, "block", "203.0.113.5", "--for", "2h")
        daemon.settings = ""
        daemon.configure("policy inbound {\n}\n")
        daemon.stop()
        daemon.start()
        assert "no store is open" in verb(daemon, "block", "203.0.113.5", "--for", "2h", code=1)
        assert "--for is missing" in verb(daemon, "block", "alice", code=64)


def test_a_limit_is_shown_and_forgotten_by_the_verb_store(daemon):
    for _ in range(3):
        assert send()[0]
    assert send("many.more")[0]
    key, count, life = verb(daemon, "store", "list", "limit:hourly:messages:many").splitlines()[0].split("\t")
    assert (key, count) == ("limit:hourly:messages:many", "3") and life.startswith(("59m", "1h"))
    assert "many.more" not in verb(daemon, "store", "get", "limit:hourly:messages:many", "--json")
    assert verb(daemon, "store", "delete", "limit:hourly:messages:many") == "sekisho store: 1 key deleted\n"
    verb(daemon, "store", "get", "limit:hourly:messages:many", code=1)
    assert verb(daemon, "store", "list", "limit:hourly:messages:").startswith("limit:hourly:messages:many.more\t1\t")
    verb(daemon, "store", "empty", code=64)


# ---- through the mail servers


def submit(mta, token, login, recipients=("<bob@example.org>",), *fields):
    return smtp.send(mta, f"<{login[0]}>", list(recipients), smtp.message(token, *fields), service="submission", tls=True,
                     login=login)


def test_the_recipient_that_exceeds_is_refused(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        refused = client.send("<alice@example.org>", ["<bob@example.org>"] * 3, smtp.message(token, "X-Bad: yes"))
        assert refused.end.code == 550
        many = [f"<bob+{i}@example.org>" for i in range(8)] + ["<nobody@example.org>"] + ["<bob@example.org>"] * 5
        replies = client.send("<alice@example.org>", many, smtp.message(token))
    assert [r.code for r in replies.rcpt] == [250] * 8 + [550] + [250] * 2 + [452] * 3
    assert "people: 10" in replies.rcpt[-1].text and replies.end.code == 250


def test_each_session_of_a_login_counts_and_the_reply_says_until_when(daemon, mta, token):
    for number in range(3):
        assert submit(mta, f"{number}-{token}", BOB).end.code == 250
    replies = submit(mta, token, BOB)
    assert replies.mail.code in (450, 451) and "letters: again in 3" in replies.mail.text
    words = [r["facts"]['limit("letters")'] for r in daemon.records() if 'limit("letters")' in r["facts"]]
    assert words == ["under", "soft", "soft", "over"]


def test_a_blocked_login_is_refused_in_the_middle_of_a_session(daemon, mta, token):
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        assert client.send("<alice@example.org>", ["<bob@example.org>"], smtp.message("first-" + token)).end.code == 250
        verb(daemon, "block", "alice@example.org", "--for", "30m", "--why", "call 1234")
        replies = client.send("<alice@example.org>", ["<bob@example.org>"], smtp.message("second-" + token))
    assert replies.mail.code == 550 and "Blocked: call 1234" in replies.mail.text
