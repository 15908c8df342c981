#!/usr/bin/python3
"""modules.py - libraries that few settings need are in modules: a program without them works, one whose setting needs a
module that is damaged, or of another build, says so in `check` and at its start.

The program is $SEKISHO, with the folder "modules" next to it. The last line counts the cases.
"""
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("SEKISHO", "build/sekisho"))
MODULES = {  # and a setting that needs it
    "curl": "mailer inet:25@127.0.0.1 from d@example.org\n",
    "sqlite": "history sqlite:@DIR@/history.db\n",
    "http": "web { listen unix:@DIR@/web.sock }\n",
    "opendkim": "dkim { engine libopendkim }\n",
    "xml": "store memory:\ndmarc-reports { from d@example.org }\n",
}
RULES = "listen unix:@DIR@/milter.sock mode 0660\nlog off\n"


def run(*arguments):
    return subprocess.run(["./sekisho", *arguments], capture_output=True, text=True, timeout=60)


def policy(text):
    with open("p", "w", encoding="utf-8") as f:
        f.write((RULES + text).replace("@DIR@", os.getcwd()))


def works_without():
    """Nothing needs a module."""
    policy("")
    done = run("check", "p")
    return done.returncode == 0, done


def refused(name, why):
    """What `check` says, and the daemon."""
    policy(MODULES[name])
    for done in (run("check", "p"), run("daemon", "-c", "p")):
        if done.returncode == 0 or "the module " not in done.stderr or name not in done.stderr or why not in done.stderr:
            return False, done
    return True, None


def accepted(name):
    policy(MODULES[name])
    done = run("check", "p")
    return done.returncode == 0, done


def other_build(name):
    """A module whose table says something else of itself."""
    with open("modules/%s.so" % name, "rb") as f:
        data = f.read()
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=30).stdout.split()[1].encode()
    stamp = version + b" "
    if data.count(stamp) != 1:
        return False, "the stamp is in it %d times" % data.count(stamp)
    with open("modules/%s.so" % name, "wb") as f:
        f.write(data.replace(stamp, b"x" * len(version) + b" "))
    return refused(name, "is of another build than this program")


def cases():
    if not os.path.exists(os.path.join(os.path.dirname(PROGRAM), "modules", "opendkim.so")):
        del MODULES["opendkim"]  # built without it
    shutil.copy(PROGRAM, "sekisho")
    os.mkdir("modules")  # so that installed ones are not found
    for name in sorted(MODULES):
        open("modules/%s.so" % name, "wb").close()
    yield "without modules", works_without()
    for name in sorted(MODULES):
        yield name + " is damaged", refused(name, "cannot be opened: ")
        shutil.copy(os.path.join(os.path.dirname(PROGRAM), "modules", name + ".so"), "modules")
        yield name, accepted(name)
        yield name + " of another build", other_build(name)


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sekisho-modules-") as scratch:
        os.chdir(scratch)
        for name, (good, what) in cases():
            passed += good
            failed += not good
            if not good:
                print("FAILED: %s: %s" % (name, what))
        os.chdir("/")
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
