"""DKIM through both mail servers: what is signed arrives intact, for every verifier; what arrives is judged."""
import os
import re
import subprocess

import pytest

import miltc
import sekisho
import signer
import smtp

SETTINGS = """
sign signer.example.org { selector rsa key {directory}/rsa.pem  selector ed key {directory}/ed.pem  subdomains yes  expire 7d }
sign-table file:{directory}/sign.table
"""

POLICY = """
policy inbound {
  on message {
    add-header X-Dkim "%{dkim} %{dkim.domain}"                        if dkim is not none
    prefix-subject "[list] "                                          if header(List-Id) is not ""
    add-header X-Added "by a rule, and long enough that it will have to be folded somewhere, which is what relaxed is for"
    sign                                                              if not (sender.domain is pass.example.net)
  }
}
"""

BOB = "<bob@example.org>"
HERE = os.path.dirname(os.path.abspath(__file__))
ORACLE = os.path.join(HERE, "../conformance/dkim_oracle.pl")


@pytest.fixture(scope="module", autouse=True)
def keys(module_directory):
    """Two keys, and the zone that publishes them."""
    zone = []
    for selector, kind in ("rsa", "rsa2048"), ("ed", "ed25519"):
        path = f"{module_directory}/{selector}.pem"
        if os.path.exists(path):
            os.unlink(path)
        done = sekisho.run("genkey", "signer.example.org", selector, "--type", kind, "--out", path)
        assert done.returncode == 0, done.stderr
        zone.append(done.stdout.strip())
        zone.append(done.stdout.strip().replace("signer.example.org", "table.example.org"))
    with open(f"{module_directory}/zone", "w") as f:
        f.write("\n".join(zone) + "\n")
    with open(f"{module_directory}/sign.table", "w") as f:
        f.write("# domain selector key\ntable.example.org rsa rsa.pem\n")
    return zone


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory, keys):
    base = sekisho.SETTINGS.replace("{{ spf auth }}", "{{ spf dkim auth }}")
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=base) as running:
        yield running


def wire(delivered):
    """The message as it was on the wire: CRLF, without what the delivery agent put on top."""
    raw = delivered.raw
    while raw.startswith((b"From ", b"Return-Path:", b"X-Original-To:", b"Delivered-To:")):
        raw = raw.split(b"\n", 1)[1]
    return raw.replace(b"\n", b"\r\n")


def judge_by_us(text, directory):
    path = f"{directory}/message"
    with open(path, "wb") as f:
        f.write(text)
    done = sekisho.run("verify", "--zone", f"{directory}/zone", path)
    return done.stdout


def judge_by_dkimpy(text, directory):
    dkim = pytest.importorskip("dkim")
    keys = {}
    with open(f"{directory}/zone") as f:
        for line in f:
            name, _, strings = line.partition(" IN TXT ")
            keys[name] = "".join(strings.strip().split('"')[1::2]).encode()
    count = text.lower().count(b"\ndkim-signature:") + text.lower().startswith(b"dkim-signature:")
    checker = dkim.DKIM(text)
    return [checker.verify(idx=i, dnsfunc=lambda name, timeout=5: keys.get(name.decode())) for i in range(count)]


def judge_by_perl(text, directory):
    with open(f"{directory}/zone") as f, open(f"{directory}/keys", "w") as out:
        for line in f:
            name, _, strings = line.partition(" IN TXT ")
            out.write(name.rstrip(".") + "\t" + "".join(strings.strip().split('"')[1::2]) + "\n")
    path = f"{directory}/message"
    with open(path, "wb") as f:
        f.write(text)
    done = subprocess.run(["/usr/bin/perl", ORACLE, f"{directory}/keys", path], capture_output=True, text=True, timeout=30)
    if "Can't locate Mail/DKIM" in done.stderr:
        pytest.skip("libmail-dkim-perl is not here")
    return done.stdout.strip().split("\t")[1].split()


LONG = "".join(f"word{i} " for i in range(40))

MESSAGES = {
    "plain": ([], "Hello.\r\n"),
    "long folded fields": (["X-Long: " + LONG, "References: " + "\r\n ".join(f"<{i}.{i}@signer.example.org>" for i in range(30))], "Hello.\r\n"),
    "a long field in one line": (["Keywords: " + "x" * 900], "Hello.\r\n"),
    "a list of addresses without blanks": (["Cc: a@example.net,b@example.net,  c@example.net ,d@example.net"], "Hello.\r\n"),
    "addresses with comments and quotes": (["Cc: \"A, B\" <a@example.net>,(c,d) e@example.net"], "Hello.\r\n"),
    "a long list of addresses": (["Cc: " + ",".join(f"a{i}@example.net" for i in range(60))], "Hello.\r\n"),
    "many blanks": (["X-Blanks:    a \t b    ", "Comments:\tx"], "a  b \t c   \r\n\r\n   \r\n\r\n"),
    "a body of eight bits": (["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"],
                             "Gr\u00fc\u00dfe \u20ac\r\n"),
    "eight bits undeclared": ([], "Gr\u00fc\u00dfe\r\n"),
    "an empty body": ([], ""),
    "empty lines": ([], "\r\n\r\n\r\n"),
    "dots": ([], ".\r\n..\r\n.x\r\n...\r\n"),
    "lines that begin with From": ([], "From here on\r\n\r\nFrom there\r\n>From quoted\r\n"),
    "a MIME message": (["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=\"b\""],
                       "--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b--\r\n"),
    "a long line": ([], "x" * 900 + "\r\n"),
    "a list that a rule marks": (["List-Id: <l.example.org>"], "Hello.\r\n"),
    "a bare CR": ([], "one\rtwo\r\nthree\r\r\nfour\r"),
    "100 KB": ([], "".join(f"{i} {'y' * (i % 70)}\r\n" for i in range(3000))),
}


def send(mta, token, fields, body, domain="signer.example.org"):
    text = smtp.message(token, *fields, sender=f"alice@{domain}", body=body)
    replies = smtp.send(mta, f"<alice@{domain}>", [BOB], text)
    if "\r" in body.replace("\r\n", "") and replies.end.code >= 400:
        pytest.skip(f"{mta.name} does not let a bare CR in: {replies.end.text}")
    assert replies.end.code == 250, replies
    return mta.delivered(token)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_was_signed_arrives_intact(daemon, mta, token, module_directory, directory, name):
    os.symlink(f"{module_directory}/zone", f"{directory}/zone")
    delivered = send(mta, token, *MESSAGES[name])
    assert len(delivered.fields("DKIM-Signature")) == 2
    text = wire(delivered)
    ours = judge_by_us(text, directory)
    assert ours.count("pass      d=signer.example.org") == 2, ours + text[:3000].decode("latin-1")
    assert judge_by_dkimpy(text, directory) == [True, True]
    assert "pass" in judge_by_perl(text, directory) # of the RSA one: older versions know no Ed25519


def test_utf_8_in_the_header_arrives_intact(daemon, postfix_server, token, module_directory, directory):
    os.symlink(f"{module_directory}/zone", f"{directory}/zone")
    text = smtp.message(token, "Keywords: Gr\u00fc\u00dfe \u20ac " + "\u00fc" * 100, sender="j\u00fcrgen@signer.example.org",
                        subject="Gr\u00fc\u00dfe aus K\u00f6ln")
    replies = smtp.send(postfix_server, "<alice@signer.example.org>", [BOB], text, options="SMTPUTF8")
    assert replies.end.code == 250, replies
    text = wire(postfix_server.delivered(token))
    assert judge_by_us(text, directory).count("pass      d=signer.example.org") == 2
    assert judge_by_dkimpy(text, directory) == [True, True]


def test_a_subdomain_and_the_table_are_signed_for_and_others_not(daemon, mta, token, module_directory, directory):
    os.symlink(f"{module_directory}/zone", f"{directory}/zone")
    delivered = send(mta, token, [], "Hello.\r\n", domain="news.signer.example.org")
    assert judge_by_us(wire(delivered), directory).count("pass      d=signer.example.org") == 2
    delivered = send(mta, token + "x", [], "Hello.\r\n", domain="table.example.org")
    assert judge_by_us(wire(delivered), directory).count("pass      d=table.example.org") == 1
    delivered = send(mta, token + "y", [], "Hello.\r\n", domain=f"t{token}.table.example.org")
    assert not delivered.fields("DKIM-Signature")
    assert "not signed" in str(daemon.record(sender=f"alice@t{token}.table.example.org")["notes"])


def signed(module_directory, token, domain="signer.example.org", body=b"Hello.\r\n"):
    """A message signed by dkimpy."""
    dkim = pytest.importorskip("dkim")
    text = smtp.message(token, sender=f"alice@{domain}", body=body.decode())
    text = text if isinstance(text, bytes) else text.encode()
    with open(f"{module_directory}/rsa.pem", "rb") as f:
        key = f.read()
    return dkim.sign(text, b"rsa", domain.encode(), key, canonicalize=(b"simple", b"simple"),
                     include_headers=[b"from", b"subject"]) + text


def stamp_of(mta, token, text):
    replies = smtp.send(mta, "<alice@pass.example.net>", [BOB], text)
    assert replies.end.code == 250
    return mta.delivered(token).field("Authentication-Results").replace("\n\t", " ")


def test_a_right_signature_passes(daemon, mta, token, module_directory, keys, dns):
    dns.zone(*[line.replace(". IN TXT", " TXT") for line in keys])
    stamp = stamp_of(mta, token, signed(module_directory, token))
    assert "dkim=pass" in stamp and "header.d=signer.example.org" in stamp and "header.s=rsa" in stamp
    assert "header.a=rsa-sha256" in stamp and "header.b=" in stamp


def test_a_changed_body_fails(daemon, mta, token, module_directory, keys, dns):
    dns.zone(*[line.replace(". IN TXT", " TXT") for line in keys])
    stamp = stamp_of(mta, token, signed(module_directory, token).replace(b"Hello.", b"Hullo."))
    assert "dkim=fail" in stamp and 'reason="the body was changed"' in stamp


@pytest.mark.parametrize("protocol", [miltc.ALL_PROTOCOL, 0x7F], ids=["no reply", "replies"])
@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_the_last_piece_of_a_body_may_come_with_its_end(daemon, dns, token, pieces, protocol):
    """libmilter would not answer at all when the callback for the piece says that it does not reply."""
    key = signer.Key()
    dns.zone(key.record("s1", f"{token}.example.net"))
    text = key.sign(smtp.message(token, sender=f"alice@{token}.example.net", body="piece\r\n" * 4), "s1", f"{token}.example.net")
    head, body = text.split(b"\r\n\r\n", 1)
    with miltc.Milter() as m:
        m.negotiate(protocol=protocol)
        m.connect("mail.example.net", "203.0.113.5")
        m.helo("mail.example.net")
        m.mail(f"<alice@{token}.example.net>")
        m.rcpt("<bob@example.org>")
        m.macros("data", i=token)
        m.data()
        for field in re.split(rb"\r\n(?![ \t])", head):
            name, value = field.split(b":", 1)
            m.header(name, value if protocol & miltc.LEADING_SPACE else value.removeprefix(b" "))
        m.eoh()
        for number in range(pieces):
            m.body(body[number * 7:number * 7 + 7])
        assert m.end(body[pieces * 7:]).what == "continue"
        result, = (edit[3] for edit in m.edits() if edit[2] == "X-Dkim")
        assert result.strip() == f"pass {token}.example.net"
    assert daemon.record(queue_id=token)["verdict"] == "accept"


def test_a_name_server_that_fails_is_a_temperror(daemon, mta, token, module_directory, dns):
    dns.zone("rsa._domainkey.broken.example.org TXT SERVFAIL")
    stamp = stamp_of(mta, token, signed(module_directory, token, domain="broken.example.org"))
    assert "dkim=temperror" in stamp


@pytest.mark.parametrize("mode, owner, wanted", [(0o600, 0, 0), (0o640, 0, 78), (0o604, 0, 78), (0o600, 1234, 78)])
def test_a_key_that_others_can_read_is_refused_at_the_start(nameserver, directory, mode, owner, wanted):
    path = f"{directory}/key.pem"
    assert sekisho.run("genkey", "x.example.org", "s", "--out", path).returncode == 0
    os.chmod(path, mode)
    os.chown(path, owner, 0)
    settings = "sign x.example.org { selector s key {directory}/key.pem }\n"
    daemon = sekisho.Daemon(directory, "policy inbound { on message { sign } }\n", listen=f"unix:{directory}/socket", settings=settings,
                            start=False)
    if wanted == 0:
        with daemon:
            daemon.start()
        return
    daemon.launch()
    assert daemon.wait() == wanted
    assert "key.pem" in daemon.errors()
