"""The load generator of the benchmark (tests/bench/load.c) counts as done only what the milter did."""
import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

import pytest

import sekisho
from mta import wait_for

BENCH = os.path.join(os.path.dirname(sekisho.PROGRAM), "tests/bench")
MESSAGES = 12
MESSAGE = b"From: a@example.net\r\nSubject: folded\r\n\tonce\r\n\r\nBody.\r\n"
FIELD = b"X-Seen\0 yes\n\tand \"more\"\0"
NOTHING = dict.fromkeys(("accept", "reject", "defer", "discard", "missing"), 0)

pytestmark = pytest.mark.skipif(not os.access(BENCH + "/load", os.X_OK), reason=f"{BENCH}/load is not built")


def packet(letter, data=b""):
    return struct.pack("!I", len(data) + 1) + letter + data


class Milter:
    """Answers to each command what `answers` says, else continue; adds FIELD at the end."""

    def __init__(self, path, answers):
        self.answers = answers
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.socket.accept()[0],), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while head := stream.read(4):
                data = stream.read(struct.unpack("!I", head)[0])
                letter = data[:1]
                if letter == b"O":
                    connection.sendall(packet(b"O", struct.pack("!III", 6, 0x1FF, 0)))
                elif letter not in b"DAQK":
                    added = packet(b"h", FIELD) if letter == b"E" else b""
                    connection.sendall(added + self.answers.get(letter, packet(b"c")))


@pytest.fixture
def load(directory):
    with open(directory + "/message", "wb") as f:
        f.write(MESSAGE)
    with open(directory + "/list", "w") as f:
        f.write(f"{directory}/message a@example.net 203.0.113.5 mail.example.net\n")

    def run(*arguments):
        return subprocess.run([BENCH + "/load", "-c", "3", "-n", str(MESSAGES), *arguments[:-1], directory + "/list",
                               arguments[-1]], capture_output=True, text=True, timeout=30)
    return run


def counts(ran):
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["messages"] == MESSAGES
    return {key: found[key] for key in NOTHING}


LATER, NEVER = packet(b"y", b"450 4.7.1 later\0"), packet(b"y", b"550 5.7.1 never\0")


@pytest.mark.parametrize("letter, answer, expected", [
    (b"M", packet(b"t"), "defer"), (b"M", LATER, "defer"), (b"M", NEVER, "reject"), (b"M", packet(b"r"), "reject"),
    (b"R", packet(b"d"), "discard"), (b"T", packet(b"t"), "defer"), (b"L", packet(b"r"), "reject"),
    (b"N", packet(b"t"), "defer"), (b"B", LATER, "defer"), (b"B", NEVER, "reject"), (b"E", packet(b"t"), "defer"),
    (b"E", LATER, "defer"), (b"E", NEVER, "reject"), (b"E", packet(b"d"), "discard"), (b"M", packet(b"4"), "defer"),
    (b"M", packet(b"p") + packet(b"p") + packet(b"t"), "defer"), (b"E", packet(b"p") + packet(b"r"), "reject"),
])
def test_a_message_counts_as_what_the_milter_answered(load, directory, letter, answer, expected):
    Milter(directory + "/socket", {letter: answer})
    assert counts(load("-w", "yes", directory + "/socket")) == {**NOTHING, expected: MESSAGES}


@pytest.mark.parametrize("answers, word, missing", [
    ({}, "yes", 0), ({}, "X-Seen", 0), ({}, "no", MESSAGES), ({}, "X-See", MESSAGES), ({}, "folded", MESSAGES),
    ({b"B": packet(b"s")}, "yes", 0),
    ({b"M": packet(b"a")}, "yes", MESSAGES),  # it accepted the message without looking at it
])
def test_an_accepted_message_without_the_word_is_missing(load, directory, answers, word, missing):
    Milter(directory + "/socket", answers)
    assert counts(load("-w", word, directory + "/socket")) == {**NOTHING, "accept": MESSAGES, "missing": missing}


@pytest.mark.parametrize("letter, early", [(b"M", MESSAGES), (b"R", MESSAGES), (b"T", MESSAGES), (b"L", 0), (b"B", 0), (b"E", 0)])
def test_a_message_is_early_when_its_content_was_not_sent(load, directory, letter, early):
    Milter(directory + "/socket", {letter: packet(b"r")})
    assert json.loads(load(directory + "/socket").stdout)["early"] == early


def test_an_accepted_message_with_one_of_two_words_is_missing_once(load, directory):
    Milter(directory + "/socket", {})
    found = counts(load("-w", "yes", "-w", "no", directory + "/socket"))
    assert found == {**NOTHING, "accept": MESSAGES, "missing": MESSAGES}


def test_the_sample_is_the_field_as_it_was_added(load, directory):
    Milter(directory + "/socket", {})
    found = json.loads(load("-w", "yes", directory + "/socket").stdout)
    assert found["sample"] == 'X-Seen:  yes\n\tand "more"' and found["file"] == directory + "/message"


@pytest.mark.parametrize("answer, complaint", [(packet(b"O"), "0x4f"), (b"", "closed"), (struct.pack("!I", 0) + b"c", "reply")])
def test_a_milter_that_breaks_the_protocol_ends_the_run(load, directory, answer, complaint):
    milter = Milter(directory + "/socket", {b"M": answer})
    if not answer:
        milter.serve = lambda connection: connection.close()
    ran = load("-w", "yes", directory + "/socket")
    assert ran.returncode == 1 and ran.stdout == "" and complaint in ran.stderr


@pytest.mark.parametrize("how", ["replies", "limit"])
def test_the_empty_programs_do_no_more_than_they_say(load, directory, how):
    path = directory + "/empty"
    program = subprocess.Popen([BENCH + "/empty", how, path])
    try:
        wait_for(lambda: os.path.exists(path))
        assert counts(load("-w", "mx.example.org", path)) == {**NOTHING, "accept": MESSAGES}
        assert counts(load("-w", "spf=pass", path)) == {**NOTHING, "accept": MESSAGES, "missing": MESSAGES}
    finally:
        program.kill()
        program.wait()
