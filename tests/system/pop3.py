"""A private Dovecot that serves POP3 on port 110 and runs the post-login script of conf/."""
import os
import shutil
import signal
import socket
import subprocess

import space
from mta import shipped, wait_for

SCRIPT = shipped("dovecot-post-login.sh.in")

CONF = """\
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/log
protocols = pop3
listen = {address}
ssl = no
auth_mechanisms = plain
disable_plaintext_auth = no
mail_location = maildir:{d}/mail/%u
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {d}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={d}/mail/%u
}}
service pop3-login {{
  chroot =
}}
service anvil {{
  chroot =
}}
service pop3 {{
  executable = pop3 pop3-postlogin
}}
service pop3-postlogin {{
  executable = script-login {d}/post-login.sh
  user = $default_internal_user
  unix_listener pop3-postlogin {{
  }}
}}
"""


class Pop3:
    def __init__(self, directory, program, control):
        self.d = directory
        for part in ("", "run", "state", "mail"):
            os.makedirs(os.path.join(directory, part), mode=0o755, exist_ok=True)
        os.chmod(directory + "/mail", 0o1777)
        self.write("users", "alice:{PLAIN}secret\n")
        self.write("dovecot.conf", CONF.format(d=directory, address=space.POSTFIX))
        with open(SCRIPT) as f:
            script = f.read()
        script = script.replace("@sbindir@/sekisho", program).replace("/run/sekisho/control.sock", control)
        self.write("post-login.sh", script)
        os.chmod(directory + "/post-login.sh", 0o755)
        with open(directory + "/stderr", "w") as errors:  # a pipe would stay open with the daemon
            started = subprocess.run(["dovecot", "-c", directory + "/dovecot.conf"], stdin=subprocess.DEVNULL, stdout=errors,
                                     stderr=errors, timeout=30)
        if started.returncode != 0 or not wait_for(self.pid):
            raise RuntimeError(f"dovecot does not start: {self.tail()}")

    @staticmethod
    def why_not():
        """Why there is no Dovecot, or None."""
        if not shutil.which("dovecot") or not os.path.exists("/usr/lib/dovecot/pop3-login"):
            return "Dovecot is not installed (package dovecot-pop3d)"
        return None

    def write(self, name, text):
        with open(os.path.join(self.d, name), "w") as f:
            f.write(text)

    def pid(self):
        try:
            with open(self.d + "/run/master.pid") as f:
                return int(f.readline())
        except (OSError, ValueError):
            return None

    def tail(self):
        try:
            with open(self.d + "/log", errors="replace") as f:
                return "".join(f.readlines()[-20:])
        except OSError:
            return ""

    @staticmethod
    def log_in(source, password="secret"):
        """A POP3 session from that address; what came of the login."""
        with socket.create_connection((space.POSTFIX, 110), timeout=20, source_address=(source, 0)) as connection:
            stream = connection.makefile("rwb")
            stream.readline()
            answer = b""
            for line in (b"USER alice", b"PASS " + password.encode(), b"STAT", b"QUIT"):
                stream.write(line + b"\r\n")
                stream.flush()
                answer = answer if line in (b"STAT", b"QUIT") else stream.readline()
            return answer.decode(errors="replace").strip()

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
