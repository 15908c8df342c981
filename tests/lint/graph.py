#!/usr/bin/python3
"""graph.py [SOURCE BUILD] - the structure of the program, as it is built.

Reads what the files of filter/ and include/ include, and which object of BUILD needs a symbol of which other, and fails
when a file needs itself by way of others, when a room needs one that is not below it, when a file includes what is private
to another room, or when something grew too large, also in tests/. Needs nm; the objects must be built. Without arguments it is a test that
runs in BUILD, where automake says in `srcdir` where SOURCE is.

A room is a folder of filter/ with sources; a header in include/ belongs to the room of its name, or that DOORS says.
"""
import ast
import collections
import fnmatch
import os
import re
import subprocess
import sys

ROOMS_MAX, FILE_MAX, FUNCTION_MAX = 30, 500, 60  # each protocol and each door is a room

# From the bottom up: a room may need those of the lines before its own, and no other.
FLOORS = (
    ("base",),
    ("mail", "dns", "store", "history", "mailer", "probe"),
    ("setting",),
    ("list", "spf", "dkim", "dmarc", "feedback"),
    ("arc", "keys", "aggregate"),
    ("check",),
    ("policy",),
    ("report",),
    ("engine",),
    ("doors",),
    ("doors/milter", "doors/native", "doors/policy", "doors/rspamc", "doors/socketmap"),
    ("doors/client",),
    ("doors/queue",),
    ("web",),
    ("daemon",),
    ("verbs",),
)

# Headers of include/ that are not named after their room.
DOORS = {"block.h": "check", "dnsbl.h": "check", "door.h": "doors", "greylist.h": "check", "json.h": "report", "login.h": "check",
         "milter.h": "doors", "mime.h": "mail"}
DOORS["reports_setting.h"] = "policy"
DOORS.update({"library.h": "base", "curl_library.h": "base", "xml_library.h": "base"})
DOORS["server.h"] = "doors"
DOORS["packet.h"] = "doors"
DOORS["milter_client.h"] = "doors/client"
DOORS["queue.h"] = "doors/queue"
DOORS["meter.h"] = "engine"
DOORS["incoming.h"] = "doors"
DOORS["senders.h"] = "engine"
DOORS["reports.h"] = "aggregate"
DOORS["story.h"] = "engine"

# Tables: they name what registers itself in them, which may well need the room that asks the table. Arrows out of these
# files are not followed when circles are looked for; all other rules hold for them.
TABLES = ("filter/check/checks.c", "filter/feedback/kinds.c", "filter/policy/settings.c")

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
DOORS["srs.h"] = "mail"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def sources(source):
    """Paths relative to the source directory; what bison and flex made is left out."""
    found = []
    for top in ("filter", "include"):
        for folder, _, names in os.walk(os.path.join(source, top)):
            found += [os.path.relpath(os.path.join(folder, name), source) for name in names if re.search(r"\.[chly]$", name)]
    made = {re.sub(r"\.[ly]$", end, path) for path in found if path[-1] in "ly" for end in (".c", ".h")}
    return sorted(set(found) - made)


def tests(source):
    """The programs in tests/, their headers and scripts; what fuzzing feeds them is not code."""
    found = []
    for folder, folders_, names in os.walk(os.path.join(source, "tests")):
        folders_[:] = [name for name in folders_ if name not in ("inputs", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), source) for name in names if re.search(r"\.([ch]|py|sh|pl|mjs)$", name)]
    return sorted(found)


def room_of(path):
    folder, name = os.path.split(path)
    if folder == "include":
        return DOORS.get(name, name[:-2])
    return "verbs" if folder == "filter" else folder[len("filter/"):]


def folders(paths):
    return {os.path.dirname(path) for path in paths if path.startswith("filter/")} - {"filter"}


# ---- arrows -----------------------------------------------------------------------------


def included(source, paths):
    """{file: {file: "#include"}} of what is written with quotes and is ours."""
    arrows = collections.defaultdict(dict)
    for path in paths:
        for name in re.findall(r'^#include "([^"]+)"', read(os.path.join(source, path)), re.M):
            for folder in (os.path.dirname(path), "include", "filter/policy"):
                target = os.path.normpath(os.path.join(folder, name))
                if target in paths:
                    arrows[path][target] = "#include"
                    break
    return arrows


def symbols(build, path):
    """(defined, needed) of the object of a source; None when the build has none: the other of two files was chosen."""
    obj = os.path.join(build, re.sub(r"\.[cly]$", ".o", path))
    if not os.path.exists(obj):
        return None
    defined, needed = set(), set()
    for line in subprocess.run(["nm", "-P", "-g", obj], capture_output=True, text=True, check=True).stdout.splitlines():
        name, kind = line.split()[:2]
        (needed if kind in "Uvw" else defined).add(name)
    return defined, needed


def called(build, paths):
    """{file: {file: names}} of symbols that one object needs of another, and how many objects there were."""
    tables = {path: symbols(build, path) for path in paths if not path.endswith(".h")}
    tables = {path: table for path, table in tables.items() if table}
    owner = {name: path for path, (defined, _) in tables.items() for name in defined}
    arrows = collections.defaultdict(dict)
    for path, (_, needed) in tables.items():
        for name in sorted(needed):
            if owner.get(name, path) != path:
                arrows[path].setdefault(owner[name], []).append(name)
    return {path: {to: ", ".join(names) for to, names in found.items()} for path, found in arrows.items()}, len(tables)


# ---- rules ------------------------------------------------------------------------------


def circles(arrows, skipped=()):
    """The strongly connected parts with more than one file (Tarjan, without recursion)."""
    index, low, stack, found = {}, {}, [], []

    def targets(path):
        return iter(()) if path in skipped else iter(sorted(arrows.get(path, {})))

    for start in sorted(arrows):
        work = [(start, targets(start))] if start not in index else []
        while work:
            path, rest = work[-1]
            if path not in index:
                index[path] = low[path] = len(index)
                stack.append(path)
            for target in rest:
                if target not in index:
                    work.append((target, targets(target)))
                    break
                if target in stack:
                    low[path] = min(low[path], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[path])
                if low[path] == index[path]:
                    part = stack[stack.index(path):]
                    del stack[stack.index(path):]
                    found += [sorted(part)] if len(part) > 1 else []
    return found


def check_circles(includes, calls):
    wrong = []
    for arrows in (includes, calls):
        for part in circles(arrows, TABLES):
            wrong.append("a circle of %d files:" % len(part))
            wrong += ["    %s -> %s: %s" % (path, to, arrows[path][to]) for path in part
                      for to in sorted(arrows.get(path, {})) if to in part and path not in TABLES]
    return wrong


def check_rooms(paths, includes, calls):
    rooms = {room_of(path) for path in paths}
    wrong = ["%s: no floor is named for this room; add it to FLOORS" % room for room in sorted(rooms - set(FLOOR))]
    if len(folders(paths)) > ROOMS_MAX:
        wrong.append("%d rooms; %d are the most" % (len(folders(paths)), ROOMS_MAX))
    if wrong:
        return wrong
    for arrows in (includes, calls):
        for path in sorted(arrows):
            for to, names in sorted(arrows[path].items()):
                here, there = room_of(path), room_of(to)
                if here == there:
                    continue
                if FLOOR[there] >= FLOOR[here]:
                    wrong.append("%s -> %s: %s: %s is not below %s" % (path, to, names, there, here))
                elif to.endswith(".h") and not to.startswith("include/"):
                    wrong.append("%s -> %s: private to %s; its door is in include/" % (path, to, there))
    return wrong


def functions_of_python(text):
    """(first line, name, lines) of each function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, node.end_lineno - node.lineno + 1


def functions(text):
    """(first line, name, lines) of each function: clang-format puts its { and } at the start of a line."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line != "{":
            continue
        first = number
        while first > 0 and re.match(r"[A-Za-z_\s*].*[^;}/]$", lines[first - 1]):
            first -= 1
        last = lines.index("}", number) if "}" in lines[number:] else number
        name = re.search(r"(\w+)\s*\(", "".join(lines[first:number]))
        yield first + 1, name.group(1) if name else "?", last - first + 1


def check_sizes(source, paths):
    wrong = []
    for path in paths:
        text = read(os.path.join(source, path))
        if text.count("\n") > FILE_MAX:
            wrong.append("%s: %d lines; %d are the most" % (path, text.count("\n"), FILE_MAX))
        wrong += ["%s:%d: %s() has %d lines; %d are the most" % (path, line, name, length, FUNCTION_MAX)
                  for line, name, length in (functions_of_python if path.endswith(".py") else functions)(text) if length > FUNCTION_MAX]
    return wrong


def check_shipped(source, paths):
    """What Makefile.am does not name, nor the folder or the pattern it belongs to, is not in the distribution, and a build from
    that fails. The source of a program may be named by the program."""
    makefile = read(os.path.join(source, "Makefile.am"))
    named = set(re.findall(r"[\w./-]+", makefile))
    patterns = re.findall(r"\$\(wildcard \$\(srcdir\)/([^)]*)\)", makefile)

    def is_named(path):
        names = [path] + ([re.sub(r"\.c$", "", path), os.path.dirname(path)] if path.startswith("tests/") else [])
        return any(name in named for name in names) or any(fnmatch.fnmatch(path, pattern) for pattern in patterns)

    return ["%s is not named in Makefile.am, so no distribution has it" % path for path in paths if not is_named(path)]


def main():
    source, build = sys.argv[1:3] or (os.environ.get("srcdir", "."), ".")
    paths = sources(source)
    includes = included(source, paths)
    calls, objects = called(build, paths)
    wrong = check_circles(includes, calls) + check_rooms(paths, includes, calls) + check_sizes(source, paths + tests(source))
    wrong += check_shipped(source, paths + tests(source))
    if objects < 10:
        wrong.append("%d objects in %s; run make first" % (objects, build))
    for line in wrong:
        print(line)
    print("%d files, %d objects, %d rooms, %d faults" %
          (len(paths), objects, len(folders(paths)), len([line for line in wrong if line[0] != " "])))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
