"""Mail of local users, through both mail servers with milters: the cases of submission.py, and what only a milter tells."""
import pytest

import smtp
from submission import (ALICE, BOB, POLICY, SETTINGS, write_owners, test_a_forged_auth_clause_of_a_user_is_removed,
                        test_a_login_does_not_send_as_somebody_else, test_a_login_does_not_write_as_somebody_else,
                        test_a_login_sends_as_what_it_owns, test_after_auth_mail_goes_through,
                        test_another_login_has_its_own_addresses, test_auth_on_the_mx_port_is_submission,
                        test_no_inbound_rule_hits_a_user, test_several_messages_of_one_login_are_judged_one_by_one,
                        test_smtps_is_submission, test_without_auth_submission_is_refused,
                        test_without_auth_the_mx_port_is_inbound, test_without_tls_submission_is_refused)


@pytest.fixture(scope="module", autouse=True)
def owners(module_directory):
    write_owners(module_directory)


def test_a_user_learns_at_once_that_a_domain_takes_no_mail(daemon, dns, mta, token):
    """RFC 7505 4.1. The other recipients get the message."""
    dns.zone("example.org MX 10 mail.example.org")
    with smtp.Client(mta, "submission", tls=True, login=ALICE) as client:
        replies = client.envelope("<alice@example.org>", ["<bob@nullmx.example.net>", f"<bob@{token}.example.net>", BOB])
        assert [reply.code for reply in replies.rcpt] == [556, 550, 250], replies
        for reply, status, words in ((replies.rcpt[0], "5.1.10 ", "nullmx.example.net takes no mail"),
                                     (replies.rcpt[1], "5.1.2 ", f"{token}.example.net does not exist")):
            assert reply.text.startswith(status) and words in reply.text, reply


def test_the_second_helo_after_starttls_counts(daemon, mta, token):
    with smtp.Client(mta, "submission", helo="first.example.net") as client:
        client.starttls(helo="second.example.net")
        client.login(*ALICE)
        replies = client.send("<alice@example.org>", [BOB], smtp.message(token, sender="alice@example.org"))
    assert replies.end.code == 250
    mta.delivered(token)
    record = [r for r in daemon.records() if r["helo"] == "second.example.net"][-1]
    assert record["verdict"] == "accept" and record["facts"]["tls"] is True
    assert not [r for r in daemon.records() if r["helo"] == "first.example.net"]
