"""Keys that change: a real name server with dynamic updates, a real mail server, and the verifier at the other end. Which key signs
follows what the DNS has."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

import named
import sekisho
from mta import wait_for
from outgoing import WAY, fields_of, notes, pass_through, text_of
from sink import Sink

ENGINES = sekisho.ENGINES[:1]  # both ask the same signer
DOMAIN = "signer.example.org"
HOOK = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../conf/sekisho-nsupdate"))
BASE = sekisho.SETTINGS.replace("{{ spf auth }}", "off").replace("127.0.0.1@53", f"127.0.0.1@{named.PORT}").replace("timeout 3s", "timeout 1s")
SETTINGS = f"sign {DOMAIN} {{ rotate 90d  keys {{directory}}/keys  type rsa  check 1s }}\n"
POLICY = "policy submission { on message { sign } }\n"


@pytest.fixture(scope="module")
def zone(nameserver, module_directory):
    if named.why_not():
        pytest.skip(named.why_not())
    with named.Named(f"{module_directory}/named", DOMAIN) as running:
        yield running


@pytest.fixture(scope="module")
def daemon(zone, module_directory):
    os.makedirs(f"{module_directory}/keys", mode=0o700, exist_ok=True)
    with sekisho.Daemon(module_directory, POLICY, settings=SETTINGS, base=BASE) as running:
        yield running


def keys(daemon, *words, **options):
    return sekisho.run("keys", "-c", daemon.file, *words, **options)


def state(daemon):
    """{selector: its state}, as the verb says."""
    shown = json.loads(keys(daemon, "--json").stdout)
    return {key["selector"]: key["state"] for key in shown[0]["keys"]}


def publish(zone, name, record, ttl, what="publish"):
    done = subprocess.run([HOOK, what, DOMAIN, name, record], env={**os.environ, **zone.environment(ttl)}, capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stderr


def log_of(daemon):
    with open(daemon.record_file, errors="replace") as f:
        return [line for line in f if '"level"' in line]


def says(daemon, text):
    return wait_for(lambda: any(text in line for line in log_of(daemon)), seconds=15)


def send(postfix_server, sink, token, number):
    """(the message as it arrived, the selectors of its signatures)"""
    arrived = pass_through(postfix_server, sink, f"{token}{number}", text_of(f"{token}{number}"))
    return arrived, [re.search(r" s=([^;]+);", value).group(1) for value in fields_of(arrived, "DKIM-Signature")]


def verified(arrived, directory):
    with open(f"{directory}/arrived", "wb") as f:
        f.write(arrived)
    done = sekisho.run("verify", "--resolver", f"127.0.0.1@{named.PORT}", f"{directory}/arrived")
    return done.returncode == 0, done.stdout


def test_a_key_signs_when_the_dns_has_it_and_no_longer(daemon, zone, postfix_server, dns, token, directory):
    dns.zone(*WAY)
    with Sink() as sink:
        arrived, selectors = send(postfix_server, sink, token, 0)
        assert selectors == []
        assert notes(daemon, arrived) == [f"not signed: no key of {DOMAIN} has been in the DNS for long enough"]

        # The first key: made, published by the hook, seen, and after its time to live it signs.
        done = keys(daemon, "run", "--hook", HOOK, env={**os.environ, **zone.environment(5)})
        assert done.returncode == 0, done.stderr
        [first] = state(daemon)
        assert zone.ask(f"{first}._domainkey.{DOMAIN}")[0].startswith("v=DKIM1; k=rsa; p=")
        assert says(daemon, f"key {first} of {DOMAIN} is in the DNS; it may sign in 5 s")
        assert send(postfix_server, sink, token, 1)[1] == []
        assert wait_for(lambda: state(daemon)[first] == "signs", seconds=15)
        arrived, selectors = send(postfix_server, sink, token, 2)
        assert selectors == [first]
        assert verified(arrived, directory)[0], verified(arrived, directory)

        # The next one waits until its record is there, and then for its time to live.
        done = keys(daemon, "rotate", DOMAIN)
        assert done.returncode == 0, done.stderr
        assert keys(daemon, "rotate", DOMAIN).stdout == done.stdout
        second, record = done.stdout.split(".")[0], "".join(done.stdout.split('"')[1::2])
        assert state(daemon) == {first: "signs", second: "waits"}
        time.sleep(3)
        assert send(postfix_server, sink, token, 3)[1] == [first]
        publish(zone, f"{second}._domainkey.{DOMAIN}", record, 4)
        keys(daemon, "rotate", DOMAIN)  # changes nothing, but tells the daemon to look now
        assert says(daemon, f"key {second} of {DOMAIN} is in the DNS; it may sign in 4 s")
        assert send(postfix_server, sink, token, 4)[1] == [first]
        assert says(daemon, f"key {second} of {DOMAIN} signs now; {first}, which it replaces, stays published for 604800 s")
        arrived, selectors = send(postfix_server, sink, token, 5)
        assert selectors == [second]
        assert verified(arrived, directory)[0], verified(arrived, directory)
        assert state(daemon) == {first: "stays", second: "signs"}

        # A record that is gone does.
        publish(zone, f"{second}._domainkey.{DOMAIN}", record, 4, what="remove")
        assert says(daemon, f"key {second} of {DOMAIN} is not in the DNS any more (no record): it does not sign")
        assert send(postfix_server, sink, token, 8)[1] == [first]
        assert state(daemon) == {first: "signs", second: "vanished"}

        # A DNS that does not answer changes nothing.
        zone.process.send_signal(signal.SIGSTOP)
        time.sleep(8)  # many looks, and the answers of the cache have expired
        assert send(postfix_server, sink, token, 6)[1] == [first]
        zone.process.send_signal(signal.SIGCONT)


def test_keys_survive_a_restart(daemon, zone, postfix_server, dns, token):
    before = state(daemon)
    [signs] = [selector for selector, what in before.items() if what == "signs"]
    daemon.stop()
    daemon.start()
    dns.zone(*WAY)
    with Sink() as sink:
        assert send(postfix_server, sink, token, 0)[1] == [signs]  # at once
    assert state(daemon) == before


def test_many_runs_at_once_make_one_key(daemon, zone, directory):
    os.mkdir(f"{directory}/keys", 0o700)
    with open(daemon.file) as f:
        text = f.read().replace(f"{daemon.directory}/keys", f"{directory}/keys")
    with open(f"{directory}/sekisho.conf", "w") as f:
        f.write(text)
    runs = [subprocess.Popen([sekisho.PROGRAM, "keys", "-c", f"{directory}/sekisho.conf", "rotate", DOMAIN], stdout=subprocess.PIPE, text=True)
            for _ in range(8)]
    printed = {run.communicate(timeout=60)[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 8
    assert len(printed) == 1
