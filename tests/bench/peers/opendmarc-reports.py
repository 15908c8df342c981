"""opendmarc-reports.py DIRECTORY MESSAGES ROWS DOMAINS - the day of bench_reports for opendmarc-import and opendmarc-reports
(package opendmarc, with libdbd-mysql-perl and libswitch-perl) and their SQL server (package mariadb-server), which is started in
the directory. Prints the seconds of processor time, with those of the server, that storing the messages took, and making the
reports; and how many reports and rows. Nothing is mailed."""
import glob
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time

SCHEMA = "share/dbconfig-common/data/opendmarc/install/mysql"
PROGRAMS = {"mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server", "mariadb": "mariadb-client",
            "opendmarc-import": "opendmarc", "opendmarc-reports": "opendmarc"}
TICKS = os.sysconf("SC_CLK_TCK")
PASS, FAIL, SOFTFAIL = 0, 2, 4  # of libopendmarc and libspf2 as opendmarc writes them


def find(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        sys.exit(f"{program} is not installed (package {PROGRAMS[program]})")
    return path


def history(path, messages, rows, domains):
    """What opendmarc writes for each message."""
    received = int(time.time()) - 3600
    with open(path, "w", encoding="ascii") as f:
        for number in range(messages):
            row = number * 2654435761 % rows
            name, other = f"d{row % domains:05}.example.org", row // domains
            fails = row % 10 == 0
            f.write(f"job j{number}\nreporter mx.example.org\nreceived {received}\n"
                    f"ipaddr 10.{row % 250}.{other % 250}.{other // 250 % 250}\nfrom {name}\nmfrom {name}\n"
                    f"dkim {name} s1 {FAIL if fails else PASS}\nspf {SOFTFAIL if fails else PASS}\npdomain {name}\npolicy 15\n"
                    f"rua mailto:dmarc@{name}\npct 100\nadkim 114\naspf 114\np 114\nsp 0\nalign_dkim {5 if fails else 4}\n"
                    f"align_spf {5 if fails else 4}\narc 7\narc_policy 1 json:[]\naction 2\n")


def used(server):
    """Seconds of processor time of the server and of all programs that have ended."""
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (int(fields[11]) + int(fields[12])) / TICKS + ended.ru_utime + ended.ru_stime


def start(directory, programs):
    """The server, with the tables."""
    data, place = directory + "/sql", directory + "/sql.socket"
    subprocess.run([programs["mariadb-install-db"], "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
                    "--skip-test-db"] + (["--user=root"] if os.geteuid() == 0 else []), check=True, capture_output=True)
    server = subprocess.Popen([programs["mariadbd"], "--no-defaults", f"--datadir={data}", f"--socket={place}", "--skip-networking",
                               f"--pid-file={directory}/sql.pid"] + (["--user=root"] if os.geteuid() == 0 else []),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = [programs["mariadb"], "--no-defaults", "-S", place, "-u", "root"]
    for _ in range(300):
        if server.poll() is not None or subprocess.run(client + ["-e", "select 1"], check=False, capture_output=True).returncode == 0:
            break
        time.sleep(0.2)
    prefix = os.path.dirname(os.path.dirname(programs["opendmarc-import"]))
    with open(f"{prefix}/{SCHEMA}", encoding="utf-8") as schema:
        subprocess.run(client, stdin=schema, check=True, capture_output=True)
    subprocess.run(client + ["-e", "create user bench@localhost identified by 'bench'; grant all on opendmarc.* to bench@localhost"],
                   check=True, capture_output=True)
    return server, ["--dbhost=localhost;mysql_socket=" + place, "--dbname=opendmarc", "--dbuser=bench", "--dbpasswd=bench"]


def mail_server():
    """The port of one that opendmarc-reports can connect to; it wants one though it mails nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 bench\r\n")
                for _ in lines:
                    connection.sendall(b"250 ok\r\n")
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def written(directory):
    """(reports, rows) in the files that were made."""
    reports = glob.glob(directory + "/*.xml")
    rows = 0
    for path in reports:
        with open(path, "rb") as f:
            rows += f.read().count(b"<record>")
    return len(reports), rows


def main(directory, messages, rows, domains):
    programs = {program: find(program) for program in PROGRAMS}
    history(directory + "/history", int(messages), int(rows), int(domains))
    server, words = start(directory, programs)
    try:
        before = used(server)
        subprocess.run([programs["opendmarc-import"], *words, f"--input={directory}/history"], check=True, capture_output=True)
        stored = used(server)
        subprocess.run([programs["opendmarc-reports"], *words, "--test", "--keepfiles", "--utc", "--report-email=dmarc@mx.example.org",
                        "--report-org=mx.example.org", "--smtp-server=127.0.0.1", f"--smtp-port={mail_server()}"], cwd=directory, check=True, capture_output=True)
        made = used(server)
    finally:
        server.terminate()
        server.wait()
    print(f"{stored - before:.3f} {made - stored:.3f}", *written(directory))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{os.path.basename(error.cmd[0])}: {error.stderr.decode(errors='replace').strip()[-300:]}")
