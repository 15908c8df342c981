"""ARC: mail with a DKIM signature, and the same mail with one set of ARC fields as well. Sekisho and rspamd; three sets are not
compared, since rspamd 3.4 verifies only its own order of them."""
import statistics

from figures import odd, wanted

TARGET = 4  # times the processor time that the set costs


def works(bench, subject):
    found = bench.load(subject, "2k-arc", messages=200, connections=4, words=["arc=pass"])
    if odd([found]):
        bench.skip(f"{subject.name}, ARC", f"does not say arc=pass: {found['sample'][:400]}")
        return False
    return True


def arc(bench):
    """One set of ARC fields, beside rspamd."""
    bench.say("\nARC, one set")
    started = bench.start([("sekisho", bench.start_sekisho), ("rspamd, authentication", bench.house.rspamd_auth)])
    try:
        subjects = [subject for subject in started.values() if works(bench, subject)]
        found = {mails: bench.rounds_of(subjects, mails, words=[]) for mails in ("2k-nochain", "2k-arc")}
        bench.numbers["arc"] = found
        bench.table("2k-arc", found["2k-arc"], "2k with one set")
        cost = {name: statistics.median(one["cpu"] - other["cpu"] for one, other in zip(runs, found["2k-nochain"][name]))
                for name, runs in found["2k-arc"].items()}
        for name, ms in cost.items():
            bench.say(f"{name:24} the set costs {1000 * ms:8.0f} us of processor time for each message")
        if len(cost) == 2:
            ours, other = cost["sekisho"], cost["rspamd, authentication"]
            bench.say(f"rspamd takes {other / max(ours, 1e-6):.1f} times that of sekisho " + wanted(f"≥ {TARGET}", other >= TARGET * ours))
    finally:
        for subject in started.values():
            subject.stop()
