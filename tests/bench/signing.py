"""Signing: unsigned messages of our own users go in, and come back with a DKIM-Signature. Sekisho, opendkim and rspamd, with
RSA-2048 and with Ed25519; all sign relaxed/relaxed, for a client on this host.

Debian's opendkim names Ed25519 among what it can sign with; whether it does is asked of dkimpy, which verifies a message of each.
"""
import importlib.util

from figures import odd
from subjects import Missing, Subject
from world import OWN_KEYS, SIZES

NAMES = {"rsa": "RSA-2048", "ed25519": "Ed25519"}


def sekisho(bench):
    keys = "".join(f"sign {kind}.example.org {{ selector {kind} key {bench.world.path(kind)}.pem }}\n" for kind in OWN_KEYS)
    path = dict(name="sekisho-sign", settings=keys, edit=lambda text: text.replace("    #sign\n", "    sign\n"))
    return bench.house.sekisho("sekisho", words=[], **path)


def opendkim(bench, kind):
    return Subject("opendkim", [], [bench.house.opendkim_signing(kind, bench.world.d)])


def words(kind):
    return ["DKIM-Signature", f"a={kind}-sha256", f"d={kind}.example.org"]


def verifies(found):
    """True when the message that came back as a sample is what its signature says; asks the zone for the key."""
    for module in ("dkim", "nacl"):  # without the latter dkimpy believes that Ed25519 is wrong
        if not importlib.util.find_spec(module):
            raise Missing(f"nobody verifies: {module} is missing (packages python3-dkim, python3-nacl)")
    import dkim
    with open(found["file"], "rb") as f:
        text = found["sample"].replace("\n", "\r\n").encode() + b"\r\n" + f.read()
    try:
        return dkim.verify(text)
    except dkim.DKIMException:
        return False


def signs(bench, subject, kind):
    """It does its work: each message comes back signed, and a sample verifies."""
    try:
        for size in SIZES:
            found = bench.load(subject, f"{kind}-{size}", messages=40, connections=4, words=words(kind))
            if odd([found]):
                raise RuntimeError(f"of those of {size}{odd([found])}")
            if not verifies(found):
                raise RuntimeError(f"its signature of {size} does not verify: {found['sample']}")
    except RuntimeError as error:
        bench.skip(f"{subject.name}, {NAMES[kind]}", error)
        return False
    bench.say(f"{subject.name:24} signs with {NAMES[kind]}, dkimpy verifies")
    return True


def start(bench):
    """(subject, kinds of keys that it is to sign with), of those that can be started."""
    makers = [("sekisho", OWN_KEYS, lambda: sekisho(bench)),
              *((f"opendkim, {NAMES[kind]}", (kind,), lambda kind=kind: opendkim(bench, kind)) for kind in OWN_KEYS),
              ("rspamd, signing", OWN_KEYS, lambda: bench.house.rspamd_signing(bench.world.d))]
    started = bench.start([(name, make) for name, _, make in makers])
    return [(started[name], kinds) for name, kinds, _ in makers if name in started]


def signing(bench):
    """Signing with RSA-2048 and Ed25519, beside opendkim and rspamd."""
    bench.say("\nsigning, mail of a client on this host")
    started = start(bench)
    try:
        for kind in OWN_KEYS:
            subjects = [subject for subject, kinds in started if kind in kinds and signs(bench, subject, kind)]
            for size in SIZES:
                found = bench.rounds_of(subjects, f"{kind}-{size}", words=words(kind))
                bench.numbers[f"sign {kind} {size}"] = found
                bench.table(f"{kind}-{size}", found, f"sign {size}, {NAMES[kind]}")
    finally:
        for subject, _ in started:
            subject.stop()
