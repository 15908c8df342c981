"""The demonstration of ./autogen.sh demo, with each mail server and each engine of the milter door: it starts, shows eight
messages, and leaves nothing."""
import glob
import os
import re
import select
import signal
import subprocess
import sys
import time

import pytest

import exim
import postfix
import sekisho
import sendmail
import space

DEMO = os.path.abspath(os.path.join(sekisho.HERE, "../demo/demo.py"))
SERVERS = {"postfix": postfix.Postfix, "sendmail": sendmail.Sendmail, "exim": exim.Exim}
CASES = 8


def environment():
    """As for somebody who starts it by hand: outside of the namespace of the tests, as far as it knows."""
    return dict({name: value for name, value in os.environ.items() if name != space.MARK}, SEKISHO=sekisho.PROGRAM,
                SEKISHO_SENDMAIL_ROOT=sendmail.ROOT, SEKISHO_EXIM_ROOT=exim.ROOT, PYTHONIOENCODING="utf-8")


@pytest.fixture(params=SERVERS)
def command(request, milter_engine):
    reason = SERVERS[request.param].why_not()
    if reason:
        pytest.skip(reason)
    chosen = [sys.executable, DEMO, "--mta", request.param]
    if request.param != "exim":
        return chosen + ["--engine", milter_engine]
    if milter_engine != sekisho.ENGINES[0]:
        pytest.skip("Exim has no milter: once is enough")
    return chosen


def left(before=()):
    """Directories and processes of demonstrations."""
    found = glob.glob("/tmp/sekisho-demo.*")
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                words = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if "sekisho-demo." in words:
            found.append(words)
    return [what for what in found if what not in before]


def read_until(program, pattern, seconds=60):
    """What the program has printed up to the pattern."""
    text, end = b"", time.monotonic() + seconds
    while not re.search(pattern, text):
        ready, _, _ = select.select([program.stdout], [], [], max(0, end - time.monotonic()))
        more = os.read(program.stdout.fileno(), 65536) if ready else b""
        assert more, f"no {pattern} in\n{text.decode(errors='replace')}"
        text += more
    return text.decode()


def test_the_eight_messages_end_as_they_should(nameserver, command):
    before = left()
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=80)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    assert f"All {CASES} ended as they should" in done.stdout
    codes = re.findall(r"^ (\d) [^│]+│ (\d{3}) ", done.stdout, re.M)
    assert codes == list(zip("12345678", "250 550 250 250 530 250 553 451".split())), done.stdout
    assert not left(before)


def be_interruptible():
    """As from a terminal: who runs the tests in the background ignores SIGINT, and what they start would do so, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_stays_until_it_is_told_and_shows_further_mail(nameserver, command, token):
    before = left()
    with subprocess.Popen(command + ["--stay"], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=be_interruptible) as program:
        try:
            said = read_until(program, rb"\n  records .*\n(.*\n)+?\n")
            first = re.search(r"^  (swaks .*) \\\n +(.*)$", said, re.M)
            enter = re.search(r"^  (nsenter -t \d+ -n) ", said, re.M)
            assert first and bool(enter) == ("postfix" not in command), said
            talk = (enter.group(1) + " " if enter else "") + " ".join(first.groups()) + f" --h-Subject {token}"
            swaks = subprocess.run(talk.split(), capture_output=True, text=True, timeout=30)
            assert "<** 550 5.7.23 " in swaks.stdout, swaks.stdout + swaks.stderr
            read_until(program, rb"198\.51\.100\.66 you@good\.example: reject 550 5\.7\.23 .* sekisho\.conf:\d+ reject 550 ")
            program.send_signal(signal.SIGINT)
            assert program.wait(timeout=30) == 0
        finally:
            program.terminate()  # it takes its servers and files with it
    assert not left(before)


def test_an_engine_of_the_milter_is_an_error_with_exim():
    done = subprocess.run([sys.executable, DEMO, "--mta", "exim", "--engine", "native"], env=environment(), capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 2 and "Exim has no milter" in done.stderr
