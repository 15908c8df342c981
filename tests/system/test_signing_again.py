"""What is signed already is not signed again, a provider can sign beside the author, and chosen presets hold: through both
mail servers."""
import re

import pytest

import sekisho
from outgoing import BASE, WAY, fields_of, make_key, notes, pass_through, text_of, verify
from sink import Sink

POLICY = """policy submission {
  on message {
    sign
    sign provider.example.net if header("X-Provider") is yes
  }
}
"""


@pytest.fixture
def away(dns):
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module", autouse=True)
def keys(module_directory):
    make_key(module_directory)
    done = sekisho.run("genkey", "provider.example.net", "p1", "--type", "ed25519", "--out", f"{module_directory}/p1.pem")
    assert done.returncode == 0, done.stderr
    with open(f"{module_directory}/zone", "a") as f:
        f.write(done.stdout)


@pytest.fixture
def daemon(nameserver, directory, module_directory, keys):
    settings = (f"sign signer.example.org {{ selector s1 key {module_directory}/s1.pem  expire 7d  oversign all }}\n"
                f"sign provider.example.net {{ selector p1 key {module_directory}/p1.pem }}\n")
    with sekisho.Daemon(directory, POLICY, settings=settings, base=BASE) as running:
        yield running


def newest_notes(daemon, arrived):
    """Of a message that came through the mail server twice: its last record."""
    record = daemon.record(queue_id=re.search(r" id (\w+)", fields_of(arrived, "Received")[0]).group(1))
    return [note["text"] for note in record.get("notes", [])]


def again(arrived, token, mta, away, change=lambda text: text):
    """Sends what has arrived once more, under another token."""
    text = change(arrived).replace(b"X-Token: " + token.encode(), b"X-Token: again-" + token.encode())
    return pass_through(mta, away, "again-" + token, text)


def test_what_we_signed_is_not_signed_again(daemon, mta, away, token, module_directory, directory):
    first = pass_through(mta, away, token, text_of(token))
    second = again(first, token, mta, away)
    assert fields_of(second, "DKIM-Signature") == fields_of(first, "DKIM-Signature")
    assert newest_notes(daemon, second) == ["signed already: d=signer.example.org s=s1"]
    assert verify(second, module_directory, directory).startswith("pass"), second.decode()


@pytest.mark.parametrize("change", [
    lambda text: text.replace(b"Hello.", b"Hello, and more."),
    lambda text: text.replace(b"Subject: hello", b"Subject: hello again"),
    lambda text: text.replace(b"Subject: hello", b"Reply-To: eve@example.net\r\nSubject: hello"),
    lambda text: text.replace(b"s=s1", b"s=s2"),
    lambda text: text.replace(b"; t=", b"; l=0; t="),
])
def test_what_was_changed_since_or_only_says_so_is_signed_anew(daemon, mta, away, token, change):
    first = pass_through(mta, away, token, text_of(token))
    assert change(first) != first
    second = again(first, token, mta, away, change)
    assert len(fields_of(second, "DKIM-Signature")) == 2
    assert newest_notes(daemon, second) == ["signed: d=signer.example.org s=s1"]


def test_a_provider_signs_beside_the_author(daemon, mta, away, token, module_directory, directory):
    arrived = pass_through(mta, away, token, text_of(token, "X-Provider: yes"))
    domains = [value.split(" d=")[1].split(";")[0] for value in fields_of(arrived, "DKIM-Signature")]
    assert sorted(domains) == ["provider.example.net", "signer.example.org"]
    shown = verify(arrived, module_directory, directory)
    assert shown.startswith("pass") and "fail" not in shown, shown
    assert [note.split(" s=")[0] for note in notes(daemon, arrived)] == [
        "signed: d=signer.example.org", "signed: d=provider.example.net"]


def test_a_provider_signs_for_an_author_without_keys(daemon, mta, away, token):
    arrived = pass_through(mta, away, token, text_of(token, "X-Provider: yes", "From: Bob <bob@nokey.example.net>"))
    assert len(fields_of(arrived, "DKIM-Signature")) == 1
    assert " d=provider.example.net;" in fields_of(arrived, "DKIM-Signature")[0]


def test_expiry_and_all_fields_are_in_the_signature(daemon, mta, away, token, module_directory, directory):
    arrived = pass_through(mta, away, token, text_of(token))
    value = fields_of(arrived, "DKIM-Signature")[0]
    made, expires = (int(value.split(f" {tag}=")[1].split(";")[0]) for tag in "tx")
    assert expires - made == 7 * 86400
    names = value.split(" h=")[1].split(";")[0].replace(" ", "").split(":")
    assert names.count("List-Unsubscribe") == 1 and names.count("From") == 2 and names.count("Reply-To") == 1
    added = arrived.replace(b"From: ", b"List-Unsubscribe: <https://example.net/>\r\nFrom: ", 1)
    assert not verify(added, module_directory, directory).startswith("pass")
