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


def rcpt(rule):
    return "policy inbound { on rcpt {\n%s\n} }\n" % rule


# what the file says, the exit code, what is said of it; "" when nothing is
CASES = [
    ("mode enforce\n", 0, ""),
    ("user no-such-user\n", 78, "p:1:6: there is no user no-such-user on this system; create it, or name another"),
    ("group no-such-group\n", 78, "p:1:7: there is no group no-such-group on this system; create it, or name another"),
    ("listen unix:/run/x.sock mode 0660 group no-such-group\n", 78,
     "p:1:41: there is no group no-such-group on this system; create it, or name another"),
    ("user root\ngroup root\nlisten unix:/run/x.sock group root\n", 0, ""),
    ("listen unix:/run/x.sock mode 0660\n", 0, ""),
    ("control /run/c readers root no-such-group\n", 0, "p:1:29: warning: there is no group no-such-group on this system, so "
     "nobody is let in by it; create it, or name another"),
    ("store memory:\nlist r dynamic:30m writers no-such-group at-most 5\n" + inbound("accept if client in r"), 0,
     "p:2:28: warning: there is no group no-such-group on this system"),
    ("store memory:\nlist r dynamic:30m writers root at-most 5\n" + inbound("accept if client in r"), 0, ""),
    ("listen rspamc unix:/run/x.sock\n" + inbound('quarantine "held"'), 0,
     "p:3:1: warning: listen rspamc in line 1 cannot hold a message: a message that comes there is deferred when quarantine "
     "would act; use another action for such mail"),
    ("listen rspamc unix:/run/x.sock\n" + inbound('redirect "a@example.org" if size > 5'), 0, "in line 1 cannot add recipients"),
    ("listen rspamc unix:/run/x.sock\n" + inbound("delete-recipient \"a@example.org\""), 0, "cannot delete recipients"),
    ("listen rspamc unix:/run/x.sock\n" + inbound('set-sender ""'), 0, "cannot change the envelope sender"),
    ("listen rspamc unix:/run/x.sock\n" + submission('footer "x"'), 0, "cannot change the body"),
    ("listen rspamc unix:/run/x.sock\n" + inbound('try quarantine "held"\nadd-header X-A "b"\ndelete-header X-B'), 0, ""),
    ("listen unix:/run/x.sock\n" + inbound('quarantine "held"'), 0, ""),
    ("listen policy unix:/run/x.sock\n" + inbound('log "a"\nreject if size > 5'), 0,
     "p:3:1: warning: rules of on message never run, because messages come nowhere: listen policy in line 1 sees the session up to "
     "the recipients; add listen milter, or listen rspamc for Exim"),
    ("listen policy unix:/run/x.sock\n" + rcpt('add-header X-A "b"\ndelete-header X-B'), 0,
     "p:3:1: warning: add-header changes nothing, because messages come nowhere: listen policy in line 1 only refuses; add listen "
     "milter, or listen rspamc for Exim"),
    ("listen policy unix:/run/x.sock\n" + rcpt('reject if recipient is "a@b.c"\nquarantine'), 0, ""),
    ("listen policy unix:/run/x.sock\nlisten rspamc unix:/run/y.sock\n" + rcpt('reject if recipient is "a@b.c"\nadd-header X-A "b"'), 0, ""),
    ("listen policy unix:/run/x.sock\nlisten unix:/run/y.sock\n" + inbound('reject if size > 5'), 0, ""),
    ("listen rspamc unix:/run/x.sock\n" + rcpt('reject if recipient is "a@b.c"\ndefer if tls'), 0,
     "p:3:1: warning: what comes to listen rspamc in line 1 alone is refused for all recipients when reject acts for one; add listen "
     "policy, which Exim asks at RCPT (exim.conf)"),
    ("listen rspamc unix:/run/x.sock\n" + inbound('add-header X-A "%{tls.version}"'), 0,
     "p:1:1: warning: listen rspamc alone is not told tls.version, which a rule reads; add listen policy, which Exim tells it "
     "(exim.conf)"),
    ("listen fd:3\n", 0, ""),
    ("listen inet:8891@127.0.0.1\n", 0, "p:1:1: warning: whoever can connect to a network socket"),
    ("listen inet6:8891@[::1]\n", 0, "p:1:1: warning: whoever can connect to a network socket"),
    ("listen inet:8891 user root\n", 0, "p:1:1: warning: whoever can connect to a network socket"),
    ("listen inet:8891 user no-such-user\n", 78, "p:1:23: there is no user no-such-user on this system"),
    ("listen inet:8891\nsign-table file:t\n", 0, "p:2:1: warning: whoever can connect to the network socket"),
    ("sign-table file:t\n", 0, "p:1:1: warning: whoever can connect to the network socket"),
    ("listen unix:/run/x.sock\nsign-table file:t\n", 0, ""),
    ("dmarc-reports { from d@example.org }\n", 0, "p:1:1: warning: reports are collected and never sent, because there is no mailer; write mailer inet:25@127.0.0.1 from d@example.org"),
    ("mailer inet:25 from d@example.org\ndmarc-reports { from d@example.org }\n", 0,
     "p:2:1: warning: reports must pass DMARC, and nothing signs for example.org: they are sent only if SPF covers the addresses of this host; write sign example.org { } and policy local { on message { sign } }"),
    ("mailer inet:25 from d@example.org\ndmarc-reports { from d@example.org }\nsign example.org { selector s key k.pem }\n", 0,
     "p:2:1: warning: reports must pass DMARC, and the policy for local mail does not sign: they are sent only if SPF covers the addresses of this host; write policy local { on message { sign } }"),
    ("dmarc-reports { organization x }\n", 78, "p:1:1: dmarc-reports has no from; write"),
    ("web { listen inet:9891@127.0.0.1 password-file /nonexistent/w }\n", 78, "p:1:48: password-file: "),
    ("web { listen inet:9891@127.0.0.1 password-file /etc/hostname }\n", 78,
     "p:1:48: password-file /etc/hostname: it is not a password hash; make it with sekisho web-password"),
    ("store redis://127.0.0.1:6379/0 password-file /nonexistent/r\n", 78, "p:1:46: password-file: "),
    ("store redis://127.0.0.1:6379/0 password-file /etc/services\n", 78, "p:1:46: password-file"),
    ("store redis://127.0.0.1:6379/0 password-file closed\n", 0, ""),
    ("store redis://127.0.0.1:6379/0 password-file open\n", 0,
     "p:1:46: warning: password-file open can be used by others (mode 0644); chmod 600 it, and give it to the user of the daemon"),
    ("store rediss://127.0.0.1:6379/0 ca-file /nonexistent/ca\n", 78,
     "p:1:41: ca-file /nonexistent/ca: no certificates in PEM format can be read from this file"),
    ("store rediss://127.0.0.1:6379/0 ca-file k.pem\n", 78, "p:1:41: ca-file k.pem: no certificates in PEM format"),
    ("srs { domain s.example  secret-file /nonexistent/s }\n", 78, "p:1:1: srs: cannot read key /nonexistent/s"),
    ("srs { domain s.example  secret-file open }\n", 78, "p:1:1: srs: key open can be used by others (mode 0644)"),
    ("srs { domain s.example  secret-file closed }\n", 0, ""),
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
    (inbound('reject 550 "no" if spf is fail and forwarder is none'), 0,
     "name them in the list trusted-forwarders and add: and forwarder is none"),
    ("list trusted-forwarders file:t\n" + inbound('reject 550 "no" if spf is fail and forwarder is none'), 0, ""),
    (submission('rewrite-from "%{from.name} via list" "l@example.org"'), 0,
     "p:2:1: warning: this takes every author out of From, also those whose domain does not ask for it; add: if "
     "dmarc.policy is { quarantine reject }"),
    (submission('rewrite-from "a" "l@example.org" if dmarc.policy is { quarantine reject }'), 0, ""),
    (inbound('reject 550 "no ${sender} here"'), 0,
     "p:2:16: warning: \"${sender}\" is sent as it is; write %{sender} for the fact"),
    (inbound('log "${header(Subject)}"'), 0,
     "p:2:6: warning: \"${header(Subject)}\" is sent as it is; write %{header(Subject)} for the fact"),
    # rules that never act
    (inbound('accept\nreject 550 "no" if spf is fail and dmarc is fail'), 0,
     "p:3:1: warning: this rule never acts: the accept in line 2 has no condition; remove this rule"),
    (inbound('defer\nadd-header X-A "a"'), 0, "p:3:1: warning: this rule never acts: the defer in line 2"),
    (inbound('accept\nadd-header X-A "a"\nlog "all"'), 0, ""),
    (inbound('accept if size > 5\ndefer\nadd-header X-A "a"'), 0, ""),
    (inbound('try accept\nreject 550 "no" if dmarc is fail'), 0, ""),
    (inbound('quarantine\nreject 550 "no" if dmarc is fail'), 0, ""),
    (inbound('try stop\nlog "a"'), 0, "p:3:1: warning: this rule never acts: the stop in line 2"),
    ("policy inbound { on mail {\naccept if tls\n}\non message {\ndefer\nlog \"a\"\n} }\n", 0, ""),
    ("policy inbound { on mail {\naccept\n}\non message {\ndefer\n} }\n", 0, ""),
    (inbound('defer if dmarc is fail\nreject 550 "no" if dmarc is fail'), 0,
     "p:3:1: warning: this rule never acts: the defer in line 2 acts on all that this condition is true for"),
    (inbound('defer if dmarc is { fail none }\nreject 550 "no" if size > 5 and dmarc is fail'), 0, "p:3:1: warning: this"),
    (inbound('defer if dmarc is fail or size > 5\nreject 550 "no" if size > 5 and spf is none'), 0, "p:3:1: warning: this"),
    (inbound('defer if not dmarc is fail\nreject 550 "no" if not dmarc is { fail none }'), 0, "p:3:1: warning: this"),
    (inbound('defer if dmarc is not { fail none }\nreject 550 "no" if dmarc is not { none fail pass }'), 0,
     "p:3:1: warning: this"),
    (inbound('defer if header(To) matches /a/\nreject 550 "no" if header(To) matches /a/'), 0, "p:3:1: warning: this"),
    (inbound('defer if dmarc is fail and size > 5\nreject 550 "no" if dmarc is fail'), 0, ""),
    (inbound('defer if dmarc is fail\nreject 550 "no" if dmarc is { fail none }'), 0, ""),
    (inbound('defer if dmarc is not { fail none pass }\nreject 550 "no" if dmarc is not { none fail }'), 0, ""),
    (inbound('defer if not dmarc is { fail none }\nreject 550 "no" if not dmarc is fail'), 0, ""),
    (inbound('defer if dmarc is fail\nreject 550 "no" if not dmarc is fail'), 0, ""),
    (inbound('defer if header(To) matches /a/\nreject 550 "no" if header(To) matches /a/i'), 0, ""),
    (inbound('defer if header(To) is "a"\nreject 550 "no" if header(Cc) is "a"'), 0, ""),
    (inbound('defer if size > 5\nreject 550 "no" if size >= 5'), 0, ""),
    (inbound('try defer if dmarc is fail\nreject 550 "no" if dmarc is fail'), 0, ""),
    (inbound('defer if score > 5\nscore 9 "a"\nreject 550 "no" if score > 5'), 0, ""),
    (inbound('reject 550 "no" if dmarc is fail and size > 5 and dmarc is none'), 0,
     "p:2:1: warning: this rule never acts: its condition asks for two results of one fact at once"),
    (inbound('reject 550 "no" if (dmarc is fail and dmarc is none) or (spf is fail and spf is pass)'), 0,
     "p:2:1: warning: this rule never acts: its condition"),
    (inbound('reject 550 "no" if (dmarc is fail and dmarc is none) or size > 5'), 0, ""),
    (inbound('reject 550 "no" if dmarc is { fail none } and dmarc is not none'), 0, ""),
    (inbound('reject 550 "no" if dmarc is fail and spf is none'), 0, ""),
    # a condition that is too long is not compared with itself until the test runs out of time
    (inbound("accept if " + " and ".join(["tls"] * 50000)), 78, "p:2:1: this condition has more than 4096 parts"),
    # refusals that are hardly meant
    (inbound('reject 550 "no" if size > 5 and dmarc is { fail temperror }'), 0,
     "p:2:1: warning: reject when dmarc is temperror: mail is lost"),
    (inbound('reject 550 "no" if dmarc is not temperror and size > 5'), 0, ""),
    (inbound('defer if dmarc is temperror\ntry reject 550 "no" if spf is temperror'), 0, ""),
    (inbound('reject 550 "no" if spf is { fail permerror }'), 0, "p:2:1: warning: SPF also fails for mail that a forwarder"),
    (inbound('reject 550 "no" if size > 5 or spf is fail'), 0, "p:2:1: warning: SPF also fails"),
    (inbound('reject 550 "no" if spf is fail and dmarc is fail'), 0, ""),
    (submission('reject 550 "no" if spf is fail'), 0, ""),
    ("list f file:t\n" + inbound('reject 550 "no" if spf is fail and not (client in f)'), 0, ""),
    ("list f file:t\n" + inbound('accept if client in f\nreject 550 "no" if spf is fail'), 0, ""),
    # lists that nobody asks for
    ("list f file:t\n", 0, "p:1:6: warning: no rule and no setting names the list f; remove it, or ask for it"),
    ("list owners file:t\nlist relays file:t\n", 0, ""),
    # edits of what the author has signed
    (inbound('prefix-subject "[a] "'), 0, "p:2:1: warning: this changes Subject, which the DKIM signature of the author"),
    (inbound('replace-header from "a@example.org" if size > 5'), 0, "p:2:1: warning: this changes from"),
    (inbound('prefix-subject "[a] " if dmarc is fail\ndelete-header X-A\nreplace-header X-B "b"'), 0, ""),
    (submission('prefix-subject "[a] "'), 0, ""),
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
        for name, mode in (("open", 0o644), ("closed", 0o600)):
            with open(name, "w", encoding="ascii") as f:
                f.write("one long secret\n")
            os.chmod(name, mode)
        subprocess.run([PROGRAM, "genkey", "example.org", "s", "--out", "k.pem"], capture_output=True, check=True, timeout=30)
        for text, code, message in CASES:
            why = wrong(text, code, message)
            passed += not why
            failed += bool(why)
            if why:
                print("FAILED %.200r: %.2000s" % (text, why))
        os.chdir("/")
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
