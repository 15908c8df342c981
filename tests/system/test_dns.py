"""DNS in trouble: an answer within 8 seconds, whatever happens, and the rule for temperror decides."""
import threading
import time

import pytest

import miltc
import smtp

SETTINGS = """
record { facts used }
"""

POLICY = """
policy inbound {
  on mail {
    reject 550 5.7.23 "SPF: fail"                        if spf is fail
    defer  451 4.4.3  "SPF: temporary DNS failure"       if spf is temperror
    reject 550 5.1.8  "no mail for %{sender.domain}"     if sender.domain.mx is null
    defer  451 4.4.3  "MX: temporary DNS failure"        if sender.domain.mx is temperror
  }
}
"""

CALLBACK_SECONDS = 8  # Sendmail waits 10, then it lets the mail through
SLACK = 1.2           # of a busy machine


def ask(sender, client="203.0.113.5", helo="mail.example.net"):
    """The answer at MAIL and the seconds it took."""
    with miltc.Milter() as m:
        m.greet(client, helo=helo)
        started = time.monotonic()
        answer = m.mail(sender)
        seconds = time.monotonic() - started
        m.quit()
    return answer, seconds


def passing(dns, token):
    """TOKEN.example.net lets our client pass."""
    dns.zone(f'{token}.example.net TXT "v=spf1 ip4:203.0.113.5 -all"', f"{token}.example.net A 203.0.113.5")


def test_a_servfail_is_a_temporary_error(daemon):
    answer, seconds = ask("<alice@temperror.example.net>")
    assert answer.text == "451 4.4.3 SPF: temporary DNS failure" and seconds < 4


def test_a_server_that_is_silent_is_a_temporary_error_in_time(daemon, dns, token):
    dns.fault(f"{token}.example.net TXT drop")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert answer.text.startswith("451 4.4.3") and 2 < seconds < 3 + SLACK
    record = daemon.record(sender=f"alice@{token}.example.net")
    assert record["verdict"] == "defer" and record["facts"]["spf"] == "temperror" and record["dns-us"] > 2000000


def test_a_slow_server_is_waited_for(daemon, dns, token):
    passing(dns, token)
    dns.fault(f"{token}.example.net TXT slow=2")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert answer.what == "continue" and 1.5 < seconds < 3 + SLACK


def test_many_slow_servers_are_waited_for_8_seconds_in_all(daemon, dns, token):
    lines = [f'n{n}.{token}.example.net TXT "v=spf1 include:n{n + 1}.{token}.example.net -all"' for n in range(9)]
    dns.zone(*lines)
    dns.fault(f"*.{token}.example.net TXT slow=2")
    answer, seconds = ask(f"<alice@n0.{token}.example.net>")
    assert answer.text.startswith("451 4.4.3") and seconds < CALLBACK_SECONDS + SLACK


def test_everything_silent_takes_8_seconds_at_most(daemon, dns, token):
    names = [token + ".example.net", "helo." + token + ".example.net"]
    dns.fault(*(f"{name} ANY drop" for name in names))
    answer, seconds = ask(f"<alice@{names[0]}>", helo=names[1])
    assert answer.text.startswith("451 4.4.3") and seconds < CALLBACK_SECONDS + SLACK


def test_one_who_waits_holds_up_nobody_else(daemon, dns, token):
    dns.fault(f"{token}.example.net TXT drop")
    waiting = [threading.Thread(target=ask, args=(f"<a{n}@{token}.example.net>",)) for n in range(10)]
    for thread in waiting:
        thread.start()
    time.sleep(0.2)
    answer, seconds = ask("<alice@pass.example.net>")
    assert answer.what == "continue" and seconds < 2
    for thread in waiting:
        thread.join()


def test_a_tree_of_includes_asks_no_more_than_eleven_questions(daemon, dns, token):
    for level in range(3):
        includes = " ".join(f"include:{branch}.l{level + 1}.{token}.example.net" for branch in range(9))
        dns.zone(f'*.l{level}.{token}.example.net TXT "v=spf1 {includes} -all"')
    dns.zone(f'*.l3.{token}.example.net TXT "v=spf1 -all"')
    ask(f"<alice@top.l0.{token}.example.net>")
    assert daemon.record(sender=f"alice@top.l0.{token}.example.net")["facts"]["spf"] == "permerror"
    with open(dns.log) as f:
        assert sum(token in line and " TXT " in line for line in f) <= 11


def test_a_truncated_answer_is_asked_for_by_tcp(daemon, dns, token):
    passing(dns, token)
    dns.fault(f"{token}.example.net TXT tc")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert answer.what == "continue" and seconds < 3


def test_a_record_of_60_kilobytes_gets_an_answer(daemon, dns, token):
    strings = " ".join('"' + "x" * 250 + '"' for _ in range(240))
    dns.zone(f"{token}.example.net TXT {strings}", f"{token}.example.net A 203.0.113.5")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert seconds < CALLBACK_SECONDS and answer.what in ("continue", "reply")


def test_an_spf_record_of_60_kilobytes_gets_an_answer(daemon, dns, token):
    terms = " ".join('"' + "ip4:192.0.2.1 " * 17 + '"' for _ in range(240))
    dns.zone(f'{token}.example.net TXT "v=spf1 " {terms} "-all"', f"{token}.example.net A 203.0.113.5")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert seconds < CALLBACK_SECONDS and answer.what in ("continue", "reply")


def test_a_domain_that_takes_no_mail_is_known(daemon):
    answer, _ = ask("<alice@nullmx.example.net>")
    assert answer.text.startswith("550 5.1.8")


@pytest.mark.parametrize("fault", ["drop", "servfail"])
def test_trouble_with_mx_is_a_temporary_error(daemon, dns, token, fault):
    passing(dns, token)
    dns.fault(f"{token}.example.net MX {fault}")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert answer.text == "451 4.4.3 MX: temporary DNS failure" and seconds < CALLBACK_SECONDS


def test_the_mail_servers_pass_it_on_in_time(daemon, mta, dns, token):
    dns.fault(f"{token}.example.net ANY drop")
    with smtp.Client(mta) as client:
        started = time.monotonic()
        reply = client.envelope(f"<alice@{token}.example.net>", []).mail
        assert reply.code == 451 and "4.4.3" in reply.text
        assert time.monotonic() - started < CALLBACK_SECONDS + SLACK


def test_what_is_served_past_its_time_is_marked_in_the_record(daemon, dns, token):
    dns.zone(f'{token}.example.net 1 TXT "v=spf1 ip4:203.0.113.5 -all"', f"{token}.example.net A 203.0.113.5")
    assert ask(f"<alice@{token}.example.net>")[0].what == "continue"
    assert "dns-stale" not in daemon.record(sender=f"alice@{token}.example.net")
    time.sleep(2.1)
    dns.fault(f"{token}.example.net TXT servfail")
    assert ask(f"<bob@{token}.example.net>")[0].what == "continue"
    assert daemon.record(sender=f"bob@{token}.example.net")["dns-stale"] == 1


LIES = ["garbage", "wrongid", "wrongname", "cut", "refused", "formerr", "notimp", "empty", "tc tcpdrop", "tcpdrop"]


@pytest.mark.parametrize("fault", LIES)
def test_a_server_that_lies_gets_an_answer_in_time(daemon, dns, token, fault):
    passing(dns, token)
    dns.fault(f"{token}.example.net TXT {fault}")
    answer, seconds = ask(f"<alice@{token}.example.net>")
    assert seconds < CALLBACK_SECONDS + SLACK
    assert answer.what == "continue" or answer.text.startswith("451 4.4.3")


def test_equal_questions_are_asked_once(daemon, dns, token):
    passing(dns, token)
    dns.fault(f"{token}.example.net TXT slow=1")
    asking = [threading.Thread(target=ask, args=(f"<a{n}@{token}.example.net>",)) for n in range(16)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert dns.asked(f"{token}.example.net", "TXT") == 1


def test_a_dead_server_is_a_temporary_error_and_is_forgiven(daemon, dns, token):
    dns.stop()
    try:
        answer, seconds = ask(f"<alice@dead-{token}.example.net>")
        assert answer.text.startswith("451 4.4.3") and seconds < CALLBACK_SECONDS + SLACK
    finally:
        dns.start()
    deadline = time.monotonic() + 40
    number = 0
    while answer.what != "continue" and time.monotonic() < deadline:
        number += 1
        passing(dns, f"back{number}-{token}")
        answer, _ = ask(f"<alice@back{number}-{token}.example.net>")
        time.sleep(0.5)
    assert answer.what == "continue", "the server is back and is not asked again"
