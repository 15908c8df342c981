"""lookup_cases.py - what lookup.py asks, in which zone, and what must be answered."""

# RSA with 1024 bits; nobody has the private half.
SHORT_KEY = ("MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDiw9BFpi2LSK9WWR5kG5TWU1WJZZMgxTQSMANU3V3XPGw9N3TcLTB3byfPgS1xr4NpXPtsBg"
             "2EtJvbPfsjkVoVtv09QTrym0Ba1JLJYxhlmuW/a7o8Q8foR0kdaFx2bgqzx6B9ZF78arbu8kqqRx560257OXVt5zcHNS7Rg/du+wIDAQAB")
ZONE = r"""
example.org TXT "v=spf1 a:relay.example.org include:_spf.example.net -all exp=why.example.org"
relay.example.org A 192.0.2.1
_spf.example.net TXT "v=spf1 ip4:198.51.100.0/24 ?all"
why.example.org TXT "%{i} may not send as %{s}, says %{r}"
wrong.example TXT "v=spf1 a:\027[31m -all"
slow.example TIMEOUT
two.example MX 20 b.two.example
two.example MX 10 a.two.example
a.two.example A 192.0.2.10
a.two.example AAAA 2001:db8::10
b.two.example A SERVFAIL
implicit.example A 192.0.2.11
null.example MX 0 .
bad.example TXT "v=spf1 ptr include:nope.example include:open.example include:twice.example -all a redirect=example.org"
open.example TXT "v=spf1 include:bad.example +all"
twice.example TXT "v=spf1 -all"
twice.example TXT "v=spf1 ?all"
many.example TXT "v=spf1 a:a1.example a:a2.example a:a3.example a:a4.example" " a:a5.example a:a6.example mx" " a mx ptr a a -all"
long.example TXT "v=spf1" @LONG@ " ?all"
fine.example TXT "v=spf1 ip4:192.0.2.1 -all"
crowd.example TXT "v=spf1 mx -all"
@CROWD@
1.2.0.192.in-addr.arpa PTR liar.example
1.2.0.192.in-addr.arpa PTR relay.example.org
2.2.0.192.in-addr.arpa PTR liar.example
3.2.0.192.in-addr.arpa TIMEOUT
_dmarc.bank.example TXT "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@bank.example"
www.bank.example A 192.0.2.80
_dmarc.old.example TXT "v=DMARC1; p=none; pct=50; adkim=x; foo; rua=mailto:d@bank.example,mailto:e@given.example"
old.example._report._dmarc.given.example TXT "v=DMARC1"
_dmarc.sends.example TXT "v=DMARC1; p=reject; rua=mailto:d@moved.example; ruf=mailto:d@sends.example"
sends.example._report._dmarc.moved.example TXT "v=DMARC1; rua=mailto:d@third.example"
_dmarc.twice.example TXT "v=DMARC1; p=none"
_dmarc.twice.example TXT "v=DMARC1; p=reject"
_dmarc.lone.example TXT "v=DMARC1; p=rejekt"
_dmarc.slow.example TIMEOUT
_dmarc.odd.example TXT "v=DMARC1; p=none; x=\027[31m"
_dmarc.blank.example TXT " v=DMARC1; p=reject"
_dmarc.unseen.example TXT "\194\160v=DMARC1; p=reject"
_dmarc.slash.example TXT "v=DMARC1\\; p=reject"
_dmarc.quotes.example TXT "\"v=DMARC1; p=reject\""
_dmarc.small.example TXT "v=dmarc1; p=reject"
_dmarc.next.example TXT "v=DMARC2; p=reject"
_dmarc.bare.example TXT "DMARC1; p=reject"
_dmarc.joined.example TXT "v=DMARC1 p=reject"
_dmarc.repeated.example TXT "v=DMARC1; p=reject; p=none"
_dmarc.spf.example TXT "v=spf1 -all"
top.example TXT "v=DMARC1; p=reject"
dmarc.under.example TXT "v=DMARC1; p=reject"
_dmarc.double.example.double.example TXT "v=DMARC1; p=reject"
_dmarc.slip.example TXT "v=DMARC1; p=reject; rau=mailto:a@slip.example; rua=mailto:a@slip.example"
_dmarc.parts.example TXT "v=DMARC1; p=reject; rua=mailto:a@parts.example,b@parts.example,mailto://c@parts.example,mailto:d,mailto:e f@parts.example"
wide.example TXT "v=spf1 ip4:0.0.0.0/0 ip4:192.0.2.0/24 ip6:2000::/3 -ip4:128.0.0.0/1"
near.example TXT "v=spf1;mx -all"
front.example TXT " v=spf1 mx -all"
quote.example TXT "\"v=spf1 mx -all\""
bare.example TXT "spf1 mx -all"
_spf.moved.example TXT "v=spf1 mx -all"
noall.example TXT "v=spf1 a"
4.2.0.192.bl.example A 127.0.0.4
4.2.0.192.bl.example TXT "look at bl.example"
8.b.d.0.1.0.0.2.bl.example A 127.0.0.2
bad.example.bl.example A 127.0.1.2
4.2.0.192.open.example A 127.0.0.2
1.0.0.127.open.example A 127.0.0.2
4.2.0.192.refuses.example A 127.255.255.254
4.2.0.192.moved.example A 192.0.2.99
4.2.0.192.bits.example A 127.0.0.1
2.0.0.127.bl.example A 127.0.0.2
test.bl.example A 127.0.1.2
4.2.0.192.k0123456789abcdefghij.paid.example A 127.0.0.11
4.2.0.192.k0123456789abcdefghij.paid.example A 127.0.0.4
4.2.0.192.k0123456789abcdefghij.paid.example TXT "ask k0123456789abcdefghij.paid.example"
8.2.0.192.k0123456789abcdefghij.paid.example A 127.0.0.4
8.2.0.192.k0123456789abcdefghij.paid.example TXT "https://lists.example/query?address=192.0.2.8 says why"
6.2.0.192.k0123456789abcdefghij.paid.example A 127.0.0.77
7.2.0.192.k0123456789abcdefghij.paid.example A 127.255.255.254
2.0.0.127.k0123456789abcdefghij.paid.example A 127.0.0.4
4.2.0.192.good.example A 127.0.10.3
5.2.0.192.good.example A 127.0.10.3
2.0.0.127.good.example A 127.0.10.0
bad.example.words.example A 127.0.1.4
test.words.example A 127.0.1.4
dead.example TIMEOUT
*.dead.example TIMEOUT
mail.example MX 10 mx.mail.example
mail.example MX 20 alias.mail.example
mail.example MX 30 192.0.2.7
mail.example MX 40 nowhere.mail.example
mail.example MX 50 .
mail.example TXT "v=spf1 mx -all"
mx.mail.example A 192.0.2.4
alias.mail.example CNAME mx.mail.example
_mta-sts.mail.example TXT "v=STSv1; id=2026-1"
_smtp._tls.mail.example TXT "v=TLSRPTv1; rua=t@mail.example"
_25._tcp.mx.mail.example TLSA 3 1 1 00112233 44556677 8899aabb ccddeeff 00112233 44556677 8899aabb ccddeeff
_25._tcp.mx.mail.example TLSA 1 0 1 00
default._bimi.mail.example TXT "v=BIMI1\\; l=https://mail.example/l.svg"
s1._domainkey.mail.example TXT "v=DKIM1; k=rsa; p=@SHORT@"
s1._domainkey.slash.example TXT "v=DKIM1\\; k=rsa\\; p=MIIB"
s1._domainkey.small.example TXT "v=dkim1; k=rsa; p=MIIB"
s1._domainkey.joined.example TXT "v=DKIM1 k=rsa p=MIIB"
s1._domainkey.capitals.example TXT "v=DKIM1; k=rsa; P=MIIB"
top.example TXT "v=DKIM1; k=rsa; p=MIIB"
s1.half.example TXT "v=DKIM1; k=rsa; p=MIIB"
s1._domainkey.double.example.double.example TXT "v=DKIM1; k=rsa; p=MIIB"
""".replace("@SHORT@", SHORT_KEY).replace("@CROWD@", "\n".join("crowd.example MX %d mx%d.crowd.example" % (i, i) for i in range(11))).replace("@LONG@", " ".join('" ip4:198.51.100.%d"' % (i % 9) for i in range(70)))  # what is cut changes nothing

CONFIG = "@CONFIG@"  # a policy file with these lists; the name of a zone has a key
LISTS = """
dnsbl paid  { zone k0123456789abcdefghij.paid.example  code 127.0.0.4 spam  code 127.0.0.10-127.0.0.11 dynamic  weight 5 }
dnsbl good  { zone good.example  code 127.0.*.3 high  weight -4 }
dnsbl words { zone words.example  of sender.domain  code 127.0.1.2-127.0.1.99 phish  weight 3 }
"""

# Arguments, exit code, and what must be in the object; a function looks for itself.
JSON_CASES = [
    (["spf", "192.0.2.1", "joe@example.org"], 0,
     {"result": "pass", "domain": "example.org", "mechanism": "a:relay.example.org", "explanation": "", "reason": "",
      "lookups": 1, "void-lookups": 0,
      "trace": [{"depth": 0, "domain": "example.org", "term": "a:relay.example.org", "target": "relay.example.org",
                 "record": "v=spf1 a:relay.example.org include:_spf.example.net -all exp=why.example.org",
                 "result": "match", "note": "192.0.2.1", "lookup": 1}]}),
    (["--receiver", "mx.example", "spf", "203.0.113.9", "<joe@example.org>", "mail.example"], 1,
     {"result": "fail", "mechanism": "-all", "lookups": 2,
      "explanation": "203.0.113.9 may not send as joe@example.org, says mx.example"}),
    (["spf", "192.0.2.1", "<>", "example.org"], 0, {"result": "pass", "domain": "example.org"}),
    (["spf", "192.0.2.1", "", "example.org"], 0, {"result": "pass", "domain": "example.org"}),
    (["spf", "203.0.113.9", "<>", "example.org", "--receiver=r"], 1,
     {"explanation": "203.0.113.9 may not send as postmaster@example.org, says r"}),
    (["spf", "192.0.2.1", "example.org"], 0, {"result": "pass"}),
    (["spf", "example.org"], 0,
     {"domain": "example.org", "usable": True, "lookups": 2, "void-lookups": 0, "advice": [],
      "tree": [{"depth": 0, "domain": "example.org", "lookups": 2, "trouble": "",
                "record": "v=spf1 a:relay.example.org include:_spf.example.net -all exp=why.example.org"},
               {"depth": 1, "domain": "_spf.example.net", "lookups": 0, "trouble": "",
                "record": "v=spf1 ip4:198.51.100.0/24 ?all"}]}),
    (["spf", "many.example"], 1, {"usable": False}),
    (["spf", "nothing.example"], 1, {"usable": False, "tree": [
        {"depth": 0, "domain": "nothing.example", "record": "", "lookups": 0, "trouble": "it has no SPF record"}]}),
    (["--dnsbl", "bl.example", "blacklist", "192.0.2.4"], 1,
     {"subject": "192.0.2.4", "listed": True,
      "lists": [{"list": "bl.example", "result": "listed", "codes": ["127.0.0.4"], "text": "look at bl.example", "why": "",
                 "ttl": 0}]}),
    (["--dnsbl", "bl.example", "blacklist", "::ffff:192.0.2.4"], 1, {"subject": "192.0.2.4", "listed": True}),
    (["--dnsbl", "BL.example.", "blacklist", "bad.example"], 1, {"listed": True}),
    (["--dnsbl", "bl.example", "blacklist", "192.0.2.5"], 0, {"listed": False}),
    # The lists of a policy file: by their names there, with the words of codes and with weights; a good one is no reason.
    (["-c", CONFIG, "blacklist", "192.0.2.4"], 1,
     {"listed": True, "score": 1,
      "lists": [{"list": "paid", "result": "listed", "codes": ["127.0.0.11", "127.0.0.4"], "text": "ask paid", "why": "",
                 "ttl": 0, "word": "spam", "weight": 5},
                {"list": "good", "result": "listed", "codes": ["127.0.10.3"], "text": "", "why": "", "ttl": 0,
                 "word": "high", "weight": -4}]}),
    (["-c", CONFIG, "blacklist", "192.0.2.5"], 0, {"listed": False, "score": -4}),
    (["-c", CONFIG, "blacklist", "192.0.2.6"], 0, {"listed": False, "score": 0}),
    (["-c", CONFIG, "blacklist", "bad.example"], 1,
     {"listed": True, "score": 3,
      "lists": [{"list": "words", "result": "listed", "codes": ["127.0.1.4"], "text": "", "why": "", "ttl": 0,
                 "word": "phish", "weight": 3}]}),
    (["-c", CONFIG, "--dnsbl", "bl.example", "blacklist", "192.0.2.5"], 0, {"listed": False, "score": -4}),
    (["-c", CONFIG, "domain", "implicit.example"], 0, {"dnsbl": [
        {"subject": "implicit.example", "listed": False, "score": 0,
         "lists": [{"list": "words", "result": "clean", "codes": [], "text": "", "why": "", "ttl": 0, "word": "", "weight": 3,
                    "test-entry": True}]},
        {"subject": "192.0.2.11", "listed": False, "score": 0,
         "lists": [{"list": name, "result": "clean", "codes": [], "text": "", "why": "", "ttl": 0, "word": "",
                    "weight": weight, "test-entry": True} for name, weight in (("paid", 5), ("good", -4))]}]}),
    (["spf", "192.0.2.1", "joe@nothing.example"], 1,
     {"result": "none", "mechanism": "", "reason": "nothing.example: the name does not exist"}),
    (["spf", "192.0.2.1", "joe@slow.example"], 1, {"result": "temperror"}),
    (["spf", "192.0.2.1", "joe@wrong.example"], 1,
     {"result": "permerror",
      "reason": "wrong.example: a:\\027[31m: it contains a byte that is not printable ASCII"}),
    (["--engine", "libspf2", "spf", "192.0.2.1", "joe@example.org"], 0,
     {"result": "pass", "mechanism": "a:relay.example.org", "lookups": 1, "engine": "libspf2"}),
    (["--engine", "libspf2", "spf", "203.0.113.9", "joe@example.org", "--receiver=r"], 1,
     {"result": "fail", "mechanism": "-all", "lookups": 2,
      "explanation": "203.0.113.9 may not send as joe@example.org, says r"}),
    (["--engine", "compare", "spf", "203.0.113.9", "joe@example.org"], 1,
     {"result": "fail", "libspf2": "fail", "engine": "compare"}),
    (["spf", "203.0.113.9", "joe@example.org"], 1,
     {"tree": [{"depth": 0, "domain": "example.org", "bytes": 76, "strings": 1, "lookups": 2, "trouble": "",
                "record": "v=spf1 a:relay.example.org include:_spf.example.net -all exp=why.example.org"},
               {"depth": 1, "domain": "_spf.example.net", "bytes": 31, "strings": 1, "lookups": 0, "trouble": "",
                "record": "v=spf1 ip4:198.51.100.0/24 ?all"}],
      "tree-lookups": 2, "tree-void-lookups": 0, "advice": []}),
    (["mx", "Two.Example."], 0,
     {"domain": "two.example", "result": "ok",
      "hosts": [{"preference": 10, "host": "a.two.example", "addresses": ["192.0.2.10", "2001:db8::10"], "status": "ok"},
                {"preference": 20, "host": "b.two.example", "addresses": [], "status": "tempfail"}]}),
    (["mx", "implicit.example"], 0,
     {"result": "implicit",
      "hosts": [{"preference": 0, "host": "implicit.example", "addresses": ["192.0.2.11"], "status": "ok"}]}),
    (["mx", "null.example"], 1, {"result": "null", "hosts": []}),
    (["mx", "nothing.example"], 1, {"result": "none", "hosts": []}),
    (["mx", "slow.example"], 1, {"result": "temperror", "hosts": []}),
    (["ptr", "192.0.2.1"], 0,
     {"ip": "192.0.2.1", "result": "ok", "name": "relay.example.org",
      "names": [{"name": "liar.example", "confirmed": False}, {"name": "relay.example.org", "confirmed": True}]}),
    (["ptr", "192.0.2.2"], 1, {"result": "none", "name": None, "names": [{"name": "liar.example", "confirmed": False}]}),
    (["ptr", "192.0.2.3"], 1, {"result": "temperror", "name": None, "names": []}),
    (["ptr", "::ffff:192.0.2.4"], 1, {"ip": "192.0.2.4", "result": "none", "name": None, "names": []}),
    (["dmarc", "www.bank.example"], 0,
     {"author": "www.bank.example", "domain": "bank.example", "org": "bank.example", "policy": "quarantine", "advice": [],
      "walk": [{"name": "_dmarc.www.bank.example", "status": "nxdomain", "records": 0, "record": None},
               {"name": "_dmarc.bank.example", "status": "ok", "records": 1,
                "record": "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@bank.example"},
               {"name": "_dmarc.example", "status": "nxdomain", "records": 0, "record": None}]}),
    (["dmarc", "never.bank.example"], 0, {"policy": "reject"}),
    (["dmarc", "slow.example"], 1, {"policy": None, "org": None, "reason": "no answer for _dmarc.slow.example (timeout)"}),
    (["dmarc", "--from", "Alice <a@bank.example>", "--spf", "pass:mail.bank.example", "--dkim", "pass:other.example"], 0,
     {"result": "pass", "policy": "reject", "domain": "bank.example", "org": "bank.example", "aligned": "spf"}),
    (["dmarc", "--from", "a@bank.example", "--spf", "pass:bank.example:helo", "--dkim", "fail:bank.example"], 1,
     {"result": "fail", "policy": "reject", "aligned": "none"}),
    (["dmarc", "--from", "a@bank.example", "--spf", "none", "--dkim", "pass:bank.example", "--dkim", "pass:x.bank.example"],
     0, {"result": "pass", "aligned": "dkim", "dkim-aligned": ["bank.example", "x.bank.example"]}),
    (["dmarc", "--from", "a@bank.example", "--dkim", "temperror:bank.example"], 1, {"result": "temperror"}),
    (["dmarc", "--from", "a@bank.example, b"], 1, {"result": "permerror", "policy": None, "author": None, "authors": []}),
    (["dmarc", "--from", "a@nothing.example, b@bank.example", "--spf", "pass:nothing.example"], 1,
     {"result": "fail", "author": "bank.example", "authors": ["nothing.example", "bank.example"]}),
]

# Arguments, exit code, and texts that must be in what is printed.
TEXT_CASES = [
    (["spf", "203.0.113.9", "joe@example.org"], 1,
     ["example.org: v=spf1 a:relay.example.org include:_spf.example.net -all exp=why.example.org\n",
      "no match: 192.0.2.1 (lookup 1 of 10)\n", "follow _spf.example.net (lookup 2 of 10)\n",
      "    _spf.example.net: v=spf1 ip4:198.51.100.0/24 ?all\n", "no match: the included record says neutral\n",
      "result       fail\n", "matched by   -all\n", "explanation  203.0.113.9 may not send as joe@example.org, says ",
      "lookups      2 of 10, void 0 of 2\n"]),
    (["spf", "192.0.2.1", "joe@wrong.example"], 1, ["a:\\027[31m", "result       permerror\n"]),
    (["-c", CONFIG, "blacklist", "192.0.2.4"], 1,
     ["  WRONG paid ", "listed  127.0.0.11 127.0.0.4  spam  weight 5  ask paid\n", "  ok    good ",
      "listed as good  127.0.10.3  high  weight -4\n", "dnsbl.score  1\n"]),
    (["-c", CONFIG, "blacklist", "192.0.2.6"], 0, ["  note  paid ", "not listed: 127.0.0.77: the code is not in its table"]),
    (["-c", CONFIG, "blacklist", "192.0.2.7"], 0, ["  note  paid ", "not known: 127.255.255.254: the list does not answer"]),
    (["--dnsbl", "clean.example", "blacklist", "192.0.2.4"], 0, ["  note  ", "its test entry (127.0.0.2)"]),
    (["--dnsbl", "clean.example", "blacklist", "nice.example"], 0, ["  note  ", "its test entry (TEST)"]),
    (["mx", "two.example"], 0, ["   10 a.two.example  192.0.2.10  2001:db8::10\n",
                                "   20 b.two.example  temporary DNS failure\n"]),
    (["mx", "implicit.example"], 0, ["implicit MX"]),
    (["mx", "null.example"], 1, ["null MX"]),
    (["ptr", "192.0.2.1"], 0, ["  relay.example.org  leads back to the address\n", "  liar.example  does not exist\n"]),
    (["dmarc", "old.example"], 0,
     ["_dmarc.old.example: v=DMARC1; p=none;", "  pct    50                       ignored since RFC 9989",
      "wrong: adkim must be r (relaxed) or s (strict)", "The organization: old.example\n",
      "Mail from old.example that fails: nothing (none)", "  p=none does not protect anyone",
      "  pct= is ignored since RFC 9989: remove it\n", '  "foo" is not a tag',
      "old.example._report._dmarc.bank.example has the TXT record"]),
    (["dmarc", "sends.example"], 0, ["reports of single failures would go; few receivers send them, Sekisho never does"]),
    (["dmarc", "twice.example"], 1, ["several DMARC records: none of them counts", "has 2 DMARC records: leave one"]),
    (["dmarc", "lone.example"], 1, ["No policy: the record of lone.example has no valid policy", "there is no rua"]),
    (["dmarc", "odd.example"], 0, ["x=\\027[31m"]),
    (["dmarc", "--from", "a@bank.example"], 1, ["result       fail\n", "policy       reject\n", "aligned      none\n"]),
    (["--help"], 0, ["--zone FILE", "--resolver ADDR[@PORT]", "Exit code"]),
]

# A domain, and the codes of all advice for it.
ADVICE_CASES = [
    ("fine.example", []),
    ("bad.example", ["include-without-record", "loop", "pass-all", "ptr", "several-records", "unreachable-terms",
                     "unreachable-terms"]),
    ("wide.example", ["no-all", "open-network", "open-network"]),
    ("many.example", ["many-strings", "ptr", "too-many-lookups", "too-many-void-lookups"]),
    ("long.example", ["libspf2-cut", "long-record", "many-strings"]),
    ("wrong.example", ["syntax"]),
    ("crowd.example", ["many-mx-hosts"]),
]

# Likewise of DMARC and of the key s1, and a text that one of them has.
RECORD_CASES = [
    ("dmarc", "www.bank.example", [], ""),
    ("dmarc", "old.example", ["historic-tag", "no-consent", "not-a-tag", "policy-none", "wrong-value"], "adkim=x is ignored"),
    ("dmarc", "sends.example", ["consent-elsewhere"], "an address there must be at moved.example"),
    ("dmarc", "twice.example", ["no-record", "several-records"], "2 DMARC records"),
    ("dmarc", "lone.example", ["no-policy", "no-reports", "wrong-value"], "rejekt"),
    ("dmarc", "nothing.example", ["no-record"], "publish a record"),
    ("dmarc", "spf.example", ["no-record"], ""),
    ("dmarc", "blank.example", ["leading-blank"], "_dmarc.blank.example"),
    ("dmarc", "unseen.example", ["leading-blank"], "invisible"),
    ("dmarc", "slash.example", ["backslash"], "backslashes"),
    ("dmarc", "quotes.example", ["quotes"], "quotes"),
    ("dmarc", "small.example", ["version-case"], "capitals"),
    ("dmarc", "next.example", ["version"], "must begin with v=DMARC1;"),
    ("dmarc", "bare.example", ["version"], "must begin with v=DMARC1;"),
    ("dmarc", "joined.example", ["semicolon"], "semicolon is missing"),
    ("dmarc", "repeated.example", ["repeated-tag"], "the tag p"),
    ("dmarc", "top.example", ["wrong-name"], "belongs at _dmarc.top.example"),
    ("dmarc", "under.example", ["wrong-name"], "dmarc.under.example has"),
    ("dmarc", "double.example", ["wrong-name"], "belongs at _dmarc.double.example"),
    ("dmarc", "slip.example", ["unknown-tag"], "rua= is meant"),
    ("dmarc", "parts.example", ["report-address"] * 4, "has no scheme"),
    ("dkim", "slash.example", ["backslash"], "backslashes"),
    ("dkim", "small.example", ["version-case"], "capitals"),
    ("dkim", "joined.example", ["semicolon"], "semicolon is missing"),
    ("dkim", "capitals.example", ["tag-case"], "lower case"),
    ("dkim", "top.example", ["wrong-name"], "belongs at s1._domainkey.top.example"),
    ("dkim", "half.example", ["wrong-name"], "s1.half.example has"),
    ("dkim", "double.example", ["wrong-name"], "belongs at s1._domainkey.double.example"),
    ("dkim", "nothing.example", [], ""),
]

# A list, and what it says of 192.0.2.4: answers that are not listings.
LIST_CASES = [("bl.example", "listed"), ("open.example", "broken"), ("refuses.example", "error"), ("moved.example", "broken"),
              ("bits.example", "error"), ("dead.example", "temperror"), ("clean.example", "clean")]

# A domain, and some codes of advice that its report has, and some that it has not.
DOMAIN_CASES = [
    (["mail.example", "--selector", "s1"],
     ["mx-alias", "mx-address", "mx-nowhere", "null-mx-beside", "mx-bogus", "sts-id", "report-address", "dane-insecure",
      "dane-usage", "backslash", "short-key", "no-record"], ["implicit-mx", "no-all"]),
    (["null.example"], [], ["no-mx", "mx-nowhere"]),
    (["implicit.example"], ["implicit-mx"], ["no-mx"]),
    (["nothing.example"], ["no-mx"], ["no-record"]),
    (["near.example"], ["version"], ["wrong-name"]),
    (["front.example"], ["leading-blank"], ["wrong-name"]),
    (["quote.example"], ["quotes"], ["wrong-name"]),
    (["bare.example"], ["version"], ["wrong-name"]),
    (["moved.example"], ["wrong-name"], []),
    (["noall.example"], ["no-all"], []),
]

# Arguments, exit code, and a text of the one line on standard error.
WRONG_CASES = [
    ([], 64, "use domain, blacklist, smtp, trace, spf, mx, ptr, dkim or dmarc"),
    (["spv"], 64, "spv"),
    (["spf", "192.0.2.1"], 64, "sekisho lookup spf IP SENDER [HELO]"),
    (["spf", "192.0.2.1", "a@b.c", "d", "e"], 64, "sekisho lookup spf IP SENDER [HELO]"),
    (["spf", "192.0.2", "a@b.example"], 64, "192.0.2"),
    (["spf", "a..b"], 64, "not a domain"),
    (["domain", "a..b"], 64, "not a domain"),
    (["blacklist", "192.0.2.1"], 64, "--dnsbl ZONE"),
    (["--dnsbl", "bl.example", "blacklist", "192.0.2.999"], 64, "neither an IP address nor a domain"),
    (["blacklist", "com", "--dnsbl", "bl.example"], 64, "neither an IP address nor a domain"),
    (["-c", "/nonexistent/sekisho.conf", "blacklist", "192.0.2.1"], 78, "/nonexistent/sekisho.conf"),
    (["-c", CONFIG, "mx", "a.b"], 64, "cannot be used together"),
    (["blacklist", "a..b", "--dnsbl", "bl.example"], 64, "neither an IP address nor a domain"),
    (["blacklist", "192.0.2.1", "--dnsbl", "bl..example"], 64, "not the name of a list"),
    (["blacklist", "192.0.2.1", *["--dnsbl=a.b"] * 65], 64, "64 times"),
    (["blacklist", "192.0.2.1", "--dnsbl", "dead.example"], 69, "no list has answered"),
    (["smtp", "a..b"], 64, "HOST:PORT"),
    (["smtp", "a.b:0"], 64, "HOST:PORT"),
    (["smtp", "a.b:65536"], 64, "HOST:PORT"),
    (["trace", "a.b", "NOTYPE"], 64, "not a type"),
    (["trace", "a.b", "A"], 64, "--hints"),
    (["spf", "192.0.2.1", "<>"], 64, "HELO"),
    (["spf", "192.0.2.1", "joe@"], 64, "domain after the @"),
    (["spf", "192.0.2.1", "joe"], 64, "neither an address nor a domain"),
    (["spf", "192.0.2.1", "a" * 5000 + "@b.example"], 64, "too long"),
    (["mx", "a..b"], 64, "not a domain"),
    (["ptr", "example.org"], 64, "not an IP address"),
    (["dmarc"], 64, "--from"),
    (["dmarc", "a..b"], 64, "not a domain"),
    (["dmarc", "a.b", "--spf", "pass:a.b"], 64, "--from"),
    (["dmarc", "--from", "a@b.example", "--spf", "ok:b.example"], 64, "a result is one of"),
    (["dmarc", "--from", "a@b.example", "--dkim", "pass"], 64, "pass:example.org"),
    (["dmarc", "--from", "a@b.example", "--spf", "pass:b.example:ehlo"], 64, "helo"),
    (["dmarc", "--from", "a@b.example", *["--dkim=pass:b.example"] * 33], 64, "32 times"),
    (["--frob", "mx", "a.b"], 64, "lookup: --frob is not an option"),
    (["spf", "192.0.2.1", "-a@example.org"], 64, "lookup: -a@example.org is not an option"),
    (["mx", "-x.example"], 64, "lookup: -x.example is not an option"),
    (["-qz", "mx", "example.org"], 64, "lookup: -qz is not an option"),
    (["-hx", "mx", "example.org"], 64, "lookup: -hx is not an option"),
    (["--receiver", "-x", "mx", "-y", "-x"], 64, "lookup: -y is not an option"),
    (["--receiver=-x", "mx", "-y"], 64, "lookup: -y is not an option"),
    (["--rec", "-x", "-y"], 64, "lookup: -y is not an option"),
    (["--json=yes", "mx", "a.b"], 64, "lookup: --json=yes is not an option"),
    (["--re", "x", "mx", "a.b"], 64, "lookup: --re is not an option"),
    (["mx", "a.b", "--resolver"], 64, "--resolver needs a value"),
    (["--engine", "spf3", "spf", "192.0.2.1", "a.b"], 64, "native, libspf2 or compare"),
    (["mx", "a.b", "--resolver", "127.0.0.1"], 64, "cannot be used together"),
]

# The same, without --zone.
ALONE_CASES = [
    (["mx", "a.b", "--resolver", "localhost"], 64, "localhost"),
    (["mx", "a.b", "--resolver", "127.0.0.1@0"], 64, "127.0.0.1@0"),
    (["mx", "a.b", "--resolver", "127.0.0.1@65536"], 64, "127.0.0.1@65536"),
    (["trace", "a.b", "A", "--hints", "/nonexistent/hints"], 66, "/nonexistent/hints"),
    (["trace", "a.b", "A", "--hints", "/dev/null"], 66, "no line with the address of a root server"),
    (["mx", "a.b", "--zone", "/nonexistent/zone"], 66, "/nonexistent/zone"),
    (["mx", "a.b", "--resolver", "127.0.0.1@9"], 69, "no name server answers (forward 127.0.0.1@9)"),
]
