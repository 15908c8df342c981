"""A private Exim: MX on port 25, submission on 587, smtps on 465, deliveries into a Maildir.

Debian's Exim conflicts with Postfix, therefore it is unpacked, not installed (get-package.sh). It has no milter: it asks
the policy door and the rspamc door with the lines of the shipped conf/exim.conf. Like our Postfix it asks neither for
AUTH nor for TLS: the policy under test decides.
"""
import os
import pwd
import re
import subprocess

import space
from mta import Unpacked, shipped, unpacked_root, wait_for

ROOT = unpacked_root("exim")
PROGRAM = os.path.join(ROOT, "usr/sbin/exim4")
CONF = shipped("exim.conf")
USER = "Debian-exim"  # whom the program looks for when it starts

MAIN = """\
{shipped_main}
primary_hostname = mx.example.org
domainlist local_domains = example.org
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
pid_file_path = {d}/exim.pid
exim_path = {program}
keep_environment = LD_LIBRARY_PATH
deliver_drop_privilege
local_interfaces = {address} : {address6}
daemon_smtp_ports = 25 : 587 : 465
tls_on_connect_ports = 465
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
tls_dhparam = none
tls_verify_certificates =
tls_try_verify_hosts =
host_lookup = *
rfc1413_query_timeout = 0s
smtp_accept_max = 200
smtp_accept_queue = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
queue_run_in_order = false
deliver_queue_load_max = 1000
allow_utf8_domains = true
smtputf8_advertise_hosts = *
accept_8bitmime = true
message_size_limit = 100M
never_users =
prdr_enable = false
chunking_advertise_hosts = *
dns_dnssec_ok = 0
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
acl_not_smtp = check_not_smtp
disable_ipv6 = false

begin acl
{shipped_acl}
check_mail:
{acl_smtp_mail}
  accept

check_rcpt:
  deny    !domains = +local_domains
          !authenticated = *
          !hosts = : {trusted}
          message = relay not permitted
{acl_smtp_rcpt}
  accept

check_data:
{acl_smtp_data}

check_not_smtp:
{acl_not_smtp}

begin routers
local:
  driver = accept
  domains = +local_domains
  transport = maildir
away:
  driver = dnslookup
  ignore_target_hosts =
  self = send
  transport = remote

begin transports
maildir:
  driver = appendfile
  directory = {d}/mail/inbox
  maildir_format
  envelope_to_add
  return_path_add
remote:
  driver = smtp
  interface = {address}
  hosts_avoid_tls = *

begin retry
* * F,1h,5m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{match{{$auth2}}{{^({users})(@example.org)?\\$}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = ${{sg{{$auth2}}{{@.*}}{{}}}}@example.org
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{match{{$auth1}}{{^({users})(@example.org)?\\$}}}}{{eq{{$auth2}}{{{password}}}}}}}}}
  server_set_id = ${{sg{{$auth1}}{{@.*}}{{}}}}@example.org
"""


def shipped(policy, rspamc):
    """What conf/exim.conf says, with these sockets: {"main": ..., "acl": ..., "acl_smtp_mail": ...}."""
    with open(CONF) as f:
        text = f.read().replace("/run/sekisho/policy.sock", policy).replace("/run/sekisho/rspamc.sock", rspamc)
    text = text.replace("tmo=60s", "tmo=8s").replace("{20s}", "{8s}")  # for tests with nobody at the other end
    head, main, acl, calls = re.split(r"^# ---- \d\..*\n", text, flags=re.M)
    parts = {"main": main, "acl": acl}
    for name, lines in re.findall(r"^# (acl_\w+).*\n((?:#:.*\n)+)", calls, re.M):
        parts[name] = re.sub(r"^#:", "", lines, flags=re.M)
    return parts


class Exim(Unpacked):
    name = "exim"
    root, program = ROOT, PROGRAM
    address = space.EXIM
    address6 = space.EXIM6

    def __init__(self, directory, start=True):
        self.d = directory
        self.inbox = os.path.join(directory, "mail/inbox/new")
        self.log = os.path.join(directory, "log/mainlog")
        self.policy = os.path.join(directory, "sekisho", "policy")
        self.rspamc = os.path.join(directory, "sekisho", "rspamc")
        self.account()
        self.configure()
        self.environment = dict(os.environ, LD_LIBRARY_PATH=self.libraries())
        if start:
            self.start()

    def account(self):
        """The account that Debian's package makes; in a copy of the files, as this mount namespace sees them."""
        try:
            pwd.getpwnam(USER)
            return
        except KeyError:
            pass
        os.makedirs(self.d, mode=0o755, exist_ok=True)
        for name, line in (("passwd", f"{USER}:x:64910:64910::/nonexistent:/bin/false\n"), ("group", f"{USER}:x:64910:\n")):
            path = os.path.join(self.d, name)
            with open("/etc/" + name) as f:
                text = f.read()
            with open(path, "w") as f:
                f.write(text + line)
            os.chmod(path, 0o644)
            space.bind(path, os.path.realpath("/etc/" + name))

    def configure(self):
        for part in ("", "conf", "spool", "log", "mail", "mail/inbox", "mail/inbox/cur", "mail/inbox/new", "mail/inbox/tmp",
                     "sekisho"):
            os.makedirs(os.path.join(self.d, part), mode=0o755, exist_ok=True)
        exim = pwd.getpwnam(USER)
        for part in ("spool", "log"):
            os.chown(os.path.join(self.d, part), exim.pw_uid, exim.pw_gid)
        for part in ("", "/cur", "/new", "/tmp"):
            os.chown(self.d + "/mail/inbox" + part, exim.pw_uid, exim.pw_gid)
        cert, key = space.certificate(self.d + "/conf")
        os.chown(key, 0, exim.pw_gid)
        os.chmod(key, 0o640)
        self.write_conf(cert, key)

    def write_conf(self, cert, key):
        parts = self.parts()
        text = MAIN.format(d=self.d, program=PROGRAM, cert=cert, key=key, address=self.address, address6=self.address6.replace(":", "::"),
                           users="|".join(space.USERS), password=space.PASSWORD, trusted=space.TRUSTED,
                           shipped_main=parts.pop("main"), shipped_acl=parts.pop("acl"), **parts)
        with open(self.d + "/conf/exim.conf", "w") as f:
            f.write(self.services(text))
        os.chmod(self.d + "/conf/exim.conf", 0o644)

    def parts(self):
        """Its lines about the filter."""
        return shipped(self.policy, self.rspamc)

    def services(self, text):
        """The configuration with the services that are wanted: here all of them."""
        return text

    def run(self, *arguments, **options):
        return subprocess.run([PROGRAM, "-C", self.d + "/conf/exim.conf", *arguments], env=self.environment,
                              capture_output=True, timeout=60, **options)

    def sendmail(self, message, *arguments):
        """The sendmail command; the message goes through acl_not_smtp."""
        return self.run("-oi", *arguments, input=message)

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, 15)
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
