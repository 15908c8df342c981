"""ARC through both mail servers: a message goes in, is changed and sealed, comes back and is sealed again; what arrives is
accepted by every verifier that is here."""
import os
import re
import subprocess

import pytest

import sekisho
import smtp
from test_dkim import BOB, MESSAGES, wire

SETTINGS = """
list trusted file:{directory}/trusted
arc { trust trusted }
sign signer.example.org { selector s1 key {directory}/s1.pem }
sign relay.example.org { selector s1 key {directory}/s1.pem }
"""

POLICY = """
policy inbound {
  on message {
    prefix-subject "[list] "          if header(List-Id) is not ""
    add-header X-Arc "%{arc} %{arc.oldest-pass} %{arc.trusted} %{arc.dmarc} %{arc.domains}"   if arc is not none
    sign
    arc-seal signer.example.org       if arc is none and not (sender.domain is pass.example.net)
    arc-seal relay.example.org        if arc is { pass fail } and not (sender.domain is pass.example.net)
  }
}
"""

ORACLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../conformance")


@pytest.fixture(scope="module")
def keys(module_directory):
    """The lines of the zone."""
    done = sekisho.run("genkey", "signer.example.org", "s1", "--out", f"{module_directory}/s1.pem")
    assert done.returncode == 0, done.stderr
    lines = [done.stdout.strip(), done.stdout.strip().replace("signer.example.org", "relay.example.org")]
    with open(f"{module_directory}/zone", "w") as f:
        f.write("\n".join(lines) + "\n")
    with open(f"{module_directory}/trusted", "w") as f:
        f.write("signer.example.org\nrelay.example.org\n")
    return [line.replace(". IN TXT", " TXT") for line in lines]


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory, keys):
    base = sekisho.SETTINGS.replace("{{ spf auth }}", "{{ spf dkim dmarc arc }}")
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=base) as running:
        yield running


@pytest.fixture
def published(dns, keys):
    dns.zone(*keys)


def texts_of(keys):
    """{name: the record}"""
    return {line.split()[0]: "".join(line.split('"')[1::2]) for line in keys}


def judge_by_dkimpy(text, keys):
    dkim = pytest.importorskip("dkim")
    records = texts_of(keys)
    result = dkim.arc_verify(text, dnsfunc=lambda name, timeout=5: records.get(name.decode().rstrip("."), "").encode() or None)[0]
    return result.decode() if result else "none"


def judge_by(command, text, keys, directory):
    with open(f"{directory}/keys", "w") as out:
        out.writelines(f"{name}\t{record}\n" for name, record in texts_of(keys).items())
    with open(f"{directory}/message", "wb") as f:
        f.write(text)
    done = subprocess.run(command + [f"{directory}/keys", f"{directory}/message"], capture_output=True, text=True, timeout=60)
    if "Can't locate Mail/DKIM" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("\t")[1]


def judges(text, keys, directory):
    """What every verifier says that is here."""
    with open(f"{directory}/message", "wb") as f:
        f.write(text)
    said = {"sekisho": re.search(r"    arc (\w+)", sekisho.run("verify", "--zone", f"{directory}/zone", f"{directory}/message").stdout),
            "dkimpy": judge_by_dkimpy(text, keys),
            "Mail::DKIM": judge_by(["/usr/bin/perl", f"{ORACLES}/arc_oracle.pl", "verify"], text, keys, directory)}
    said["sekisho"] = said["sekisho"] and said["sekisho"].group(1)
    if os.environ.get("MAILAUTH"):
        said["mailauth"] = judge_by(["node", f"{ORACLES}/arc_oracle.mjs"], text, keys, directory)
    return {name: result for name, result in said.items() if result is not None}


def accepted(text, keys, directory):
    said = judges(text, keys, directory)
    assert "sekisho" in said and set(said.values()) == {"pass"}, str(said) + "\n" + text[:6000].decode("latin-1")


def send(mta, token, text, sender="alice@signer.example.org"):
    replies = smtp.send(mta, f"<{sender}>", [BOB], text)
    if replies.end.code >= 400 and b"\r" in text.replace(b"\r\n", b""):
        pytest.skip(f"{mta.name} does not let a bare CR in: {replies.end.text}")
    assert replies.end.code == 250, replies
    return mta.delivered(token)


def instances(delivered, name):
    return [int(re.match(r"\s*i=(\d+)", value).group(1)) for value in delivered.fields(name)]


@pytest.mark.parametrize("name", MESSAGES)
def test_what_was_sealed_is_accepted_after_its_way(daemon, published, mta, token, module_directory, keys, directory, name):
    os.symlink(f"{module_directory}/zone", f"{directory}/zone")
    fields, body = MESSAGES[name]
    delivered = send(mta, token, smtp.message(token, *fields, sender="alice@signer.example.org", body=body))
    for field in "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results":
        assert instances(delivered, field) == [1]
    accepted(wire(delivered), keys, directory)


def again(mta, token, delivered, *fields):
    """The delivered message goes in once more, with more fields on top."""
    text = "".join(line + "\r\n" for line in (f"X-Again: {token}",) + fields).encode() + wire(delivered)
    return send(mta, token, text)


def test_a_list_changes_the_message_and_seals_it_again(daemon, published, mta, token, module_directory, keys, directory):
    os.symlink(f"{module_directory}/zone", f"{directory}/zone")
    first = send(mta, token, smtp.message(token, sender="alice@signer.example.org"))
    second = again(mta, f"second-{token}", first, "List-Id: <l.example.org>")
    assert second.field("Subject") == "[list] hello"
    assert second.field("X-Arc").split() == ["pass", "0", "yes", "none", "signer.example.org"]
    assert instances(second, "ARC-Seal") == [2, 1]
    accepted(wire(second), keys, directory)
    third = again(mta, f"third-{token}", second)
    assert third.fields("X-Arc")[0].split() == ["pass", "2", "yes", "none", "relay.example.org", "signer.example.org"]
    assert instances(third, "ARC-Seal") == [3, 2, 1]
    assert " arc=pass smtp.remote-ip=203.0.113.5 header.oldest-pass=2" in third.field("Authentication-Results")
    assert " arc=pass smtp.remote-ip=203.0.113.5 header.oldest-pass=2" in third.fields("ARC-Authentication-Results")[0]
    accepted(wire(third), keys, directory)


def test_a_chain_that_was_changed_on_its_way_ends(daemon, published, mta, token, module_directory, keys, directory):
    os.symlink(f"{module_directory}/zone", f"{directory}/zone")
    first = send(mta, token, smtp.message(token, sender="alice@signer.example.org"))
    second = send(mta, f"second-{token}", f"X-Again: second-{token}\r\n".encode() + wire(first) + b"one more line\r\n")
    assert second.field("X-Arc").split()[0] == "fail"
    assert "cv=fail" in second.fields("ARC-Seal")[0]
    assert 'arc=fail reason="the ARC-Message-Signature of set 1: the body was changed"' in second.field("Authentication-Results")
    assert "pass" not in judges(wire(second), keys, directory).values()
    third = again(mta, f"third-{token}", second)
    assert instances(third, "ARC-Seal") == [2, 1]
    assert "not sealed: the chain has ended" in str(daemon.record(queue_id=queue_id(third))["notes"])


def test_a_key_that_cannot_be_had_is_a_temperror_and_nothing_is_sealed(daemon, published, dns, mta, token):
    first = send(mta, token, smtp.message(token, sender="alice@signer.example.org"))
    text = wire(first).replace(b"s=s1", b"s=s2")
    dns.zone("s2._domainkey.signer.example.org TXT SERVFAIL")
    second = send(mta, f"second-{token}", f"X-Again: second-{token}\r\n".encode() + text)
    assert second.field("X-Arc").split()[0] == "temperror"
    assert "arc=fail" in second.field("Authentication-Results")
    assert instances(second, "ARC-Seal") == [1]


def queue_id(delivered):
    return re.search(r" id (\w+)", delivered.fields("Received")[0]).group(1)
