"""How the daemon starts: its sockets, the user it runs as, and its messages when it cannot start."""
import grp
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

import miltc
import sekisho
import smtp
from mta import wait_for

POLICY = """
policy inbound {
  on mail { reject 550 5.7.1 "refused by the rule"    if sender matches /^refused/ }
}
"""

UNAVAILABLE, CONFIG = 69, 78


def refuses(address):
    """The daemon answers at the address, and it is ours."""
    with miltc.Milter(address) as m:
        m.greet()
        answer = m.mail("<refused@pass.example.net>")
    return answer.what == "reply" and "refused by the rule" in answer.text


def one_line(text):
    lines = [line for line in text.split("\n") if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


# ---- sockets


@pytest.mark.parametrize("listen, address", [("inet:8891@127.0.0.1", ("127.0.0.1", 8891)),
                                             ("inet:8892@192.0.2.25", ("192.0.2.25", 8892))])
def test_it_listens_on_an_inet_socket(nameserver, directory, listen, address):
    with sekisho.Daemon(directory, POLICY, listen=listen):
        assert refuses(address)


def test_it_listens_on_an_inet6_socket(nameserver, directory):
    with sekisho.Daemon(directory, POLICY, listen="inet6:8893@[::1]"):
        with socket.create_connection(("::1", 8893), timeout=5) as s:
            s.sendall(b"\0\0\0\rO" + b"\0\0\0\6\0\0\1\xff\0\x1f\xff\xff")
            assert s.recv(5)[4:] == b"O"


def test_it_listens_on_a_unix_socket_with_mode_and_group(nameserver, directory):
    path = directory + "/milter.sock"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path} mode 0660 group mail"):
        assert refuses(path)
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o660
        assert grp.getgrgid(status.st_gid).gr_name == "mail"
    assert not os.path.exists(path)


def test_the_mail_server_comes_by_a_unix_socket_of_its_group(mta, directory, token):
    group = {"postfix": "postfix", "sendmail": "root"}[mta.name]
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{mta.unix} mode 0660 group {group}"):
        with smtp.Client(mta, "unix") as client:
            assert "refused by the rule" in client.envelope("<refused@pass.example.net>", []).mail.text
            assert client.send("<alice@pass.example.net>", ["<bob@example.org>"], smtp.message(token)).end.code == 250
        mta.delivered(token)


def test_a_stale_unix_socket_is_replaced(nameserver, directory):
    path = directory + "/milter.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path} mode 0660"):
        assert refuses(path)


def test_the_socket_of_a_killed_daemon_is_replaced(nameserver, directory):
    path = directory + "/milter.sock"
    first = sekisho.Daemon(directory, POLICY, listen=f"unix:{path}")
    first.kill()
    assert os.path.exists(path)
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path}"):
        assert refuses(path)


def test_a_unix_socket_that_somebody_listens_on_is_left_alone(nameserver, directory):
    path = directory + "/milter.sock"
    with sekisho.Daemon(directory, POLICY, listen=f"unix:{path}"):
        second = sekisho.Daemon(directory + "/second", POLICY, listen=f"unix:{path}", start=False)
        second.launch()
        assert second.wait() == UNAVAILABLE
        assert path in one_line(second.errors())
        assert refuses(path)


def test_a_file_in_the_place_of_the_socket_is_left_alone(nameserver, directory):
    path = directory + "/milter.sock"
    with open(path, "w") as f:
        f.write("precious")
    daemon = sekisho.Daemon(directory, POLICY, listen=f"unix:{path}", start=False)
    daemon.launch()
    assert daemon.wait() in (UNAVAILABLE, CONFIG)
    assert path in one_line(daemon.errors())
    with open(path) as f:
        assert f.read() == "precious"


def test_a_port_in_use_is_unavailable(nameserver, directory):
    with sekisho.Daemon(directory, POLICY):
        second = sekisho.Daemon(directory + "/second", POLICY, start=False)
        second.launch()
        assert second.wait() == UNAVAILABLE
        assert "8891" in one_line(second.errors())
        assert refuses(("127.0.0.1", 8891))


# Becomes the daemon with the socket as descriptor 3 and its own process id in LISTEN_PID, as systemd does it.
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_socket_is_inherited_as_fd_3(nameserver, directory):
    path = directory + "/inherited.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(10)
    daemon = sekisho.Daemon(directory, POLICY, listen="fd:3", start=False)
    with open(daemon.errors_file, "a") as errors:
        daemon.process = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(listener.fileno()), sekisho.PROGRAM, "daemon", "-c", daemon.file],
            pass_fds=[listener.fileno()], stdout=errors, stderr=errors)
    with daemon:
        assert refuses(path)
    assert os.path.exists(path), "a socket that was inherited is not ours to remove"
    listener.close()


def test_an_inherited_socket_that_is_none_is_an_error(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, listen="fd:3", start=False)
    daemon.launch()
    assert daemon.wait() in (UNAVAILABLE, CONFIG)
    assert "3" in one_line(daemon.errors())


# ---- the user it runs as


def test_it_drops_its_privileges(nameserver, directory):
    os.chown(directory, pwd.getpwnam("nobody").pw_uid, -1)
    with sekisho.Daemon(directory, POLICY, settings="\nuser nobody\n") as daemon:
        with open(f"/proc/{daemon.process.pid}/status") as f:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        nobody = pwd.getpwnam("nobody")
        assert set(fields["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(fields["Gid"].split()) == {str(nobody.pw_gid)}
        assert set(fields["Groups"].split()) <= {str(nobody.pw_gid)}
        assert fields["CapEff"].strip("0") == "" and fields["CapPrm"].strip("0") == ""
        assert refuses(("127.0.0.1", 8891))
        assert daemon.reload()[0] == 0
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        with open(f"{directory}/record") as f:
            assert "draining" in (log := f.read()) and "cannot" not in log
        daemon.process = None


def test_an_unknown_group_of_the_socket_is_an_error_of_the_configuration(nameserver, directory):
    listen = f"unix:{directory}/milter.sock mode 0660 group no-such-group"
    daemon = sekisho.Daemon(directory, POLICY, listen=listen, start=False)
    daemon.launch()
    assert daemon.wait() == CONFIG
    assert "no-such-group" in daemon.errors()


def test_an_unknown_user_is_an_error_of_the_configuration(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, settings="\nuser nobody-of-that-name\n", start=False)
    daemon.launch()
    assert daemon.wait() == CONFIG
    assert "nobody-of-that-name" in daemon.errors()


# ---- what it says when it cannot start


@pytest.mark.parametrize("policy, words", [
    ("policy inbound { on mail { reject 550 5.7.1 \"x\" if spf is fial } }\n", ["fial", "fail"]),
    ("policy inbound { on connect { reject 550 5.7.1 \"x\" if sender is null } }\n", ["sender", "connect"]),
    ("this is no policy\n", ["this"]),
])
def test_a_bad_file_is_an_error_with_its_place(nameserver, directory, policy, words):
    daemon = sekisho.Daemon(directory, policy, start=False)
    daemon.launch()
    assert daemon.wait() == CONFIG
    errors = daemon.errors()
    assert daemon.line(policy.split("\n")[0]) + ":" in errors
    assert all(word in errors for word in words)


def test_a_missing_file_is_an_error(directory):
    done = sekisho.run("daemon", "-c", directory + "/missing.conf")
    assert done.returncode == CONFIG
    assert "missing.conf" in one_line(done.stderr)


def test_a_log_that_cannot_be_written_is_an_error(nameserver, directory):
    base = sekisho.SETTINGS.replace("file:{directory}/record", "file:{directory}/nowhere/record")
    daemon = sekisho.Daemon(directory, POLICY, base=base, start=False)
    daemon.launch()
    assert daemon.wait() in (UNAVAILABLE, CONFIG)
    assert "nowhere/record" in one_line(daemon.errors())


def test_check_says_yes_or_no(directory):
    good = sekisho.Daemon(directory, POLICY, start=False)
    assert sekisho.run("check", good.file).returncode == 0
    good.configure("policy inbound { on mail { rejekt 550 5.7.1 \"x\" } }\n")
    bad = sekisho.run("check", good.file)
    assert bad.returncode == CONFIG and "rejekt" in bad.stdout + bad.stderr and "reject" in bad.stdout + bad.stderr


# ---- the control socket


def test_the_control_socket_is_private(nameserver, directory):
    with sekisho.Daemon(directory, POLICY):
        status = os.stat(directory + "/control")
        assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    assert not os.path.exists(directory + "/control")


def test_status_tells_what_it_did(nameserver, directory):
    with sekisho.Daemon(directory, POLICY) as daemon:
        for sender in ("refused", "alice", "refused"):
            with miltc.Milter() as m:
                m.greet()
                m.message(f"<{sender}@pass.example.net>")
                m.quit()
        assert wait_for(lambda: len(daemon.records()) == 3)
        shown = sekisho.run("status", "-c", daemon.file)
        assert shown.returncode == 0 and daemon.file in shown.stdout
        answer = sekisho.run("status", "-c", daemon.file, "--json")
        status = json.loads(answer.stdout)
        assert status["policy"]["file"] == daemon.file and status["version"] and status["uptime"] >= 0
        verdicts = status["messages"]["verdicts"]
        assert verdicts == {"accept": 1, "reject": 2, "defer": 0, "discard": 0, "quarantine": 0, "aborted": 0}
        assert status["messages"]["total"] == 3 and status["messages"]["open"] == 0
        assert status["sessions"]["total"] == 3 and status["resolver"]["name"] == "forward 127.0.0.1@53"


def test_verbs_say_when_there_is_no_daemon(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, start=False)
    for verb in ("status", "reload"):
        done = sekisho.run(verb, "-c", daemon.file)
        assert done.returncode == UNAVAILABLE and directory + "/control" in one_line(done.stderr)


NONSENSE = [b"\n", b"{}\n", b"[]\n", b"nonsense\n", b"\0\xff\xfe\n", b'{"command":"dance"}\n', b'{"command":7}\n',
            b"x" * 2000000 + b"\n", b"[" * 100000 + b"\n"]


@pytest.mark.parametrize("line", NONSENSE, ids=lambda line: repr(line)[:20])
def test_nonsense_on_the_control_socket_harms_nobody(nameserver, directory, line):
    with sekisho.Daemon(directory, POLICY) as daemon:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(directory + "/control")
        try:
            client.sendall(line)
            answer = client.recv(65536)
            assert b"error" in answer or not answer
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.close()
        assert daemon.reload()[0] == 0 and refuses(("127.0.0.1", 8891))


def test_a_silent_client_of_the_control_socket_does_not_block_it(nameserver, directory):
    with sekisho.Daemon(directory, POLICY) as daemon:
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(directory + "/control")
        silent.sendall(b'{"command":')
        started = time.monotonic()
        assert daemon.reload()[0] == 0
        assert time.monotonic() - started < 8 and refuses(("127.0.0.1", 8891))
        silent.close()


# ---- how it ends


@pytest.mark.parametrize("how", ["SIGHUP", "SIGUSR1", "reload", "refused"])
def test_the_record_file_is_reopened_after_rotation(nameserver, directory, token, how):
    with sekisho.Daemon(directory, POLICY) as daemon:
        for number in range(3):
            with miltc.Milter() as m:
                m.greet()
                m.message(f"<{token}{number}@pass.example.net>")
            assert wait_for(lambda: any(r["sender"].startswith(f"{token}{number}") for r in daemon.records()))
            if number == 0:
                os.rename(daemon.record_file, daemon.record_file + ".1")
                if how == "refused":
                    with open(daemon.file, "a") as f:
                        f.write("nonsense\n")
                if how.startswith("SIG"):
                    daemon.process.send_signal(getattr(signal, how))
                else:
                    assert daemon.reload()[0] == (how == "refused")
                assert wait_for(lambda: os.path.exists(daemon.record_file))
        assert len(daemon.records()) == 2


def test_a_log_file_that_cannot_be_reopened_is_reported_and_the_old_one_stays(nameserver, directory, token):
    with sekisho.Daemon(directory, POLICY) as daemon:
        os.rename(daemon.record_file, daemon.record_file + ".1")
        os.mkdir(daemon.record_file)
        code, said = daemon.reload()
        assert code == 0 and "records still go to the old file" in said
        with miltc.Milter() as m:
            m.greet()
            m.message(f"<{token}@pass.example.net>")
        with open(daemon.record_file + ".1") as f:
            assert wait_for(lambda: token in f.read())
        os.rmdir(daemon.record_file)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(nameserver, directory, number):
    daemon = sekisho.Daemon(directory, POLICY)
    started = time.monotonic()
    daemon.process.send_signal(number)
    assert daemon.wait() == 0
    assert time.monotonic() - started < 8
    daemon.process = None
    assert not sekisho.listening(sekisho.PORT)


def test_sigterm_right_after_the_start_ends_it_with_0(nameserver, directory):
    daemon = sekisho.Daemon(directory, POLICY, start=False)
    for _ in range(20):
        daemon.start()
        daemon.stop()


def test_records_go_to_syslog(world, nameserver, directory, token):
    base = sekisho.SETTINGS.replace("file:{directory}/record", "syslog")
    with sekisho.Daemon(directory, POLICY, base=base):
        with miltc.Milter() as m:
            m.greet()
            m.message(f"<{token}@pass.example.net>", recipients=[f"<user{n}@example.org>" for n in range(200)])

        def look():
            with open(world.syslog, "rb") as f:
                return [line for line in f if token.encode() in line]
        line, = wait_for(look)
    assert b"sekisho" in line and len(line) <= 2200
    assert json.loads(line[line.index(b"{"):])["sender"] == f"{token}@pass.example.net"


def test_records_go_to_stderr(nameserver, directory, token):
    base = sekisho.SETTINGS.replace("file:{directory}/record", "stderr")
    with sekisho.Daemon(directory, POLICY, base=base) as daemon:
        with miltc.Milter() as m:
            m.greet()
            m.message(f"<{token}@pass.example.net>")
        assert wait_for(lambda: token in daemon.errors())
        line = [line for line in daemon.errors().split("\n") if token in line][0]
    assert json.loads(line[line.index("{"):])["verdict"] == "accept"
