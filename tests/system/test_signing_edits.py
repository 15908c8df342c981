"""Fields that rules add, and the signature over them, at the next mail server.

Sendmail supplies some fields itself, removes others, and takes names apart where a message has plain addresses only.
"""
import pytest

import sekisho
from outgoing import AUTHOR, BASE, WAY, fields_of, make_key, notes, pass_through, text_of, verify
from sink import Sink

ADDED = {"Date": "Fri, 27 Nov 2026 01:00:00 +0000", "Message-ID": "<added@signer.example.org>", "From": f"Pat O'Brien <{AUTHOR}>"}


@pytest.fixture
def away(dns):
    """Where mail for away.example.test goes."""
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module", autouse=True)
def keys(module_directory):
    make_key(module_directory)


@pytest.fixture
def adding(nameserver, directory, module_directory, keys):
    """Starts a daemon with these rules before `sign`."""
    running = []

    def start(rules, headers=""):
        settings = f"sign signer.example.org {{ selector s1 key {module_directory}/s1.pem {headers} }}\n"
        policy = "policy submission {\n  on message {\n" + rules + "\n    sign\n  }\n}\n"
        running.append(sekisho.Daemon(directory, policy, settings=settings, base=BASE))
        return running[-1]
    yield start
    for daemon in running:
        daemon.stop()


@pytest.mark.parametrize("rule", ["add-header {name} \"{value}\"", "replace-header {name} \"{value}\"",
                                  "delete-header {name}\nadd-header {name} \"{value}\""])
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", ADDED)
def test_a_field_that_sendmail_supplies_is_there_once(adding, mta, away, token, module_directory, directory, name, there, rule):
    if there and rule.startswith("add-header"):
        pytest.skip("add-header adds a second one")
    daemon = adding(rule.format(name=name, value=ADDED[name]))
    text = text_of(token, leave_out=() if there else (name,))
    arrived = pass_through(mta, away, token, text)
    assert fields_of(arrived, name) == [ADDED[name].replace("Pat O'Brien", "\"Pat O'Brien\"")]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    assert [note.split(":")[0] for note in notes(daemon, arrived)] == ["signed"]




@pytest.mark.parametrize("name", ["Resent-From", "Resent-Date", "Resent-To", "Resent-Message-ID", "Full-Name", "Content-Length"])
def test_what_sendmail_removes_is_not_signed(adding, mta, away, token, module_directory, directory, name):
    daemon = adding(f"add-header {name} \"a@example.net\"", f"headers Subject {name}")
    arrived = pass_through(mta, away, token, text_of(token))
    assert fields_of(arrived, name) == ([] if mta.name == "sendmail" else ["a@example.net"])
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    assert notes(daemon, arrived)[0] == f"{name} is not signed: Sendmail removes it"


def test_a_message_that_was_sent_again_is_signed_with_its_fields(adding, mta, away, token, module_directory, directory):
    daemon = adding("add-header Resent-Cc \"a@example.net\"")
    resent = [f"Resent-From: {AUTHOR}", "Resent-To: bob@away.example.test", "Resent-Date: Fri, 27 Nov 2026 01:00:00 +0000"]
    arrived = pass_through(mta, away, token, text_of(token, *resent))
    assert fields_of(arrived, "Resent-Cc") == ["a@example.net"]
    assert "Resent-From:Resent-To:Resent-Cc" in fields_of(arrived, "DKIM-Signature")[0].replace(" ", "")
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()
    assert [note.split(":")[0] for note in notes(daemon, arrived)] == ["signed"]


# In a message of plain addresses Sendmail takes the blanks of To and Cc for commas (OldStyleHeaders).
PLAIN = [f"From: {AUTHOR}", "To: bob@away.example.test"]


@pytest.mark.parametrize("value, expected", [
    ("Bob Smith <b@example.net>", '"Bob Smith"<b@example.net>'),
    ("Pat O'Brien <b@example.net>, c@example.net", "\"Pat O'Brien\"<b@example.net>, c@example.net"),
    ("John \\\"Q.\\\" Public <b@example.net>", '"John Q. Public"<b@example.net>'),
    ("my friends: b@example.net, Bob Smith <c@example.net>;", '"my friends":b@example.net, "Bob Smith"<c@example.net>;'),
])
@pytest.mark.parametrize("rule", ["add-header Cc \"{value}\"", "replace-header To \"{value}\""])
def test_names_in_fields_of_rules_are_not_taken_apart(adding, mta, away, token, module_directory, directory, rule, value, expected):
    adding(rule.format(value=value))
    arrived = pass_through(mta, away, token, text_of(token, *PLAIN))
    assert fields_of(arrived, "Cc" if "Cc" in rule else "To") == [expected]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()


def test_names_in_fields_of_rules_are_left_alone_in_other_messages(adding, mta, away, token, module_directory, directory):
    adding("add-header Cc \"Bob Smith <b@example.net>\"")
    arrived = pass_through(mta, away, token, text_of(token))
    assert fields_of(arrived, "Cc") == ["Bob Smith <b@example.net>"]
    assert verify(arrived, module_directory, directory).startswith("pass"), arrived.decode()


@pytest.mark.parametrize("value", ["=?utf-8?Q?J=C3=BCrgen?= <b@example.net>", "b@example.net (Bob)"])
def test_what_sendmail_takes_apart_is_noted(adding, mta, away, token, value):
    daemon = adding(f"add-header Cc \"{value}\"")
    arrived = pass_through(mta, away, token, text_of(token, *PLAIN))
    assert "a rule wrote Cc with a comment or an encoded name, which Sendmail splits" in notes(daemon, arrived)[0]
