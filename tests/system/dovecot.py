"""A private Dovecot that only answers a Postfix who asks about logins (smtpd_sasl_type = dovecot)."""
import os
import shutil
import signal
import subprocess

import space
from mta import wait_for

CONF = """\
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/log
protocols =
listen = 127.0.0.1
ssl = no
auth_mechanisms = plain login
disable_plaintext_auth = no
default_internal_user = nobody
default_login_user = nobody
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {d}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    def __init__(self, postfix):
        """For the Postfix in this directory, whose main.cf names the socket."""
        self.d = postfix + "/dovecot"
        self.socket = postfix + "/dovecot-auth"
        os.makedirs(self.d, mode=0o755)
        with open(self.d + "/users", "w") as f:
            f.writelines(f"{user}@example.org:{{PLAIN}}{space.PASSWORD}\n" for user in ("alice", "bob"))
        with open(self.d + "/dovecot.conf", "w") as f:
            f.write(CONF.format(d=self.d, socket=self.socket))
        with open(self.d + "/errors", "w") as errors:  # the daemon keeps it open
            started = subprocess.run(["dovecot", "-c", self.d + "/dovecot.conf"], stdout=errors, stderr=errors, timeout=30)
        if started.returncode != 0 or not wait_for(lambda: os.path.exists(self.socket)):
            with open(self.d + "/errors") as errors:
                raise RuntimeError("dovecot does not start: " + errors.read())

    @staticmethod
    def why_not():
        """Why there is no Dovecot, or None."""
        if not shutil.which("dovecot"):
            return "Dovecot is not installed (package dovecot-core)"
        version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, timeout=30).stdout
        return None if version.startswith("2.3.") else f"the configuration here is for Dovecot 2.3, and this is {version}"

    def stop(self):
        with open(self.d + "/run/master.pid") as f:
            pid = int(f.read())
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
