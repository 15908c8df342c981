"""SRS look-ups over the tcp table protocol of Postfix, beside postsrsd with the same secret."""
import os
import socket
import statistics
import subprocess
import time

from figures import wanted
from subjects import Missing, Subject, need

OURS, THEIRS = (10001, 10002), (20001, 20002)  # ports: forward, reverse
TIMES, BATCH = 5, 50
SHAPES = ("a connection each", "one after another", f"{BATCH} at once")


def lookup(connection, numbers):
    """Asks for so many senders, and waits for all answers."""
    connection.sendall(b"".join(b"get alice%d@example.org\n" % number for number in numbers))
    answer = b""
    while answer.count(b"\n") < len(numbers):
        got = connection.recv(65536)
        if not got:
            raise OSError("a connection was closed")
        answer += got
    if answer.count(b"200 SRS0=") != len(numbers):
        raise OSError(f"a sender was not rewritten: {answer[:80]!r}")


def dial(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def run(port, shape, count):
    """Microseconds of a look-up, from the question to the answer."""
    start = time.monotonic()
    if shape == SHAPES[0]:
        for number in range(count):
            with dial(port) as connection:
                lookup(connection, [number])
    else:
        size = BATCH if shape == SHAPES[2] else 1
        with dial(port) as connection:
            for number in range(0, count, size):
                lookup(connection, range(number, number + size))
    return 1e6 * (time.monotonic() - start) / count


def secret(bench):
    path = os.path.join(bench.run_dir, "srs.secret")
    with open(path, "w") as f:
        f.write("a secret of both\n")
    os.chmod(path, 0o600)
    return path


def sekisho(bench):
    settings = f"srs {{ domain srs.example.net  secret-file {secret(bench)} }}\n" + "".join(
        f"listen srs-{way} inet:{port}@127.0.0.1 user root\n" for way, port in zip(("forward", "reverse"), OURS))
    return bench.house.sekisho("sekisho", "srs", settings=settings)


def postsrsd(bench):
    command = [need("postsrsd", "postsrsd"), "-4", "-s" + secret(bench), "-dsrs.example.net", f"-f{THEIRS[0]}", f"-r{THEIRS[1]}"]
    return Subject("postsrsd", [], [bench.house.process("postsrsd", command, socket=secret(bench))])


def listens(port):
    for _ in range(100):
        try:
            dial(port).close()
            return
        except OSError:
            time.sleep(0.05)
    raise OSError(f"nobody listens on port {port}")


def srs(bench):
    """SRS look-ups over TCP beside postsrsd: a connection for each, one after another on one, many at once."""
    subjects, found = {}, {}
    for name, make, port in (("sekisho", sekisho, OURS[0]), ("postsrsd", postsrsd, THEIRS[0])):
        try:
            subjects[name] = make(bench).ready(), port
            listens(port)
        except (Missing, RuntimeError, OSError) as error:
            bench.skip(name, error)
    try:
        for shape in SHAPES:
            count = (200 if shape == SHAPES[0] else 2000) * (1 if bench.quick else 3)
            for _ in range(bench.rounds):
                for name, (_, port) in subjects.items():
                    found.setdefault(shape, {}).setdefault(name, []).append(run(port, shape, count))
    except (OSError, subprocess.SubprocessError) as error:
        bench.skip("SRS look-ups", error)
    finally:
        for subject, _ in subjects.values():
            subject.stop()
    tell(bench, found)


def tell(bench, found):
    bench.numbers["srs"] = found
    bench.say(f"\n{'SRS look-ups over TCP, us each':32}|  sekisho   postsrsd | times as fast")
    for shape, runs in found.items():
        ours, theirs = (statistics.median(runs[name]) if name in runs else 0 for name in ("sekisho", "postsrsd"))
        times = statistics.median(b / a for a, b in zip(runs["sekisho"], runs["postsrsd"])) if ours and theirs else 0
        bench.say(f"{shape:32}|{ours:9.1f} {theirs:10.1f} |{times:6.1f}  " + (wanted(f"≥ {TIMES}", times >= TIMES) if times else ""))
