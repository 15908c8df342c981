"""The example bulk-mail.conf through both mail servers: bulk mail without one-click unsubscribe is refused, and with it both
fields are under our signature where it arrives (RFC 8058 4)."""
import os
import re

import pytest

import sekisho
import smtp
from mta import wait_for
from outgoing import AUTHOR, BASE, WAY, fields_of, make_key, text_of, verify
from sink import Sink

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../conf/examples/bulk-mail.conf")
ONE_CLICK = ("List-Unsubscribe: <https://signer.example.org/u/42>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click")


def policy(directory):
    """The example with its signature, and without what BASE says."""
    with open(EXAMPLE) as f:
        text = f.read().split("# ---- tests")[0]
    text = re.sub(r"^(authserv-id|submission|trusted|check-tests) .*$", "", text, flags=re.M)
    text = re.sub(r"^#sign .*$", f"sign signer.example.org {{ selector s1 key {directory}/s1.pem }}", text, flags=re.M)
    return re.sub(r"^    #sign$", "    sign", text, flags=re.M)


@pytest.fixture
def away(dns):
    """Where mail for away.example.test goes."""
    dns.zone(*WAY)
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory):
    make_key(module_directory)
    with open(module_directory + "/bulk-mail.domains", "w") as f:
        f.write("signer.example.org\n")
    with open(module_directory + "/bulk-mail.logins", "w") as f:
        f.write("bob@example.org\n")
    with sekisho.Daemon(module_directory, policy(module_directory), base=BASE) as running:
        yield running


def send(mta, text, user="alice@example.org"):
    return smtp.send(mta, f"<{AUTHOR}>", ["<bob@away.example.test>"], text, service="submission", tls=True, login=(user,))


def test_both_fields_of_one_click_are_signed(daemon, mta, away, token, module_directory, directory):
    replies = send(mta, text_of(token, *ONE_CLICK, "Precedence: bulk", leave_out=["Date", "Message-ID"]))
    assert replies.end.code == 250, replies
    arrived = wait_for(lambda: away.find(token))
    signed = re.search(r" h=([^;]*)", fields_of(arrived, "DKIM-Signature")[0]).group(1).lower().replace(" ", "").split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post", "from", "date", "message-id"} <= set(signed)
    assert verify(arrived, module_directory, directory).startswith("pass")


@pytest.mark.parametrize("fields, user, expected", [
    (["Precedence: bulk"], "alice@example.org", "one field List-Unsubscribe with an https link"),
    ([], "bob@example.org", "one field List-Unsubscribe with an https link"),
    (ONE_CLICK[:1], "alice@example.org", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
    (["From: shop@else.example", *ONE_CLICK], "alice@example.org", "write as one of our domains"),
])
def test_bulk_mail_that_large_receivers_would_refuse_is_refused_before(daemon, mta, token, fields, user, expected):
    replies = send(mta, text_of(token, *fields), user)
    assert replies.end.code == 550 and expected in replies.end.text


def test_a_letter_is_not_bulk_mail(daemon, mta, away, token):
    replies = send(mta, text_of(token))
    assert replies.end.code == 250 and wait_for(lambda: away.find(token))
