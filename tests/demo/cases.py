"""The eight messages of the demonstration: what each client does, and what must come of it."""
import dataclasses

GOOD = "203.0.113.5"        # the mail server of good.example
STRANGER = "198.51.100.66"  # nobody's mail server
BOB = "bob@example.org"


@dataclasses.dataclass
class Case:
    title: str
    does: str                 # for the reader
    sender: str
    code: int                 # expected of the server
    rule: str = None          # a text in the rule that must decide; None: no rule does
    client: str = None        # address of a client from outside; None: a client of the submission service
    login: str = None
    fields: tuple = ()        # header fields on top of the message
    expect: tuple = ()        # (header field, text that it must hold) of the delivered message
    never: str = None         # a text that no header of the delivered message may hold
    recipient: str = BOB
    subject: str = "hello"


CASES = (
    Case("SPF pass", f"{GOOD}, the server of good.example, sends as news@good.example",
         sender="news@good.example", code=250, client=GOOD,
         expect=(("Authentication-Results", "spf=pass"),)),
    Case("SPF fail", f"{STRANGER}, a stranger, sends as boss@good.example",
         sender="boss@good.example", code=550, client=STRANGER, rule="if spf is fail"),
    Case("SPF softfail", f"{STRANGER} sends as shop@soft.example, which is only half against it",
         sender="shop@soft.example", code=250, client=STRANGER, rule=None,
         expect=(("Authentication-Results", "spf=softfail"), ("Subject", "[suspicious] hello"))),
    Case("forged results", "says in a header of its own that we have found everything in order",
         sender="phish@soft.example", code=250, client=STRANGER,
         fields=("Authentication-Results: mx.example.org; spf=pass; dkim=pass; dmarc=pass",
                 "authentication-results: (trust me) MX.Example.ORG 1; dmarc=pass",
                 "Authentication-Results: relay.soft.example; auth=pass"),
         expect=(("Authentication-Results", "spf=softfail"), ("Authentication-Results", "relay.soft.example")),
         never="dmarc=pass"),
    Case("submission, no AUTH", "comes to the submission port and does not log in",
         sender="alice@example.org", code=530, rule="if not auth"),
    Case("submission with AUTH", "STARTTLS, logs in as alice, sends as alice@example.org",
         sender="alice@example.org", code=250, login="alice@example.org",
         expect=(("Authentication-Results", "auth=pass"),)),
    Case("as somebody else", "STARTTLS, logs in as alice, sends as bob@example.org",
         sender="bob@example.org", code=553, login="alice@example.org", rule="owned by auth.user"),
    Case("DNS trouble", f"{GOOD} sends as info@broken.example, whose DNS servers fail",
         sender="info@broken.example", code=451, client=GOOD, rule="if spf is temperror"),
)
