#!/usr/bin/python3
"""manual.py SOURCE - every setting, fact and action that the program knows stands in sekisho.conf(5).

The names are read from the tables of the program itself, so that nothing can be added and not described.
"""
import glob
import os
import re
import sys

MANUAL = "filter/policy/sekisho.conf.5"
ROW = r'^\s*\{"([a-z][a-z0-9.-]*)",'


def read(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def table(text, declaration):
    """The first words of the rows of the tables declared so."""
    names = []
    for body in re.findall(declaration + r"[^;=]*=\s*\{(.*?)^\};", text, re.S | re.M):
        names += re.findall(ROW, body, re.M)
    return names


def names(source):
    """(what, name) of everything the policy language knows."""
    for path in sorted(glob.glob(os.path.join(source, "filter/check/*.c"))):
        for name in table(read(path), r"struct fact \w*facts\[\]"):
            yield "fact", name
