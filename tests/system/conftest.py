"""Fixtures of the system tests. A plain `python3 -m pytest tests/system` starts itself again inside the
namespaces of space.py; where these cannot be had, every test is skipped and the reason is printed."""
import os
import signal
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest

pytest.register_assert_rewrite("submission")  # its cases are tests

import exim
import nameserver as dns_server
import postfix
import sekisho
import sendmail
import space
from mta import in_tree

TEST_SECONDS = 90  # no test takes longer, whatever hangs
HERE = os.path.dirname(os.path.abspath(__file__))


def pytest_addoption(parser):
    default = "both" if in_tree() else sekisho.ENGINES[0]  # tests of others may hold a port until they end
    parser.addoption("--engine", choices=(*sekisho.ENGINES, "both"), default=os.environ.get("SEKISHO_ENGINE", default),
                     help="who reads the milter protocol in the daemon (both)")


def pytest_generate_tests(metafunc):
    """Each test runs once with each engine; a module that says ENGINES, with those."""
    chosen = metafunc.config.option.engine
    engines = [name for name in getattr(metafunc.module, "ENGINES", sekisho.ENGINES) if chosen in (name, "both")]
    metafunc.parametrize("milter_engine", engines, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def milter_engine(request):
    """Who reads the milter protocol in the daemons that the test starts."""
    sekisho.engine = request.param
    return request.param


def cannot_run():
    if not os.access(sekisho.PROGRAM, os.X_OK):
        return f"{sekisho.PROGRAM} is missing: build it, or name another with SEKISHO="
    return space.why_not() or dns_server.why_not()


def fetch(kind, root):
    """The namespace has no network; so what is not installed is unpacked before."""
    if kind.why_not() and root not in os.environ:
        try:
            subprocess.run([os.path.join(HERE, "get-package.sh"), kind.name, kind.root], timeout=120)
        except subprocess.TimeoutExpired:
            pass


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if space.inside() or config.option.help or config.option.collectonly:
        return None
    config.sekisho_cannot_run = cannot_run()
    if config.sekisho_cannot_run:
        return None
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture:
        capture.stop_global_capturing()
    fetch(sendmail.Sendmail, "SEKISHO_SENDMAIL_ROOT")
    fetch(exim.Exim, "SEKISHO_EXIM_ROOT")
    space.enter_pytest(config.invocation_params.args)


def pytest_collection_modifyitems(config, items):
    reason = getattr(config, "sekisho_cannot_run", None)
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter, config):
    reason = getattr(config, "sekisho_cannot_run", None)
    if reason:
        terminalreporter.write_line("system tests were skipped: " + reason)


@pytest.fixture(autouse=True)
def time_limit():
    def expired(*_):
        raise TimeoutError(f"the test took more than {TEST_SECONDS} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def world():
    assert space.inside()
    furniture = space.Space()
    yield furniture
    furniture.remove()


@pytest.fixture(autouse=True)
def libmilter_keeps_still(world):
    """It tells syslog when a callback answers where it has said that it does not; the MTA would lose count of answers."""
    before = os.path.getsize(world.syslog) if os.path.exists(world.syslog) else 0
    yield
    with open(world.syslog, "rb") as f:
        f.seek(before)
        assert b"claimed not to reply" not in f.read()


@pytest.fixture(scope="session")
def nameserver(world):
    """The DNS server on 127.0.0.1 port 53 with the zone beside this file."""
    server = dns_server.Server(os.path.join(world.root, "dns"))
    yield server
    server.stop()


@pytest.fixture
def dns(nameserver):
    """dns.zone('a.example.net A 192.0.2.1') and dns.fault('a.example.net A slow=2') last for one test."""
    yield nameserver
    nameserver.reset()


def server(world, kind):
    reason = kind.why_not()
    if reason:
        pytest.skip(reason)
    return kind(os.path.join(world.root, kind.name))


@pytest.fixture(scope="session")
def postfix_server(world, nameserver):
    running = server(world, postfix.Postfix)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def sendmail_server(world, nameserver):
    running = server(world, sendmail.Sendmail)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def exim_server(world, nameserver):
    running = server(world, exim.Exim)
    yield running
    running.stop()


@pytest.fixture(params=["postfix", "sendmail"])
def mta(request):
    """Each test runs once with Postfix and once with Sendmail."""
    return request.getfixturevalue(request.param + "_server")


@pytest.fixture
def token():
    """A word that is in no other message."""
    return uuid.uuid4().hex


@pytest.fixture(scope="module")
def module_directory(world, request, milter_engine):
    path = os.path.join(world.root, f"daemon-{milter_engine}-{request.module.__name__}")
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


@pytest.fixture
def directory(world, token):
    """A directory of the test, which other users may enter."""
    path = os.path.join(world.root, "test-" + token[:12])
    os.mkdir(path, 0o755)
    return path


@pytest.fixture(scope="module")
def daemon(nameserver, module_directory, request, milter_engine):
    """The daemon with the POLICY (and SETTINGS) of the test module, one for all its tests."""
    module = request.module
    with sekisho.Daemon(module_directory, module.POLICY, settings=getattr(module, "SETTINGS", "")) as running:
        yield running
