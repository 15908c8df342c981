"""Measures Sekisho beside what people run today; run.sh starts it in a namespace. What comes out:

    BUILD/bench/result.txt      tables: ratios first, then what they are made of
    BUILD/bench/result.json     every number
    BUILD/bench/result.svg      messages per second, and processor time, as a picture

All programs run at the same time and take turns, so that what else the machine does hits all alike: a ratio is of two runs
of one round, and what is shown is the median of all rounds and how far they lie apart (half of the distance of the quartiles).
"""
import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import parts
import picture
from figures import odd, ratio, spread, wanted
from subjects import House, Missing, Subject, need
from world import SIZES, Dns, World, space

NATIVE, BEFORE = "sekisho, native", "sekisho, before"
OURS = ("sekisho", NATIVE)
TARGETS = {  # what must be reached of the first, as often as fast as the second
    ("2k", "empty, limit"): 0.60, ("60k", "empty, limit"): 0.40, ("1m", "empty, limit"): 0.30,
    ("2k", "chain of three"): 25, ("60k", "chain of three"): 18, ("1m", "chain of three"): 6,
    ("2k", "rspamd, authentication"): 2.8, ("60k", "rspamd, authentication"): 4, ("1m", "rspamd, authentication"): 4,
}
NATIVE_TARGETS = {  # the same for the native engine; before: the last build without it
    ("2k", BEFORE): 1.9, ("60k", BEFORE): 1.7, ("1m", BEFORE): 1.15,
    ("2k", "empty, limit"): 1.30, ("60k", "empty, limit"): 1.05, ("1m", "empty, limit"): 0.45,
    ("2k", "rspamd, authentication"): 3.4, ("60k", "rspamd, authentication"): 4.5, ("1m", "rspamd, authentication"): 4.2,
}
CPU_TARGET = 2  # times the processor time of the empty program, with 2 KB
NATIVE_CPU_TARGET = 0.55  # times that of the build before, with 2 KB
NATIVE_P99_TARGET = 0.5  # times that of the build before, with 2 KB and 64 connections


class Bench:
    def __init__(self, arguments):
        self.quick = arguments.quick
        self.build = os.path.abspath(arguments.build)
        self.before = arguments.before and os.path.abspath(arguments.before)
        self.out = os.path.join(self.build, "bench")
        os.makedirs(self.out, exist_ok=True)
        self.text = open(os.path.join(self.out, "result.txt"), "w")
        self.numbers = {}
        self.space = space.Space()
        self.run_dir = os.path.join(self.space.root, "run")
        os.makedirs(self.run_dir)
        self.world = World(os.path.join(self.out, "world"))
        self.house = House(self.build, self.run_dir, os.path.join(self.out, "kept"))
        self.dns = Dns(self.world, self.run_dir)
        self.rounds = 3 if self.quick else 9
        self.seconds = 0.5 if self.quick else 1.5  # of one run
        self.words = ["spf=pass"]  # what this build of Sekisho says of our messages

    def say(self, line=""):
        print(line, flush=True)
        print(line, file=self.text, flush=True)

    def skip(self, what, why):
        self.say(f"skipped: {what}: {why}")

    def load(self, subject, mails="2k", messages=200, connections=8, words=None, **options):
        """One run of the load generator; what it found, and the processor time of the subject."""
        command = [os.path.join(self.build, "tests/bench/load"), "-c", str(connections), "-n", str(messages)]
        for key, value in options.items():
            command += ["-" + key, str(value)]
        for word in subject.words if words is None else words:
            command += ["-w", word]
        before = subject.cpu()
        ran = subprocess.run(command + [self.world.list(mails)] + subject.sockets, capture_output=True, text=True, timeout=300)
        if ran.returncode != 0:
            raise RuntimeError(f"{subject.name}: {ran.stderr.strip()}")
        found = json.loads(ran.stdout)
        found["cpu"] = 1000 * (subject.cpu() - before) / messages
        return found

    def start_sekisho(self, *arguments, **options):
        return self.house.sekisho(*arguments, words=self.words, **options)

    def start_native(self, **options):
        return self.start_sekisho(NATIVE, "native", engine="native", **options)

    def start_before(self):
        return self.house.older(self.before).sekisho(BEFORE, "before", words=self.words, engine=None)

    def find_words(self):
        """A build without DKIM or DMARC is measured without."""
        subject = self.house.sekisho().ready()
        sample = self.load(subject, messages=1)["sample"]
        subject.stop()
        self.words = [f"{word}=pass" for word in ("spf", "dkim", "dmarc") if f"{word}=pass" in sample]
        if "spf=pass" not in self.words:
            raise RuntimeError("Sekisho does not say spf=pass: " + sample)

    def start(self, makers):
        """Those of (name, make) that start: {name: subject}. They start together, since some take long."""
        started, ready = {}, {}
        for name, make in makers:
            try:
                started[name] = make()
            except (Missing, RuntimeError, OSError) as error:
                self.skip(name, error)
        for name, subject in started.items():
            try:
                ready[name] = subject.ready()
            except (RuntimeError, OSError) as error:
                self.skip(name, error)
        return ready

    def three(self):
        """Makers of the three programs that most people run, and of the chain of the same processes."""
        alone = {}

        def one(name):
            alone[name] = self.house.alone(name)
            return alone[name]

        def chain():
            lacking = [name for name in ("pyspf-milter", "opendkim") if name not in alone]
            if lacking:
                raise Missing(f"without {' and '.join(lacking)}")
            processes = [*alone["pyspf-milter"].processes, *alone["opendkim"].processes, self.house.opendmarc("opendmarc-chain")]
            return Subject("chain of three", ["spf=pass", "dkim=pass", "dmarc=pass"], processes)

        names = ("opendkim", "pyspf-milter", "opendmarc")
        return [*((name, lambda name=name: one(name)) for name in names), ("chain of three", chain)]

    def start_all(self):
        house = self.house
        started = self.start([("least", house.least), ("least, hash", lambda: house.least("hash")),
                              ("empty, limit", lambda: house.empty("limit")), ("empty, replies", lambda: house.empty("replies")),
                              ("sekisho", self.start_sekisho), (NATIVE, self.start_native),
                              *([(BEFORE, self.start_before)] if self.before else []), *self.three(),
                              ("rspamd, authentication", house.rspamd_auth),
                              ("rspamd as installed", house.rspamd_full)])
        return [subject for subject in started.values() if self.works(subject)]

    def explain(self):
        self.say("least: adds one field without libmilter, what the load and the kernel take alone; hash: and a SHA-256 of the body\n"
                 "empty: programs of libmilter that add one field; limit: it answers only at the end; replies: at each step\n"
                 "chain of three: pyspf-milter, opendkim, opendmarc in a row; opendmarc alone reads no body\n"
                 "rspamd, authentication: only its SPF, DKIM and DMARC; as installed: with all that Debian's package turns on\n"
                 "ratios are the median of the rounds, ± half of the distance of their quartiles")

    def works(self, subject):
        """Each of our messages comes back with what the subject is there for, once it is warm."""
        try:
            self.load(subject, messages=200, connections=4)
            found = self.load(subject, messages=200, connections=4)
        except (RuntimeError, OSError) as error:
            self.skip(subject.name, error)
            return False
        if odd([found]):
            self.skip(subject.name, f"does not do its work: {found}")
            return False
        self.say(f"{subject.name:24} {found['messages']} messages, each with {' '.join(subject.words)}")
        return True

    def rounds_of(self, subjects, mails, **options):
        """Interleaved runs: {name: [found, ...]}."""
        size = {}
        for subject in subjects:  # how many fill the time
            rate = self.load(subject, mails, messages=40, **options)["rate"]
            size[subject.name] = int(max(24, min(20000, rate * self.seconds)))
        found = {subject.name: [] for subject in subjects}
        for number in range(self.rounds):
            for subject in subjects if number % 2 == 0 else subjects[::-1]:
                found[subject.name].append(self.load(subject, mails, messages=size[subject.name], **options))
        return found

    def table(self, mails, found, title=None, first="sekisho"):
        """What others are compared with is `first`. A title of its own has no targets."""
        targets = {} if title else NATIVE_TARGETS if first == NATIVE else TARGETS
        self.say(f"\n{(title or mails) + f': how many times as fast {first} is':60}|   msg/s  spread   CPU s/1000   p50 us   p90 us   p99 us")
        for name, runs in found.items():
            compared = ""
            if first in found:
                value, wide = ratio(found[first], runs)
                target = targets.get((mails, name))
                compared = f"{value:7.2f} ±{wide:5.2f}  " + (wanted(f"≥ {target}", value >= target) if target else "")
            rates = [run["rate"] for run in runs]
            rest = "".join(f"{statistics.median(run[key] for run in runs):9.0f}" for key in ("p50", "p90", "p99"))
            cpu = statistics.median(run["cpu"] for run in runs)
            self.say(f"{name:24}{compared:36}|{statistics.median(rates):8.0f} ±{spread(rates):6.0f} {cpu:12.3f}{rest}{odd(runs)}")
        if first == NATIVE and first in found and not title:
            self.share(found, mails)
        elif "sekisho" in found and "empty, replies" in found:
            value, _ = ratio(found["sekisho"], found["empty, replies"], "cpu")
            self.say(f"processor time of sekisho: {value:.2f} times that of the empty program that replies "
                     + (wanted(f"≤ {CPU_TARGET}", value <= CPU_TARGET) if mails == "2k" else ""))

    def share(self, found, mails):
        """What the native engine takes of the processor, beside others of ours."""
        for name, words in (("sekisho", "with libmilter"), (BEFORE, "of the build before")):
            if name in found:
                value, wide = ratio(found[NATIVE], found[name], "cpu")
                self.say(f"processor time of {NATIVE}: {value:.2f} ±{wide:.2f} times that {words} "
                         + (wanted(f"≤ {NATIVE_CPU_TARGET}", value <= NATIVE_CPU_TARGET)
                            if (mails, name) == ("2k", BEFORE) else ""))

    def crowd(self, subjects):
        """64 connections at once: the slowest of a hundred messages."""
        found = self.rounds_of([subject for subject in subjects if subject.name in CROWD], "2k", connections=64)
        self.numbers["crowd"] = found
        self.table("2k", found, "2k, 64 connections", NATIVE)
        if NATIVE in found and BEFORE in found:
            value, wide = ratio(found[NATIVE], found[BEFORE], "p99")
            self.say(f"p99 of {NATIVE}: {value:.2f} ±{wide:.2f} times that of the build before "
                     + wanted(f"≤ {NATIVE_P99_TARGET}", value <= NATIVE_P99_TARGET))

    def side_by_side(self, subjects):
        for mails in SIZES:
            found = self.rounds_of(subjects, mails)
            self.numbers[mails] = found
            for first in OURS:
                self.table(mails, found, first=first)

    def where(self):
        """The facts that a reader needs to judge the numbers."""
        self.say(f"{os.cpu_count()} processors, {os.getloadavg()[0]:.1f} processes at work before we began")
        if shutil.which("dpkg-query"):
            shown = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *PACKAGES], capture_output=True, text=True)
            self.say(shown.stdout.rstrip(", "))
        self.say("sekisho says " + " ".join(self.words))

    def main(self, only):
        start = time.monotonic()
        self.find_words()
        self.where()
        subjects = self.start_all() if {"main", "memory", "crowd"} & set(only) else []
        try:
            if "main" in only:
                self.explain()
                self.side_by_side(subjects)
            if "crowd" in only:
                self.crowd(subjects)
            if "memory" in only:
                parts.memory(self, subjects)
        finally:
            for subject in reversed(subjects):
                try:
                    subject.stop()
                except ProcessLookupError:
                    pass
        for name in parts.PARTS:
            if name in only:
                try:
                    parts.PARTS[name](self)
                except (Missing, RuntimeError, OSError, subprocess.SubprocessError) as error:
                    self.skip(name, error)
        with open(os.path.join(self.out, "result.json"), "w") as f:
            json.dump(self.numbers, f, indent=1)
        if "main" in only:
            self.draw()
        self.say(f"\n{time.monotonic() - start:.0f} s; the results lie in {self.out}")

    def draw(self):
        try:
            picture.draw(os.path.join(self.out, "result.svg"), self.numbers, TARGETS)
        except ImportError:
            self.skip("result.svg", "python3-matplotlib is not installed")


PACKAGES = ("opendkim", "opendmarc", "pyspf-milter", "rspamd", "postfix", "unbound", "libmilter1.0.1")
CROWD = ("least", "empty, limit", *OURS, BEFORE)
EVERYTHING = ["main", "memory", "crowd", *parts.PARTS]
QUICK = ["main", "memory", "sign", "cold", "dnsbl", "refusal", "logging", "limits", "history", "callgrind"]
ABOUT = {"main": "messages of 2 KB, 60 KB and 1 MB beside all other programs", "memory": parts.memory.__doc__,
         "crowd": "messages of 2 KB on 64 connections at once, and what the slowest of a hundred takes",
         **{name: part.__doc__ for name, part in parts.PARTS.items()}}


def why_not(build):
    """Why nothing can be measured, or None."""
    for program in ("sekisho", "tests/bench/load", "tests/bench/empty", "tests/bench/least", "tests/bench/requests"):
        if not os.access(os.path.join(build, program), os.X_OK):
            return f"{build}/{program} is missing: `make -C {build} bench` builds it; --build names another directory"
    for module in ("dkim", "cryptography"):
        if not importlib.util.find_spec(module):
            return f"the messages cannot be signed without python3-{module}"
    return None


def main():
    parser = argparse.ArgumentParser(
        prog="run.sh", description="Measures Sekisho beside other milters.", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts (* in --quick):\n" + "\n".join(
            f"  {name:10} {'*' if name in QUICK else ' '} {ABOUT[name].split(chr(10))[0]}" for name in EVERYTHING))
    parser.add_argument("--quick", action="store_true", help="under three minutes: the parts with a star, in few and short runs")
    parser.add_argument("--only", metavar="PART,...", help="these parts")
    parser.add_argument("--build", default="build", help="where sekisho was built (build)")
    parser.add_argument("--before", metavar="DIR", help="where an older sekisho was built, to compare the native engine with")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else QUICK if arguments.quick else EVERYTHING
    for name in only:
        if name not in EVERYTHING:
            parser.error(f"unknown part {name}; the parts are " + ", ".join(EVERYTHING))
    if why_not(arguments.build):
        parser.error(why_not(arguments.build))
    if arguments.before and not os.access(os.path.join(arguments.before, "sekisho"), os.X_OK):
        parser.error(f"{arguments.before}/sekisho is missing")
    try:
        need("unbound", "unbound")
        bench = Bench(arguments)
    except Missing as error:
        parser.error(error)
    try:
        bench.main(only)
    except RuntimeError as error:
        return f"run.sh: {error}"
    finally:
        bench.dns.stop()
        bench.space.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
