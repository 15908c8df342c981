#!/usr/bin/python3
"""modules.py - libraries that few settings need are in modules: a program without them works, one whose setting needs a
module that is damaged, or of another build, says so in `check`, at its start and when it reads its policy again.

The program is $SEKISHO, with the folder "modules" next to it. The last line counts the cases.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(os.environ.get("SEKISHO", "build/sekisho"))
MODULES = {  # and a setting that needs it
    "curl": "mailer inet:25@127.0.0.1 from d@example.org\n",
    "sqlite": "history sqlite:@DIR@/history.db\n",
    "http": "web { listen unix:@DIR@/web.sock }\n",
    "opendkim": "dkim { engine libopendkim }\n",
    "xml": "store memory:\ndmarc-reports { from d@example.org }\n",
}
RULES = "listen unix:@DIR@/milter.sock mode 0660\ncontrol unix:@DIR@/control.sock\nlog off\n"


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


def setting(name):
    """What the message about a module begins with."""
    return "p:" if name == "opendkim" else "p: %s: the module " % MODULES[name].splitlines()[-1].split()[0]


def refused(name, why):
    """What `check` says, and the daemon."""
    policy(MODULES[name])
    for done in (run("check", "p"), run("daemon", "-c", "p")):
        if done.returncode == 0 or "the module " not in done.stderr or name not in done.stderr or why not in done.stderr:
            return False, done
        if setting(name) not in done.stderr:
            return False, ("the setting is not named", done)
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


def cut_off(name):
    """A module of which only a part was written: the program must not be ended by a signal."""
    source, path = os.path.join(os.path.dirname(PROGRAM), "modules", name + ".so"), "modules/%s.so" % name
    for size in (1000, 3000, os.path.getsize(source) - 1):
        shutil.copy(source, path)
        os.truncate(path, size)
        good, done = refused(name, "is cut off")
        if not good:
            return False, (size, done)
    return True, None


def not_fetched():
    """The fault of this host is not one of the domain that is looked up."""
    with open("z", "w", encoding="ascii") as f:
        f.write('d.example MX 0 mx.d.example\nmx.d.example SERVFAIL\n_mta-sts.d.example TXT "v=STSv1; id=1"\nmta-sts.d.example A 127.0.0.1\n')
    done = run("lookup", "domain", "d.example", "--zone", "z", "--smtp")
    lines = [line for line in done.stdout.splitlines() if "sts-fetch" in line]
    return len(lines) == 1 and lines[0].split()[0] == "note" and "the module curl cannot" in lines[0], done


def reload_refused(name):
    """The daemon that runs keeps its policy, and opens nothing; a complete module is then taken."""
    for size in (0, 1000, None):
        shutil.copy(os.path.join(os.path.dirname(PROGRAM), "modules", name + ".so"), "modules")
        if size is not None:
            os.truncate("modules/%s.so" % name, size)
        policy(MODULES[name])
        done, status = run("reload", "-c", "p"), run("status", "--json", "-c", "p")
        if status.returncode != 0 or done.returncode != (0 if size is None else 1):
            return False, (size, done, status)
        if size is not None and (name not in done.stderr or "the module " not in done.stderr or '"store"' in status.stdout):
            return False, (size, done, status)
    return True, None


def take_over_refused(name):
    """A daemon that cannot serve does not end the one that does."""
    open("modules/%s.so" % name, "wb").close()
    policy(MODULES[name])
    done, status = run("daemon", "-c", "p", "--take-over"), run("status", "-c", "p")
    return done.returncode in (69, 78) and "the module " in done.stderr and status.returncode == 0, (done, status)


def reloads():
    """Each with a daemon of its own: what is opened stays."""
    for name in sorted(MODULES):
        for module in os.listdir("modules"):
            os.unlink("modules/" + module)
        for other in sorted(MODULES):
            if other != name:
                shutil.copy(os.path.join(os.path.dirname(PROGRAM), "modules", other + ".so"), "modules")
        policy("")
        with subprocess.Popen(["./sekisho", "daemon", "-c", "p"], stderr=subprocess.DEVNULL) as daemon:
            end = time.monotonic() + 60
            while run("status", "-c", "p").returncode != 0 and daemon.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            yield "take-over without " + name, take_over_refused(name)
            yield "reload with " + name, reload_refused(name)
            daemon.terminate()


def cases():
    if not os.path.exists(os.path.join(os.path.dirname(PROGRAM), "modules", "opendkim.so")):
        del MODULES["opendkim"]  # built without it
    shutil.copy(PROGRAM, "sekisho")
    os.mkdir("modules")  # so that installed ones are not found
    for name in sorted(MODULES):
        open("modules/%s.so" % name, "wb").close()
    yield "without modules", works_without()
    yield "look-up without curl", not_fetched()
    for name in sorted(MODULES):
        yield name + " is damaged", refused(name, "cannot be opened: ")
        yield name + " is cut off", cut_off(name)
        shutil.copy(os.path.join(os.path.dirname(PROGRAM), "modules", name + ".so"), "modules")
        yield name, accepted(name)
        yield name + " of another build", other_build(name)
    yield from reloads()


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
