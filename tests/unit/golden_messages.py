#!/usr/bin/python3
"""golden_messages.py - what `sekisho check` says, word for word.

Messages that other tests of tests/unit quote whole are not here again; tests/lint/messages.py finds those that no test quotes.
The program is $SEKISHO. The last line counts the cases.
"""
import os
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("SEKISHO", "build/sekisho"))


def inbound(rule):
    return "policy inbound { on message {\n%s\n} }\n" % rule


# the policy (bytes as in Latin-1), and all that is said of it
SRS = "srs { domain s.example  secret-file k }\n"
CASES = [
    (inbound("sign"),
     ["p:2:1: warning: there is no key to sign with; write sign DOMAIN { selector NAME key /path } "
      "above"]),
    (inbound('notify "a@b.example" "t"'),
     ["p:2:1: warning: there is no mailer, so nothing is sent; write mailer inet:25@127.0.0.1 from MAILBOX above"]),
    (inbound('notify postmaster "t"'),
     ["p:2:8: the address, in quotes, comes first; write notify \"user@domain\" \"text\" [once 1h]"]),
    (inbound('notify "a@b.example"'),
     ["p:2:8: the text, in quotes, comes after the address; write notify \"user@domain\" \"text\" [once 1h]"]),
    (inbound('notify "nobody" "t"'),
     ["p:2:8: this is not an address that mail can be sent to; write notify \"user@domain\" \"text\" [once 1h]"]),
    (inbound('notify "a@b.example" "t" 1h'),
     ["p:2:26: after the text only \"once\" and a time may follow; write notify \"user@domain\" \"text\" [once 1h]"]),
    (inbound('notify "a@b.example" "t" once'),
     ["p:2:26: a time must follow \"once\"; write notify \"user@domain\" \"text\" [once 1h]"]),
    (inbound('notify "a@b.example" "t" once 400d'),
     ["p:2:31: once takes a time from 1s to 366d; write notify \"user@domain\" \"text\" [once 1h]"]),
    (inbound('notify "a@b.example" "t" once 1h 2h'),
     ["p:2:34: nothing may follow the time; write notify \"user@domain\" \"text\" [once 1h]"]),
    ("mailer inet:25@127.0.0.1\n",
     ["p:1:1: the mailer has no author; write from MAILBOX after the address, as in from sekisho@example.org"]),
    ("mailer inet:25@127.0.0.1 from a%b@example.org\n",
     ["p:1:31: this is not an address that mail can come from"]),
    ("mailer unix:/run/smtp from a@b.example\n",
     ["p:1:8: \"unix:/run/smtp\" is not where a mail server listens; write inet:PORT@HOST or inet6:PORT@[ADDRESS], as in "
      "mailer inet:25@127.0.0.1 from sekisho@example.org"]),
    (inbound("override maybe \"a\""),
     ["p:2:10: an override has a reason: trusted_forwarder, mailing_list, local_policy or other; write "
      "override trusted_forwarder \"why\""]),
    (inbound("override other"),
     ["p:2:10: one text in quotes comes after the reason; write override trusted_forwarder \"why\""]),
    (inbound("zzzzzzzz"),
     ["p:2:1: unknown action \"zzzzzzzz\"; a rule is [try] ACTION [if CONDITION], and sekisho.conf(5) "
      "names the actions"]),
    (inbound("delete-header X-A matching \"a\" \"b\""),
     ["p:2:32: one expression fits here; write delete-header NAME ... [matching \"expression\"], or "
      "delete-header in LIST"]),
    (inbound("canonical"),
     ["p:2:1: nobody says which login has which address; define the list: list canonical "
      "file:/etc/sekisho/canonical"]),
    ("list canonical file:canonical\npolicy submission { on mail {\nreject if sender in canonical\n} }\n",
     ["p:1:1: warning: list canonical: canonical: No such file or directory; create the file, or let the user of sekisho "
      "read it; until then rules that ask for it defer",
      "p:3:21: the list canonical holds logins; ask \"auth.user in canonical\""]),
    ("list canonical file:canonical\npolicy submission { on helo {\ncanonical\n} }\n",
     ["p:1:1: warning: list canonical: canonical: No such file or directory; create the file, or let the user of sekisho "
      "read it; until then rules that ask for it defer",
      "p:3:1: auth.user is known from \"on mail\" on (this rule is in \"on helo\", line 2); move the rule to \"on mail\" "
      "or later"]),
    (inbound("reject if tls.version < new"),
     ["p:2:25: \"new\" is not something tls.version can be compared with; write it as in tls.version < TLSv1.2"]),
    ("listen inet:8891@127.0.0.1\nsign example.org { selector s1 key k }\n",
     ["p:1:1: warning: whoever can connect to a network socket can say that it is your mail server, and"
      " libmilter is not safe against a hostile program there; use a unix socket: listen "
      "unix:/var/spool/postfix/sekisho/milter.sock mode 0660 group postfix",
      "p:2:1: warning: whoever can connect to the network socket of `listen` can have any mail signed "
      "by this key; use a unix socket"]),
    ("listen inet:8891@127.0.0.1 engine native\n",
     ["p:1:1: warning: whoever can connect to a network socket can say that it is your mail server; use a unix socket: "
      "listen unix:/var/spool/postfix/sekisho/milter.sock mode 0660 group postfix"]),
    ("trusted { 0.0.0.0/0 }\n",
     ["p:1:11: warning: trusted holds 0.0.0.0/0, and so nearly every client of the Internet: their mail"
      " is \"local\", and no rule of \"policy inbound\" sees it; name your own networks"]),
    ("submission { port 25 }\n",
     ["p:1:19: warning: other mail servers bring their mail to port 25, and all of it would be "
      "submission: no rule of \"policy inbound\" sees it; remove 25 (who authenticates there is "
      "submission anyway)"]),
    (inbound("accept if auth"),
     ["p:2:11: warning: auth tells nothing in \"policy inbound\": a client that has authenticated is "
      "submission; move the rule to \"policy submission\""]),
    (inbound("discard\naccept"),
     ["p:3:1: warning: this rule never acts: the discard in line 2 has no condition; remove this rule, "
      "or move it before that one"]),
    (inbound("defer if spf is fail\naccept if spf is fail"),
     ["p:3:1: warning: this rule never acts: the defer in line 2 acts on all that this condition is "
      "true for; remove this rule, or move it before that one"]),
    (inbound("defer if spf is fail and spf is none"),
     ["p:2:1: warning: this rule never acts: its condition asks for two results of one fact at once; "
      "write \"is { a b }\" for one of both"]),
    (inbound("reject if dmarc is temperror"),
     ["p:2:1: warning: reject when dmarc is temperror: mail is lost when the DNS fails for a moment; "
      "write defer, and the client tries again"]),
    (inbound("reject if spf is fail"),
     ["p:2:1: warning: SPF also fails for mail that a forwarder or a relay of your own hands on; name "
      "them in the list trusted-forwarders and add: and forwarder is none"]),
    (inbound("prefix-subject \"[a] \""),
     ["p:2:1: warning: this changes Subject, which the DKIM signature of the author covers: mail that "
      "is forwarded later has a broken signature; add a field of your own, as in add-header X-Warning "
      "\"text\""]),
    ("list friends file:t\n",
     ["p:1:6: warning: no rule and no setting names the list friends; remove it, or ask for it, as in "
      "client in friends"]),
    ("policy inbound {\npolicy local {\n} }\n",
     ["p:2:1: a policy inside of a policy; close the one before with } first"]),
    ("policy inbound { on mail {\npolicy local {\n} } }\n",
     ["p:2:1: a policy inside of \"on\"; close both with } first"]),
    ("user \u00e4\n",
     ["p:1:6: a word that is not UTF-8; save the file as UTF-8"]),
    ("mode \u0001report\n",
     ["p:1:6: a control character; this file must be plain text"]),
    ("policy inbound for nobody {\n}\n",
     ["p:1:20: no tenant is named \"nobody\"; write tenant NAME { daemon-name \"NAME OF THE SERVICE\" } for"
      " it"]),
    (inbound("accept if header(Subject) is {a,b}"),
     ["p:2:31: \"a,b\" has a comma in it; separate values by spaces, without commas, as in { a b }, or "
      "put the whole text in quotes"]),
    (inbound("accept if header(Subject) is a,b"),
     ["p:2:30: \"a,b\" has a comma in it; separate values by spaces, without commas, as in { a b }, or "
      "put the whole text in quotes"]),
    ("listen unix:/run/x.sock\nsign-table file:table\n",
     ["p:2:1: table:1: a word is missing; a line is DOMAIN SELECTOR KEYFILE [subdomains]"]),
    ("listen unix:/run/x.sock\nsign-table file:nowhere\n",
     ["p:2:12: cannot open nowhere: No such file or directory; name a table that we may read"]),
    ("test \"a\" {\nexpect add-header\n}\n",
     ["p:2:8: after add-header comes the name of a field, and perhaps its value in quotes; write expect"
      " VERDICT [CODE [ENHANCED]], expect FACT is VALUE, expect add-header NAME [\"value\"] or expect "
      "delete-header NAME"]),
    ("test \"a\" {\nexpect add-header X y z\n}\n",
     ["p:2:19: after add-header comes the name of a field, and perhaps its value in quotes; write "
      "expect VERDICT [CODE [ENHANCED]], expect FACT is VALUE, expect add-header NAME [\"value\"] or "
      "expect delete-header NAME"]),
    ("listen unix:/run/x.sock\nsign example.org { selector s1 key dir }\n",
     ["p:2:1: sign example.org: key dir is not a file"]),
    (inbound('log "%s"' % (33 * "%{size} ")),
     ["p:2:6: more than 64 parts in one string; make it simpler"]),
    ("group 9\n",
     ["p:1:7: group cannot be \"9\"; write a name as in group sekisho"]),
    ("ownership { recipient-delimiter }\n",
     ["p:1:13: recipient-delimiter has no value; write the bytes that begin an extension, as in "
      "recipient-delimiter +"]),
    ("on-conflict x\n",
     ["p:1:13: on-conflict cannot be \"x\"; write strictest, most-lenient or split"]),
    ("submission { daemon-name }\n",
     ["p:1:14: daemon-name has no value; write the name that the MTA gives to the service, as in "
      "\"ORIGINATING\""]),
    ("resolver { zone }\n",
     ["p:1:12: zone has no value; write the path of a file with zone text"]),
    ("limit\n",
     ["p:1:1: limit has no value; write limit NAME { key auth.user count messages hard 100 per 1h }"]),
    ("limit hourly {\n}\n",
     ["p:1:1: limit has no key; write key and a fact as in auth.user"]),
    (inbound("defer x"),
     ["p:2:7: \"x\" is not expected here; write defer [CODE [ENHANCED]] [\"text\" ...] (put a text in "
      "quotes)"]),
    (inbound("replace-header X-A"),
     ["p:2:1: the value of the field is missing; write replace-header NAME \"value\""]),
    (inbound("redirect"),
     ["p:2:1: an address is missing; write redirect \"user@domain\""]),
    ("test\n",
     ["p:1:1: test has no value; write a test as in test \"what is true\" { }"]),
    ("test \"a\" {\nclient x\nexpect accept\n}\n",
     ["p:2:8: client cannot be \"x\"; write an IP address, or local for a program of this host"]),
    ("test \"a\" {\nclient-name\n}\n",
     ["p:2:1: client-name has no value; write its name as the MTA verified it"]),
    ("test \"a\" {\nhelo\n}\n",
     ["p:2:1: helo has no value; write the name in its HELO or EHLO"]),
    ("test \"a\" {\nsender\n}\n",
     ["p:2:1: sender has no value; write an address, or null for the null sender"]),
    ("test \"a\" {\nrecipient\n}\n",
     ["p:2:1: recipient has no value; write addresses as in postmaster@example.org"]),
    ("test \"a\" {\nauth-user\n}\n",
     ["p:2:1: auth-user has no value; write the login that the client authenticated as"]),
    ("test \"a\" {\ndaemon-name\n}\n",
     ["p:2:1: daemon-name has no value; write the MTA's name of the service"]),
    ("test \"a\" {\nmessage\n}\n",
     ["p:2:1: message has no value; write the path of a file with header and body"]),
    ("test \"a\" {\nheader x\n}\n",
     ["p:2:8: header cannot be \"x\"; write a field as in \"From: a@example.net\""]),
    ("test \"a\" {\nzone\n}\n",
     ["p:2:1: zone has no value; write a record as in \"example.net TXT \\\"v=spf1 -all\\\"\""]),
    ("test \"a\" {\nexpect\n}\n",
     ["p:2:1: expect has no value; write expect VERDICT [CODE [ENHANCED]], expect FACT is VALUE, expect"
      " add-header NAME [\"value\"] or expect delete-header NAME"]),
    (SRS + "policy inbound { on rcpt {\nset-sender srs if all recipient in friends\n} }\n",
     ["p:3:1: set-sender srs changes the sender for all recipients, who are known in \"on message\"; move the rule there"]),
    (SRS + "policy inbound { on message {\nset-sender srs if tls\n} }\n",
     ["p:3:1: warning: set-sender srs changes the sender for all recipients, also those who are not forwarded; add \"if"
      " all recipient in LIST\""]),
    ("list friends file:t\n" + SRS + "policy inbound { on message {\nset-sender srs if all recipient in friends\n} }\n", []),
    ("listen srs-forward inet:1\n",
     ["p:1:1: listen srs-forward needs to know the domain and the secrets; write srs { domain NAME  secret-file /path }"]),
    ("srs { domain s.example }\n", ["p:1:1: srs has no secret-file; write secret-file and the path of a file"]),
    ("srs {\ndomain s.example  secret-file k  hash-minimum 5 }\n",
     ["p:2:47: it is more than hash-length, so that no address would be accepted; lower it"]),
    ("srs { domain s.example  secret-file k\nnever-rewrite }\n",
     ["p:2:1: never-rewrite has no value; write the list of your own domains"]),
    ("srs { domain s.example  secret-file t }\n",
     ["p:1:1: srs: key t can be used by others (mode 0644); chmod 600 it"]),
    ("srs { domain s.example  secret-file empty }\n",
     ["p:1:1: srs: secret file empty is empty; write a long random text in it, one secret on each line"]),
    ("srs { domain s.example  secret-file long }\n",
     ["p:1:1: srs: secret file long has a line of more than 1024 bytes, or more than 32 lines"]),
]

# The same for root alone, who can give files away: owner, group and mode of the key beside it.
KEY_CASES = [
    (12345, 0, 0o600, "user root\n",
     "key k belongs to uid 12345, and the daemon runs as root; set \"user uid 12345\", or chown root k"),
    (0, 0, 0o640, "user root\n",
     "key k can be used by others (mode 0640); chmod 600 it, or let its group read it with \"key-access group\""),
    (0, 12345, 0o640, "user root\nkey-access group\n",
     "key k can be read by group 12345, which is not the group of the daemon (0); chgrp it"),
]
TOO_LONG = ("big: the file would be longer than 1M in this layout, and could not be read again; split it and include the "
            "parts\n")
failed = []


def run(verb, name):
    return subprocess.run([PROGRAM, verb, name], capture_output=True, timeout=60).stderr.decode("utf-8", "replace")


def case(name, wanted, got):
    failed.append(wanted != got)
    if wanted != got:
        print("FAILED %r:\n  wanted %r\n  got    %r" % (name, wanted, got))


def write(path, text):
    with open(path, "wb") as f:
        f.write(text.encode("latin-1"))


def policies():
    for text, wanted in CASES:
        write("p", text)
        case(text, wanted, [line for line in run("check", "p").split("\n") if line.startswith("p:")])


def keys():
    for owner, group, mode, settings, wanted in KEY_CASES if os.geteuid() == 0 else ():
        os.chown("k", owner, group)
        os.chmod("k", mode)
        write("p", settings + "listen unix:/run/x.sock\nsign example.org { selector s1 key k }\n")
        case(wanted, "sign example.org: " + wanted, run("check", "p").split("\n")[0].split(": ", 1)[1])


def layout():
    rules = "reject 550 5.7.1 \"as long as others are aligned to it\" if tls\n" + 20000 * "defer if tls\n"
    write("big", inbound(rules))
    case("a file too long for its layout", TOO_LONG, run("fmt", "big"))


def main():
    with tempfile.TemporaryDirectory(prefix="sekisho-messages-") as scratch:
        os.chdir(scratch)
        os.mkdir("dir")
        write("t", "")
        write("table", "example.org s1\n")
        for name, text in (("empty", "\n"), ("long", "x" * 1025)):
            write(name, text)
            os.chmod(name, 0o600)
        subprocess.run([PROGRAM, "genkey", "--type", "ed25519", "--out", "k", "example.org", "s1"], check=True,
                       capture_output=True)
        for test in (policies, keys, layout):
            test()
        os.chdir("/")
    print("%d passed, %d failed" % (failed.count(False), failed.count(True)))
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
