"""What is measured beside the main comparison: each part is a function that takes the Bench."""
import os
import re
import statistics
import subprocess
import threading

from arc import arc
from behind import through_postfix
from dnslists import dns_lists
from exim_doors import through_exim
from figures import median, odd, wanted
from instructions import callgrind
from limits import limits
from reports import reports
from shared_store import shared_store
from signing import signing
from subjects import Missing
from tables import srs
from waiting import waiting
from world import SIZES, Dns

DELAY_MS = 20
RELOADS = 100
IDLE = (0, 500, 2000)
OURS = ("empty, limit", "sekisho", "sekisho, native")  # whose idle connections are counted in --quick too
LIMITS = {"sekisho": (25, 10), "sekisho, native": (16, 2)}  # MB that it may take with 64 connections, KB for each idle one
DEPENDENT = 3  # questions: the SPF record, its include, and when MAIL is answered what the header names
LATENCY = 1.3  # times that


def started(make):
    subject = make()
    return subject and subject.ready()


class Idle:
    """Sessions that say HELO and nothing more."""

    def __init__(self, bench, subject, count):
        command = [os.path.join(bench.build, "tests/bench/load"), "-i", str(count), bench.world.list("2k"), *subject.sockets]
        self.process = count and subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if count and self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{count} idle connections cannot be opened")

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(timeout=60)
            self.process.stdout.close()


def idle_beside(bench, subject):
    """Text of what idle connections cost, and the most KB that one took, beyond what the program had before the first."""
    messages = 1000 if subject.name in OURS else 150
    base, dearest, line = 0, 0, ""
    for count in IDLE:
        idle = Idle(bench, subject, count)
        try:
            memory_now, _, threads = subject.memory()
            rates = [bench.load(subject, messages=messages)["rate"] for _ in range(3)]
        finally:
            idle.stop()
        base = base or subject.memory()[0]  # after the runs without idle ones
        each = max(0, 1024 * (memory_now - base) / count) if count else 0
        dearest = max(dearest, each)
        line += f"{each:7.1f} KB {threads:4} thr {statistics.median(rates):6.0f}/s"
    return line, dearest


def memory(bench, subjects):
    """Resident memory after 64 connections at work, and what idle ones cost."""
    bench.say("\nmemory                  | after 64 connections | idle: KB each, threads, msg/s beside them: "
              + ", ".join(map(str, IDLE)))
    for subject in subjects:
        bench.load(subject, messages=600, connections=64)
        resident, _, threads = subject.memory()
        line, dearest = "", 0
        try:
            if subject.name in OURS or not bench.quick:
                line, dearest = idle_beside(bench, subject)
        except (RuntimeError, subprocess.SubprocessError) as error:
            line = f" {error}"
        bench.numbers.setdefault("memory", {})[subject.name] = {"resident": resident, "threads": threads, "idle": dearest}
        bench.say(f"{subject.name:24}|{resident:9.1f} MB {threads:4} thr |{line}")
        if subject.name in LIMITS:
            most, each = LIMITS[subject.name]
            bench.say(f"{'':24} " + wanted(f"≤ {most} MB", resident <= most)
                      + " " + wanted(f"≤ {each} KB for each idle connection", dearest <= each))


# ---- cold DNS --------------------------------------------------------------------------------------------

def cold_runs(bench, makers, messages):
    """Each message is from a domain that was not asked for before: the median time of each program, in ms."""
    found = {}
    for name, make in makers:
        try:
            subject = started(make)
        except (Missing, RuntimeError) as error:
            bench.skip(name, error)
            continue
        try:
            found[name] = bench.load(subject, messages=messages, connections=1, p=1)
        finally:
            subject.stop()
    return found


def cold(bench):
    """The time of one message whose sender nobody knows yet, when each question takes 20 ms."""
    bench.dns.stop()
    bench.dns = Dns(bench.world, bench.run_dir, DELAY_MS)
    try:
        makers = [("sekisho", bench.start_sekisho)]
        if hints_can_be_off(bench):
            makers.append(("sekisho, hints no",
                           lambda: bench.start_sekisho(settings="resolver { hints no }")))
        makers += [("chain of three", bench.house.chain), ("rspamd, authentication", bench.house.rspamd_auth)]
        found = cold_runs(bench, makers, 40 if bench.quick else 150)
    finally:
        bench.dns.stop()
        bench.dns = Dns(bench.world, bench.run_dir)
    bench.numbers["cold"] = found
    bench.say(f"\ncold DNS, {DELAY_MS} ms for each question    |  p50 ms   p90 ms   | in questions one after the other")
    for name, run in found.items():
        bench.say(f"{name:40}|{run['p50'] / 1000:8.1f} {run['p90'] / 1000:8.1f}   |{run['p50'] / 1000 / DELAY_MS:6.1f}{odd([run])}")
    if "sekisho" in found:
        most = LATENCY * DEPENDENT * DELAY_MS
        bench.say(f"the slowest chain has {DEPENDENT} dependent questions (the SPF record, its include; and only after the answer "
                  f"to MAIL what the header names): {wanted(f'≤ {most:.0f} ms', found['sekisho']['p50'] / 1000 <= most)}")


def hints_can_be_off(bench):
    path = os.path.join(bench.run_dir, "hints.conf")
    with open(path, "w") as f:
        f.write("listen inet:8891@127.0.0.1\nresolver { hints no }\n")
    return subprocess.run([bench.house.program, "check", path], capture_output=True).returncode == 0


# ---- variations of one thing ---------------------------------------------------------------------------------

def variants(bench, title, makers, mails="2k", refusing=(), **options):
    """makers: (name, make, options of load). Started together, measured in turns, ratios to the first. Those that
    refuse the messages are named."""
    own = {name: {**options, **more} for name, _, more in makers}
    subjects = []
    for name, subject in bench.start([(name, make) for name, make, _ in makers]).items():
        subject.name = name
        subjects.append(subject)
    found = {subject.name: [] for subject in subjects}
    try:
        for subject in subjects:
            bench.load(subject, **{"mails": mails, "messages": 200, **own[subject.name]})
        for _ in range(bench.rounds):
            for subject in subjects:
                run = bench.load(subject, **{"mails": mails, "messages": 500 if bench.quick else 1500, **own[subject.name]})
                found[subject.name].append(run)
    finally:
        for subject in subjects:
            subject.stop()
    bench.numbers[title] = found
    bench.say(f"\n{title:40}| time of a message, CPU of a message: times the first's |  msg/s  CPU ms/msg")
    for name, runs in found.items():
        first = found[subjects[0].name]
        slower = statistics.median(a["rate"] / b["rate"] for a, b in zip(first, runs))
        cpu = median(runs, "cpu") / max(median(first, "cpu"), 1e-9)
        bench.say(f"{name:40}|{slower:8.2f} {cpu:8.2f} {'':36}|{median(runs, 'rate'):8.0f} {median(runs, 'cpu'):8.3f}{odd(runs, name in refusing)}")


def sekisho(bench, name, label, **policy):
    return lambda: bench.start_sekisho(label, name, **policy)


def rules(count):
    """More rules for the message, none of which is true, each another regular condition."""
    lines = "".join(f'    add-header X-Rule "{i}"  if sender.domain is "no{i}.example"\n' for i in range(count))
    return lambda text: re.sub(r"(policy inbound \{.*?on mail \{\n)", lambda m: m.group(1) + lines, text, count=1, flags=re.S)


def with_list(bench, count):
    path = os.path.join(bench.run_dir, f"list-{count}")
    with open(path, "w") as f:
        f.writelines(f"a{i}@list{i}.example\n" for i in range(count))
    policy = lambda text: re.sub(r"(policy inbound \{.*?on mail \{\n)",
                                 lambda m: m.group(1) + '    add-header X-Listed "yes"  if sender in many\n', text,
                                 count=1, flags=re.S)
    return {"settings": f"list many file:{path}", "edit": policy}


def sizes(bench):
    """What a KB more costs: one message after the other, so that the time is that of one message."""
    subjects = list(bench.start([("empty, limit", lambda: bench.house.empty("limit")), ("sekisho", bench.start_sekisho)]).values())
    try:
        found = {mails: bench.rounds_of(subjects, mails, connections=1) for mails in SIZES}
    finally:
        for subject in subjects:
            subject.stop()
    bench.numbers["message size"] = found
    bench.say(f"\n{'message size':40}| p50 us of a message alone, CPU us | each KB more since the size above: us, CPU us")
    for subject in subjects:
        before = None
        for mails, size in SIZES.items():
            runs = found[mails][subject.name]
            here = (size / 1024, median(runs, "p50"), 1000 * median(runs, "cpu"))
            line = f"{subject.name + ', ' + mails:40}|{here[1]:9.0f} {here[2]:9.0f}               |"
            if before:
                line += "".join(f"{(here[n] - before[n]) / (here[0] - before[0]):8.3f}" for n in (1, 2))
            bench.say(line)
            before = here


def growth(bench):
    """How the cost grows with what a message or a policy has more of."""
    sizes(bench)
    if "dkim=pass" in bench.words:
        variants(bench, "signatures", [(f"{n} signature(s)", sekisho(bench, f"s{n}", ""),
                                        {"mails": "2k" if n == 1 else f"2k-{n}sig"}) for n in (1, 2, 4, 8)])
    variants(bench, "recipients", [(f"{n} recipient(s)", sekisho(bench, f"r{n}", ""), {"r": n}) for n in (1, 10, 100)])
    variants(bench, "rules more than in the default policy",
             [(f"{n} rules", sekisho(bench, f"u{n}", "", edit=rules(n)), {}) for n in (0, 100, 1000)])
    variants(bench, "entries of a list", [(f"{n} entries", sekisho(bench, f"l{n}", "", **with_list(bench, n)), {})
                                          for n in (1, 1000, 100000)])
    variants(bench, "messages per connection",
             [(f"{n} message(s)", sekisho(bench, f"p{n}", ""), {"p": n}) for n in (1, 10)])


def logging(bench):
    """The log in a file, to syslog, and off."""
    variants(bench, "logging", [(how, sekisho(bench, "log-" + how, "", log=how), {}) for how in ("off", "file", "syslog")])


def history(bench):
    """Without and with a history of all messages."""
    path = os.path.join(bench.run_dir, "history.db")
    variants(bench, "history", [("without", sekisho(bench, "h0", ""), {}),
                                ("with", sekisho(bench, "h1", "", settings=f"history sqlite:{path}"), {})])


def refusal(bench):
    """Messages from where SPF says they do not come; those who refuse, do it at MAIL, others at the end."""
    makers = [("sekisho", bench.start_sekisho, {}),
              ("pyspf-milter", lambda: bench.house.alone("pyspf-milter"), {}),
              ("rspamd, authentication (does not refuse)", bench.house.rspamd_auth, {})]
    variants(bench, "refusal at MAIL", makers, mails="2k-bad", words=[], refusing=("sekisho", "pyspf-milter"))


def reloads(bench):
    """The same load with and without 100 reloads during it."""
    subject = started(bench.start_sekisho)
    command = [bench.house.program, "reload", "-c", os.path.join(bench.run_dir, "sekisho.conf")]
    calm, busy, codes = [], [], []

    def reload_some():
        for _ in range(-(-RELOADS // bench.rounds)):
            codes.append(subprocess.run(command, capture_output=True).returncode)

    try:
        bench.load(subject, messages=2000)
        before = subject.memory()[0]
        for _ in range(bench.rounds):
            calm.append(bench.load(subject, messages=2000))
            thread = threading.Thread(target=reload_some)
            thread.start()
            while thread.is_alive():
                busy.append(bench.load(subject, messages=500))
            thread.join()
        after = subject.memory()[0]
    finally:
        subject.stop()
    bench.say(f"\n{len(codes)} reloads during {sum(run['messages'] for run in busy)} messages: {sum(map(bool, codes))} failed; "
              f"{median(busy, 'rate') / median(calm, 'rate'):.2f} times as fast as without; p99 {median(calm, 'p99') / 1000:.1f} ms, "
              f"with reloads {median(busy, 'p99') / 1000:.1f} ms; resident {before:.1f} MB, afterwards {after:.1f} MB"
              + odd(calm + busy))
    bench.numbers["reloads"] = {"calm": calm, "busy": busy}


PARTS = {"sign": signing, "arc": arc, "srs": srs, "cold": cold, "refusal": refusal, "logging": logging, "growth": growth, "reloads": reloads,
         "limits": limits, "postfix": through_postfix, "callgrind": callgrind}
PARTS["reports"] = reports
PARTS["dnsbl"] = dns_lists
PARTS["history"] = history
PARTS["waiting"] = waiting
PARTS["exim"] = through_exim
PARTS["redis"] = shared_store
