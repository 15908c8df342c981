#!/usr/bin/python3
"""policy_tests.py - the tests that policies carry: those of the shipped policies pass, and one that is not as expected
fails with the rules that were tried; and what check --effective prints.

The program is $SEKISHO. The last line counts the cases.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("SEKISHO") or os.path.join(CHECKOUT, "build/sekisho"))
SHIPPED = ["conf/sekisho.conf", "conf/examples/company.conf", "conf/examples/family.conf",
           "conf/examples/mailing-lists.conf", "conf/examples/provider.conf",
           "conf/examples/bulk-mail.conf", "conf/examples/port-25.conf",
           "conf/examples/stolen-account.conf"]

POLICY = """%s
policy inbound {
  on connect {
    accept if client is 203.0.113.99
  }
  on mail {
    reject 550 5.7.23 "SPF: no" if spf is fail
  }
  on rcpt {
    defer 450 4.2.1 "later" if recipient is slow@example.org
  }
  on message {
    quarantine "odd" if header("X-Odd") is "yes"
    add-header X-Seen "%%{spf}"
    delete-header X-Secret
  }
}
policy submission { on mail { reject 530 5.7.0 "log in" if not auth or not tls } }
policy local { on mail { discard } }
test "t" {
  %s
}
"""
SHIPPED.append("conf/examples/dns-lists.conf")

SPF = r'''zone "example.net TXT \"v=spf1 ip4:203.0.113.9 -all\""'''

# settings before the policy, the test, what the program prints of it ("" when it passes)
CASES = [
    ("", "sender a@example.net %s expect reject 550 5.7.23" % SPF, ""),
    ("", "sender a@example.net %s expect reject expect reject 550" % SPF, ""),
    ("", "sender a@example.net %s expect reject 550 5.7.1" % SPF,
     'test "t": expected reject 550 5.7.1, got reject 550 5.7.23 SPF: no by p:7'),
    ("", "sender a@example.net %s expect reject 554" % SPF, "expected reject 554, got reject 550 5.7.23"),
    ("", "sender a@example.net %s expect accept" % SPF, "expected accept, got reject 550 5.7.23"),
    ("", "client 203.0.113.9 sender a@example.net %s expect accept expect spf is pass" % SPF, ""),
    ("", "client 203.0.113.9 sender a@example.net %s expect spf is fail" % SPF, 'expected spf is fail, got "pass"'),
    ("", "client 203.0.113.99 sender a@example.net %s expect accept" % SPF, ""),
    # a refusal as an expectation holds in mode report, where mail would be let through
    ("mode report", "sender a@example.net %s expect reject 550 5.7.23" % SPF, ""),
    ("", "recipient slow@example.org expect defer 450 4.2.1", ""),
    ("", "recipient slow@example.org fast@example.org expect accept", ""),
    ("", 'header "X-Odd: yes" expect quarantine', ""),
    ("", 'header "X-Odd: no" expect quarantine', "expected quarantine, got accept"),
    ("", 'header "X-Secret: s" expect delete-header X-Secret expect add-header X-Seen '
         'expect add-header X-Seen "none"', ""),
    ("", 'expect delete-header X-Secret', "expected delete-header X-Secret, and no change of the header is that"),
    ("", 'expect add-header X-Seen "pass"', "expected add-header X-Seen pass, and no change of the header is that"),
    ("", "client local expect discard", ""),
    ("", "port 587 expect reject 530 5.7.0", ""),
    ("", "port 587 tls auth-user alice expect accept", ""),
    ("", "port 465 auth-user alice expect reject 530", ""),
    ("", 'message f.eml expect from is "x@example.net"', ""),
    ("", 'message nowhere expect accept', 'test "t": cannot open nowhere'),
    ("tenant a { daemon-name n }\npolicy inbound for a { on mail { discard } }", "daemon-name n expect discard", ""),
    # limits count from nothing in each test, in a store of its own
    ("store lmdb:/nowhere/at/all\nlimit few { key client  count recipients  hard 1  per 1h }\n"
     "policy inbound { on rcpt { reject 550 5.7.1 if limit(\"few\") is over } }",
     "recipient a@example.org b@example.org expect accept", ""),
    # no other DNS than the zone of the test
    ("resolver { zone Z }", "sender a@example.net expect spf is none", ""),
]

# a test that is wrong, and what is said of it
WRONG = [
    ("sender a@example.net", "p:20:1: test has no expect; write expect VERDICT"),
    ("expect", "p:21:3: expect has no value"),
    ("expect maybe", 'p:21:10: "maybe" is neither a verdict nor a fact of the message without an argument'),
    ("expect accept 250", 'p:21:17: "250" is not expected here'),
    ("expect reject 550 5.7", 'p:21:21: "5.7" is not an enhanced code alone'),
    ("expect reject 550 5.7.1 5", 'p:21:21: "5.7.1" is not an enhanced code alone'),
    ("expect spf fail", 'p:21:14: after a fact comes "is" and one value'),
    ("expect add-header", "p:21:10: after add-header comes the name of a field"),
    ("client x expect accept", 'p:21:10: client cannot be "x"; write an IP address, or local'),
    ("sender x@ expect accept", 'p:21:10: sender cannot be "x@"; write an address, or null'),
    ('header "no field" expect accept', 'p:21:10: header cannot be "no field"; write a field as in'),
    ('zone "example.net TXT" expect accept', "p:21:8: zone:1: "),
    ("expct accept", 'p:21:3: test has no key "expct"; did you mean "expect"?'),
]


def write(name, text):
    with open(name, "w", encoding="ascii") as f:
        f.write(text)


def check(*arguments):
    return subprocess.run([PROGRAM, "check", *arguments], capture_output=True, text=True, timeout=60)


def surprising(name, said):
    """What `check` says beyond the one warning that these two have: they know no forwarder until their reader names some."""
    warnings = [line for line in said.split("\n") if ": warning: " in line]
    known = name in ("conf/sekisho.conf", "conf/examples/mailing-lists.conf")
    return warnings if not known else len(warnings) != 1 or "SPF also fails for mail that a forwarder" not in warnings[0]


def shipped():
    for name in SHIPPED:
        done = check("--test", os.path.join(CHECKOUT, name))
        passed = re.search(r": (\d+) tests? passed$", done.stdout)
        wrong = done.returncode or surprising(name, done.stderr) or not passed or int(passed.group(1)) < 4
        yield name, wrong and done.stdout + done.stderr
    missing = set(glob.glob(os.path.join(CHECKOUT, "conf/examples/*.conf"))) - {os.path.join(CHECKOUT, n) for n in SHIPPED}
    yield "every example is tested", missing


FORWARDED = """
test "a forwarder is taken although SPF and DMARC fail" {
  client 198.51.100.25 sender bob@example.net recipient a@example.org
  header "From: bob@example.net"
  zone "example.net TXT \\"v=spf1 ip4:203.0.113.9 -all\\""
  zone "_dmarc.example.net TXT \\"v=DMARC1; p=reject\\""
  expect accept
  expect dmarc is fail
  expect forwarder is address
}
test "also one that rewrites the sender" {
  client 198.51.100.30 sender x@f.example.com recipient a@example.org
  header "From: bob@example.net"
  zone "f.example.com TXT \\"v=spf1 ip4:198.51.100.30 -all\\""
  zone "_dmarc.example.net TXT \\"v=DMARC1; p=quarantine\\""
  expect accept
  expect forwarder is spf-domain
}
"""


def forwarders():
    """The shipped policy does what its comment says: with the list, and nothing else, forwarders are exempt."""
    with open(os.path.join(CHECKOUT, "conf/sekisho.conf"), encoding="utf-8") as f:
        text = f.read()
    line = "#list  trusted-forwarders file:/etc/sekisho/trusted-forwarders"
    write("forwarders", "198.51.100.25\nf.example.com\n")
    write("p", text.replace(line, "list trusted-forwarders file:forwarders") + FORWARDED)
    done = check("--test", "p")
    wrong = line not in text or done.returncode or ": warning: " in done.stderr
    yield "forwarders are exempt in the shipped policy", wrong and done.stdout + done.stderr


def one_test(settings, test, message):
    write("p", POLICY % (settings, test))
    done = check("--test", "p")
    if not message:
        return done.returncode and done.stdout + done.stderr
    if done.returncode != 1 or message not in done.stdout or "p: 1 of 1 test failed" not in done.stdout:
        return "code %d, wanted %r: %s%s" % (done.returncode, message, done.stdout, done.stderr)
    return None


def wrong_test(test, message):
    write("p", POLICY % ("", test))
    done = check("p")
    return (done.returncode != 78 or message not in done.stderr) and done.stderr


def trace():
    """The rules that were tried, as explain prints them."""
    write("p", POLICY % ("", "sender a@example.net %s expect accept" % SPF))
    done = check("--test", "p")
    explained = subprocess.run([PROGRAM, "explain", "-c", "p", "--zone", "zone", "--client", "192.0.2.1", "--sender",
                                "a@example.net"], capture_output=True, text=True, timeout=60).stdout
    stages = explained.split("\n\n")[0]
    return ("on mail\n  p:7  reject" not in stages or stages not in done.stdout) and done.stdout + explained


EFFECTIVE = """include more
listen milter unix:/run/m.sock
listen policy unix:/run/p.sock mode 0660
resolver { timeout 2s }
list friends file:friends
spf { engine native }
"""
# line, in any order
SHOWN = [r"mode report +# more:1", r"    timeout 2s +# p:4", r"    cache 65536 +# preset", r"    system +# preset",
         r"    dnssec permissive +# preset", r"list friends file:friends on-failure defer +# p:5",
         r"trusted \{ 127.0.0.0/8 ::1/128 \} +# preset", r"    engine native +# p:6", r"# user is not set",
         r"authserv-id \S+ +# preset", r"    port 587 465 +# preset", r"drain 30s +# preset", r"control /\S+ +# preset",
         r"authentication-results all +# preset", r"listen milter \S+ engine libmilter +# p:2", r"listen policy \S+ mode 0660 +# p:3"]


def effective():
    write("p", EFFECTIVE)
    write("more", "mode report\n")
    done = check("--effective", "p")
    missing = [line for line in SHOWN if not re.search("^%s$" % line, done.stdout, re.M)]
    if done.returncode or missing:
        return "%d %r\n%s%s" % (done.returncode, missing, done.stdout, done.stderr)
    write("q", done.stdout)
    again = check("--effective", "q")
    values = [re.sub(" +# .*", "", text) for text in (done.stdout, again.stdout)]
    return (again.returncode or values[0] != values[1]) and again.stdout + again.stderr


def effective_wrong():
    write("p", "mode wrong\n")
    done = check("--effective", "p")
    return (done.returncode != 78 or done.stdout) and done.stdout


def arguments():
    for words, code in ((["--tset", "p"], 64), (["p", "q"], 64), (["-c", "p", "q"], 64), (["--help"], 0)):
        if check(*words).returncode != code:
            return " ".join(words)
    return None


def cases():
    yield from shipped()
    for case in CASES:
        yield case, one_test(*case)
    for case in WRONG:
        yield case, wrong_test(*case)
    yield from forwarders()
    yield "trace", trace()
    yield "effective", effective()
    yield "effective of a wrong file", effective_wrong()
    yield "arguments", arguments()


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sekisho-tests-") as scratch:
        os.chdir(scratch)
        write("f.eml", "From: x@example.net\n\nHello.\n")
        write("Z", 'example.net TXT "v=spf1 -all"\n')
        write("zone", 'example.net TXT "v=spf1 ip4:203.0.113.9 -all"\n')
        write("friends", "a@example.net\n")
        for case, why in cases():
            passed += not why
            failed += bool(why)
            if why:
                print("FAILED %r: %s" % (case, why))
        os.chdir("/")
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
