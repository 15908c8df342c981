"""Where the cases of others are, and what is said of those that are not there.

They are not part of this source: each is a folder with the tests of another project, in $SEKISHO_CORPORA or in
../shared/corpora of the checkout. A runner that lacks one says "skipped: NAME: why", as tests/count.py reads it.
"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
SOURCES = {  # folder: whose tests they are
    "arc-valimail": "ValiMail's ARC test suite",
    "authres-openarc": "OpenARC",
    "dkim-dkimpy": "dkimpy",
    "dkim-mail-dkim": "Mail::DKIM",
    "from-parsing-opendmarc": "OpenDMARC",
    "psl": "the public suffix list",
}
YAML_MISSING = "python3-yaml is missing (package python3-yaml on Debian and Ubuntu)"


def tops():
    return [top for top in (os.environ.get("SEKISHO_CORPORA"), os.path.join(CHECKOUT, "..", "shared", "corpora")) if top]


def find(*names):
    """The first place where a file, or a folder, of the corpora is; None when there is none, which is printed."""
    for top in tops():
        for i in range(len(names)):
            path = os.path.join(top, *names[i:])
            if os.path.exists(path):
                return path
    print("skipped: %s: the tests from the source of %s are not here (SEKISHO_CORPORA, see tests/README)"
          % (names[0], SOURCES[names[0]]))
    return None


def ours(name):
    return os.path.join(HERE, "dmarc", name)


def summary(passed, failed, skipped):
    """The last line. The exit code: 77 when there was nothing to run."""
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed else 0 if passed else 77
