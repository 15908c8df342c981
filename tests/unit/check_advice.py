#!/usr/bin/python3
"""check_advice.py - `sekisho check` names accounts that do not exist (78), and warns of what is allowed and hardly
meant, which changes no exit code; a list that cannot be read stays 78.

The program is $SEKISHO. The last line counts the cases.
"""
import os
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("SEKISHO", "build/sekisho"))


def inbound(rule):
    return "policy inbound { on message {\n%s\n} }\n" % rule


def submission(rule):
    return "policy submission { on message {\n%s\n} }\n" % rule


# what the file says, the exit code, what is said of it; "" when nothing is
CASES = [
    ("mode enforce\n", 0, ""),
    ("user no-such-user\n", 78, "p:1:6: there is no user no-such-user on this system; create it, or name another"),
    ("group no-such-group\n", 78, "p:1:7: there is no group no-such-group on this system; create it, or name another"),
    ("listen unix:/run/x.sock mode 0660 group no-such-group\n", 78,
     "p:1:41: there is no group no-such-group on this system; create it, or name another"),
    ("user root\ngroup root\nlisten unix:/run/x.sock group root\n", 0, ""),
    ("listen unix:/run/x.sock mode 0660\n", 0, ""),
    ("listen fd:3\n", 0, ""),
    ("listen inet:8891@127.0.0.1\n", 0, "p:1:1: warning: whoever can connect to a network socket"),
    ("listen inet6:8891@[::1]\n", 0, "p:1:1: warning: whoever can connect to a network socket"),
    ("listen inet:8891 user root\n", 0, "p:1:1: warning: whoever can connect to a network socket"),
    ("listen inet:8891 user no-such-user\n", 78, "p:1:23: there is no user no-such-user on this system"),
    ("listen inet:8891\nsign-table file:t\n", 0, "p:2:1: warning: whoever can connect to the network socket"),
    ("sign-table file:t\n", 0, "p:1:1: warning: whoever can connect to the network socket"),
    ("listen unix:/run/x.sock\nsign-table file:t\n", 0, ""),
    ("trusted { 127.0.0.1 0.0.0.0/0 }\n", 0, "p:1:21: warning: trusted holds 0.0.0.0/0, and so nearly every client"),
    ("trusted { 0.0.0.0/1 128.0.0.0/1 }\n", 0, "p:1:21: warning: trusted holds 128.0.0.0/1"),
    ("trusted { ::/0 }\n", 0, "p:1:11: warning: trusted holds ::/0"),
    ("trusted { 10.0.0.0/8 2001:db8::/32 fc00::/16 }\n", 0, ""),
    ("submission { port 587 25 }\n", 0, "p:1:23: warning: other mail servers bring their mail to port 25"),
    ("submission { port 587 daemon-name 25 }\n", 0, ""),
    (inbound('reject 550 "no" if auth'), 0, "p:2:20: warning: auth tells nothing in \"policy inbound\""),
    (inbound('reject 550 "no" if spf is fail and not (size > 5 or auth.user is "a")'), 0,
     "p:2:53: warning: auth.user tells nothing in \"policy inbound\""),
    (submission('reject 550 "no" if not auth'), 0, ""),
    (inbound('reject 550 "no ${sender} here"'), 0,
     "p:2:16: warning: \"${sender}\" is sent as it is; write %{sender} for the fact"),
    (inbound('log "${header(Subject)}"'), 0,
     "p:2:6: warning: \"${header(Subject)}\" is sent as it is; write %{header(Subject)} for the fact"),
    (inbound('log "$5 {sender} ${nothing} $"'), 0, ""),
    (inbound('log "%x"'), 78, "p:2:6: a lone \"%\"; write %% for the character, %{fact} for a fact"),
    ("list friends file:nowhere\n", 78, "p:1:1: warning: list friends: "),
]


def wrong(text, code, message):
    """Why the case is wrong, or None."""
    with open("p", "w", encoding="ascii") as f:
        f.write(text)
    done = subprocess.run([PROGRAM, "check", "p"], capture_output=True, text=True, timeout=30)
    if done.returncode != code:
        return "wanted exit code %d, got %d: %s" % (code, done.returncode, done.stderr)
    if (message not in done.stderr) if message else done.stderr:
        return "wanted %r, got %r" % (message, done.stderr)
    if (": ok (" in done.stdout) != (code == 0):
        return "stdout: %r" % done.stdout
    return None


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sekisho-check-") as scratch:
        os.chdir(scratch)
        open("t", "w").close()
        for text, code, message in CASES:
            why = wrong(text, code, message)
            passed += not why
            failed += bool(why)
            if why:
                print("FAILED %r: %s" % (text, why))
        os.chdir("/")
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
