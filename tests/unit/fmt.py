#!/usr/bin/python3
"""fmt.py - `sekisho fmt`: what it prints, rewrites and refuses; every policy file of the tree keeps its meaning,
and the files that people copy are in the layout.

The program is $SEKISHO. The last line counts the cases.
"""
import glob
import os
import re
import stat
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("SEKISHO", "build/sekisho"))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UGLY, NEAT = "mode   report # why\n\n\n\ndrain 3s", "mode report  # why\n\ndrain 3s\n"
WRONG = "mode report\npolicy inbound {\n"
counts = {True: 0, False: 0}


def case(name, holds, shown=""):
    counts[bool(holds)] += 1
    if not holds:
        print("FAILED %s: %s" % (name, shown))


def run(*arguments, stdout=subprocess.PIPE):
    return subprocess.run([PROGRAM, *arguments], stdout=stdout, stderr=subprocess.PIPE, timeout=60)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def prints_and_leaves_the_file():
    write("p", UGLY)
    done = run("fmt", "p")
    case("the layout is printed", done.returncode == 0 and done.stdout.decode() == NEAT, done)
    case("the file is left", read("p") == UGLY, read("p"))


def checks_and_changes_nothing():
    write("p", UGLY)
    write("q", NEAT)
    done = run("fmt", "--check", "p", "q")
    case("--check ends with 1 and names the file", done.returncode == 1 and done.stdout.startswith(b"p: not in the"), done)
    case("--check changes nothing", read("p") == UGLY, read("p"))
    case("--check ends with 0", run("fmt", "--check", "q").returncode == 0)


def rewrites_in_place():
    write("p", UGLY)
    os.chmod("p", 0o640)
    os.symlink("p", "link")
    before = os.stat("p")
    case("-i succeeds", run("fmt", "-i", "link").returncode == 0)
    after = os.stat("p")
    case("the file has the layout", read("p") == NEAT, read("p"))
    case("mode and owner are kept", (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid))
    case("a new file took its place", before.st_ino != after.st_ino)
    case("a symbolic link stays one", stat.S_ISLNK(os.lstat("link").st_mode))
    case("nothing is left beside it", sorted(os.listdir(".")) == ["link", "p", "q"], os.listdir("."))
    inode = os.stat("p").st_ino
    case("what is in the layout is not written", run("fmt", "-i", "p").returncode == 0 and os.stat("p").st_ino == inode)


def keeps_the_owner():
    if os.geteuid():
        return
    write("p", UGLY)
    os.chown("p", 12345, 12346)
    run("fmt", "-i", "p")
    case("owner and group are kept", (os.stat("p").st_uid, os.stat("p").st_gid) == (12345, 12346), os.stat("p"))


def leaves_a_file_with_errors():
    for option in ([], ["-i"], ["--check"]):
        write("p", WRONG)
        done = run("fmt", *option, "p")
        case("an error in the syntax ends with 78", done.returncode == 78 and done.stdout == b"", done)
        case("it is shown with its place", b"p:2:16: this { is never closed" in done.stderr, done.stderr)
        case("the file is left", read("p") == WRONG)
    case("a missing file ends with 78", run("fmt", "nowhere").returncode == 78)


def what_cannot_be_written_is_an_error():
    write("p", NEAT)
    with open("/dev/full", "w") as full:
        case("a full disk ends with 74", run("fmt", "p", stdout=full).returncode == 74)


def usage():
    for arguments in ([], ["-i"], ["p", "p"], ["-i", "--check", "p"], ["--inplace", "p"]):
        case("usage %s" % arguments, run("fmt", *arguments).returncode == 64)
    case("--help", run("fmt", "--help").stdout.startswith(b"usage: sekisho fmt"))


def said_of(name):
    """What `check` says of a file, without the places."""
    done = run("check", name)
    lines = [re.sub(r"line \d+", "a line", line.split(": ", 1)[1]) for line in done.stderr.decode("utf-8", "replace").split("\n") if line.startswith(name)]
    return done.returncode, done.stdout, sorted(lines)


def policies_of_the_tree():
    found = glob.glob(os.path.join(SOURCE, "conf", "**", "*.conf"), recursive=True)
    found.remove(os.path.join(SOURCE, "conf/exim.conf"))
    case("there are policies to copy", len(found) >= 1)
    for path in found + [os.path.join(SOURCE, "tests/demo/sekisho.conf")]:
        case("%s is in the layout" % path, run("fmt", "--check", path).returncode == 0, run("fmt", path).stdout.decode())
    inputs = glob.glob(os.path.join(SOURCE, "tests/fuzz/inputs/policy/*"))
    case("there are inputs", len(inputs) >= 5)
    for path in inputs:
        done = run("fmt", path)
        if done.returncode == 0:
            with open(path, "rb") as f, open("p", "wb") as copy:
                copy.write(f.read())
            before = said_of("p")
            case("%s can be rewritten" % path, run("fmt", "-i", "p").returncode == 0)
            case("%s means the same" % path, said_of("p") == before, said_of("p"))
            case("%s has one layout" % path, run("fmt", "--check", "p").returncode == 0)


def main():
    with tempfile.TemporaryDirectory(prefix="sekisho-fmt-") as scratch:
        os.chdir(scratch)
        for test in (prints_and_leaves_the_file, checks_and_changes_nothing, rewrites_in_place, keeps_the_owner,
                     leaves_a_file_with_errors, what_cannot_be_written_is_an_error, usage, policies_of_the_tree):
            test()
        os.chdir("/")
    print("%d passed, %d failed" % (counts[True], counts[False]))
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main())
