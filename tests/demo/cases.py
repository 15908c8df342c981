"""The eight messages of the demonstration: what each client does, and what must happen."""
import dataclasses

GOOD = ("203.0.113.5", "mail.good.example")
STRANGER = ("198.51.100.66", "stranger.example")
BOB = "bob@example.org"


@dataclasses.dataclass
class Case:
    title: str
    does: str                 # for the reader
    sender: str
    code: int                 # expected of the server
    rule: str = None          # a text in the rule that must decide; None: no rule does
    edit: str = None          # a text in the rule that changes the message
    client: tuple = None      # address and HELO of a client from outside; None: a client of the submission service
    login: str = None
    fields: tuple = ()        # header fields on top of the message
    expect: tuple = ()        # (header field, text that it must hold) of the delivered message
    never: str = None         # a text that no header of the delivered message may hold
    recipient: str = BOB
    subject: str = "hello"


CASES = (
    Case("SPF pass", "203.0.113.5, the server of good.example, sends as news@good.example",
         sender="news@good.example", code=250, client=GOOD,
         expect=(("Authentication-Results", "spf=pass smtp.mailfrom=news@good.example"),)),
    Case("SPF fail", "198.51.100.66, a stranger, sends as boss@good.example",
         sender="boss@good.example", code=550, client=STRANGER, rule="if spf is fail"),
    Case("SPF softfail", "the stranger sends as shop@soft.example, which is not sure of its servers",
         sender="shop@soft.example", code=250, client=STRANGER, edit="prefix-subject",
         expect=(("Authentication-Results", "spf=softfail"), ("Subject", "[suspicious] hello"))),
    Case("forged results", "the stranger brings results that pretend to be ours",
         sender="phish@soft.example", code=250, client=STRANGER, edit="prefix-subject",
         fields=("Authentication-Results: mx.example.org; spf=pass; dkim=pass; dmarc=pass",
                 "authentication-results: (trust me) MX.Example.ORG 1; dmarc=pass",
                 "Authentication-Results: relay.soft.example; auth=pass"),
         expect=(("Authentication-Results", "spf=softfail"), ("Authentication-Results", "relay.soft.example")),
         never="dmarc=pass"),
    Case("submission without AUTH", "the submission port, STARTTLS, no login",
         sender="alice@example.org", code=530, rule="if not auth"),
    Case("submission with AUTH", "STARTTLS, login alice, sends as alice@example.org",
         sender="alice@example.org", code=250, login="alice@example.org",
         expect=(("Authentication-Results", "auth=pass"),)),
    Case("AUTH as somebody else", "STARTTLS, login alice, sends as bob@example.org",
         sender="bob@example.org", code=553, login="alice@example.org", rule="owned by auth.user"),
    Case("DNS trouble", "203.0.113.5 sends as info@broken.example, whose DNS servers fail",
         sender="info@broken.example", code=451, client=GOOD, rule="if spf is temperror"),
)
