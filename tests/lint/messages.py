#!/usr/bin/python3
"""messages.py SOURCE - every message of the compiler of policies is quoted by a test: nobody can change one, or add one,
without looking at how it reads.

A message is a text of filter/policy/ that goes to diagnostics_*, error_set or one of the short functions around them, or
the usage of a row of the settings and actions, or advice that a function of the grammar returns.
Of a text with gaps (%s) the longest part counts. A test quotes it when that part is in a file of tests/unit.
"""
import ast
import glob
import os
import re
import sys

# What takes a message, and where a text that is kept for one begins.
TAKES = re.compile(r"\b(?:diagnostics_(?:error|warning|advice)|error_set|wrong|action_wrong|action_misused|outside)\)?\(")
USAGE = re.compile(r"\.usage =\s*(%s(?:\s*%s)*)" % (2 * (r'"(?:[^"\\\n]|\\.)*"',)))
RETURN = re.compile(r"\breturn (%s(?:\s*%s)*);" % (2 * (r'"(?:[^"\\\n]|\\.)*"',)))
LITERAL = r'"(?:[^"\\\n]|\\.)*"'
TEXTS = re.compile(r"%s(?:\s*%s)*" % (LITERAL, LITERAL))
GAP = re.compile(r"%%|%[-.*0-9]*(?:z|l|ll)?[a-z]")
SHORTEST = 10

# What no test can bring about, and why.
UNREACHED = {
    "; make the file simpler": "the bounds of tokens.c keep the stack of the grammar from filling",
    "domains are signed for; use fewer": "it takes 100,000 keys",
    "; become root, or the user of the daemon": "root, who builds packages, can read everything",
    "was not read: become root, or the user of the daemon": "likewise",
    "cannot read the directory": "likewise",
}


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def joined(match):
    return "".join(ast.literal_eval("b" + part).decode("utf-8", "replace") for part in re.findall(LITERAL, match))


def call(text, start):
    """The arguments of the call whose ( ends at `start`."""
    depth, i = 1, start
    while depth and i < len(text):
        literal = re.compile(LITERAL + r"|'(?:[^'\\]|\\.)'").match(text, i)
        if literal:
            i = literal.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        i += 1
    return text[start:i - 1]


def messages(path):
    text = re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)
    literals = USAGE.findall(text)
    if path.endswith("grammar.y"):
        literals += RETURN.findall(text)
    for found in TAKES.finditer(text):
        literals += TEXTS.findall(call(text, found.end()))
    for literal in literals:
        part = max(GAP.split(joined(literal)), key=len).strip()
        if len(part) >= SHORTEST:
            yield part


def main():
    source = sys.argv[1]
    quoted = ""
    for path in glob.glob(os.path.join(source, "tests/unit/*")):
        text = read(path)
        quoted += text + "\n" + "\n".join(joined(found) for found in TEXTS.findall(text) if "\\x" not in found) + "\n"
    count, missing = 0, []
    for path in sorted(glob.glob(os.path.join(source, "filter/policy/*.[cyl]"))):
        if os.path.basename(path) in ("grammar.c", "lexer.c"):
            continue
        for part in messages(path):
            count += 1
            if part not in quoted and part not in UNREACHED:
                missing.append("%s: no test quotes the message \"%s\"" % (os.path.relpath(path, source), part))
    print("\n".join(missing + ["%d messages, %d that no test quotes" % (count, len(missing))]))
    return 1 if missing or not count else 0


if __name__ == "__main__":
    sys.exit(main())
