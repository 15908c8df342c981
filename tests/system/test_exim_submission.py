"""Mail of local users through Exim, which asks the policy door and the rspamc door: the cases of submission.py."""
import pytest

import sekisho
from submission import (POLICY, SETTINGS, write_owners, test_a_forged_auth_clause_of_a_user_is_removed,
                        test_a_login_does_not_send_as_somebody_else, test_a_login_does_not_write_as_somebody_else,
                        test_a_login_sends_as_what_it_owns, test_after_auth_mail_goes_through,
                        test_another_login_has_its_own_addresses, test_auth_on_the_mx_port_is_submission,
                        test_no_inbound_rule_hits_a_user, test_several_messages_of_one_login_are_judged_one_by_one,
                        test_smtps_is_submission, test_without_auth_submission_is_refused,
                        test_without_auth_the_mx_port_is_inbound, test_without_tls_submission_is_refused)

ENGINES = sekisho.ENGINES[:1]  # no milter here: once is enough

LISTEN = """
listen     policy unix:{policy} mode 0666
listen     rspamc unix:{rspamc} mode 0666
"""


@pytest.fixture
def mta(exim_server):
    return exim_server


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory, exim_server):
    write_owners(module_directory)
    settings = LISTEN.replace("{policy}", exim_server.policy).replace("{rspamc}", exim_server.rspamc) + SETTINGS
    with sekisho.Daemon(module_directory, POLICY, settings=settings) as running:
        yield running
