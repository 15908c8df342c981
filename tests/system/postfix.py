"""A private Postfix: MX on port 25, submission on 587, smtps on 465, deliveries into a Maildir.

Nothing of an installed Postfix is used but its programs. The mail server itself asks neither for AUTH nor for
TLS: that is what the policy under test decides.
"""
import os
import pwd
import shutil
import subprocess

import space
from mta import Mta, shipped, wait_for

CONF = shipped()

MAIN = """\
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
maillog_file = {d}/log/mail.log
maillog_file_prefixes = {d}/log
multi_instance_enable = no
multi_instance_directories =
alternate_config_directories =
myhostname = mx.example.org
mydomain = example.org
myorigin = example.org
mynetworks = 127.0.0.99/32
virtual_alias_domains = srs.example.org
inet_interfaces = {address}, {address6}, 127.0.0.1
inet_protocols = all
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = static:inbox/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_session_cache_database =
smtpd_tls_ask_ccert = yes
smtp_tls_security_level = none
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = {d}/conf/sasl
smtpd_sasl_local_domain = example.org
smtpd_sasl_security_options = noanonymous
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = no
smtpd_milters = {milter}
non_smtpd_milters = {milter}
milter_default_action = tempfail
milter_protocol = 6
milter_connect_timeout = 10s
milter_command_timeout = 20s
milter_content_timeout = 30s
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_delay_reject = yes
in_flow_delay = 0
smtputf8_enable = yes
smtputf8_autodetect_classes = all
strict_smtputf8 = no
append_dot_mydomain = no
biff = no
header_size_limit = 102400
default_process_limit = 40
"""

# service type private unpriv chroot wakeup maxproc command; nothing is chrooted, so that paths are what they seem
MASTER = """\
25 inet n - n - - smtpd -o syslog_name=postfix/mx
587 inet n - n - - smtpd -o syslog_name=postfix/submission
  -o milter_macro_daemon_name=ORIGINATING
465 inet n - n - - smtpd -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
  -o milter_macro_daemon_name=SMTPS
2527 inet n - n - - smtpd -o syslog_name=postfix/relay -o smtpd_milters= -o myhostname=mx2.example.org
  -o content_filter=onward:[{address}]:25 -o receive_override_options=no_milters
onward unix - - n - - smtp -o myhostname=mx2.example.org -o smtp_bind_address={address}
  -o inet_interfaces=127.0.0.1
2530 inet n - n - - smtpd -o syslog_name=postfix/pop -o smtpd_milters=
  -o {{ smtpd_relay_restrictions = check_policy_service unix:{policy}, reject_unauth_destination }}
  -o {{ smtpd_data_restrictions = check_policy_service unix:{policy} }}
2531 inet n - n - - smtpd -o syslog_name=postfix/srs -o smtpd_milters= -o cleanup_service_name=srs-cleanup
  -o recipient_canonical_maps=tcp:127.0.0.1:10002
srs-cleanup unix n - n - 0 cleanup -o sender_canonical_maps=tcp:127.0.0.1:10001
  -o sender_canonical_classes=envelope_sender -o recipient_canonical_maps=tcp:127.0.0.1:10002
  -o recipient_canonical_classes=envelope_recipient,header_recipient
  -o {{ virtual_alias_maps = inline:{{ forwarded@example.org=bob@away.example.test }} }}
2533 inet n - n - - smtpd -o syslog_name=postfix/reports
  -o {{ mynetworks = 127.0.0.0/8 }} -o {{ smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination }}
2534 inet n - n - - smtpd -o syslog_name=postfix/small -o message_size_limit=1000
  -o {{ mynetworks = 127.0.0.0/8 }} -o {{ smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination }}
2532 inet n - n - - smtpd -o syslog_name=postfix/srsmap -o smtpd_milters= -o cleanup_service_name=srsmap-cleanup
  -o recipient_canonical_maps=socketmap:unix:{map}:srs-reverse
srsmap-cleanup unix n - n - 0 cleanup -o sender_canonical_maps=socketmap:unix:{map}:srs-forward
  -o sender_canonical_classes=envelope_sender -o recipient_canonical_maps=socketmap:unix:{map}:srs-reverse
  -o recipient_canonical_classes=envelope_recipient,header_recipient
  -o {{ virtual_alias_maps = inline:{{ forwarded@example.org=bob@away.example.test }} }}
2526 inet n - n - - smtpd -o syslog_name=postfix/unix -o smtpd_milters=unix:{unix}
2528 inet n - n - - smtpd -o syslog_name=postfix/dovecot -o smtpd_sasl_type=dovecot -o smtpd_sasl_path={dovecot}
2529 inet n - n - - smtpd -o syslog_name=postfix/private -o cleanup_service_name=submission-cleanup
submission-cleanup unix n - n - 0 cleanup -o header_checks=regexp:{conf}/postfix-header-checks
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {d}/conf/sasl/sasldb2
mech_list: PLAIN LOGIN
"""


class Postfix(Mta):
    name = "postfix"
    address = space.POSTFIX
    address6 = space.POSTFIX6
    ports = dict(Mta.ports, unix=2526,  # its milter is behind self.unix
                 srs=2531,          # no milter: SRS by tcp tables; forwarded@example.org leads elsewhere
                 srsmap=2532,       # the same, and the socketmap door behind self.map
                 pop=2530,          # no milter: asks the policy door behind self.policy
                 relay=2527,        # no milter: hands on to port 25, as a secondary MX does
                 dovecot=2528,      # asks Dovecot for logins (dovecot.py)
                 reports=2533,      # relays for programs of this host
                 small=2534,        # the same, but only very small messages
                 private=2529)      # keeps the client out of its own Received field

    def __init__(self, directory, milter="inet:127.0.0.1:8891", start=True):
        self.d = directory
        self.inbox = os.path.join(directory, "mail/inbox/new")
        self.log = os.path.join(directory, "log/mail.log")
        self.milter = milter
        self.unix = os.path.join(directory, "milter", "socket")
        self.policy = os.path.join(directory, "milter", "policy")
        self.map = os.path.join(directory, "milter", "map")
        self.configure()
        if start:
            self.start()

    def start(self):
        started = subprocess.run(["postfix", "-c", self.d + "/conf", "start"], capture_output=True, text=True, timeout=60)
        if started.returncode != 0:
            raise RuntimeError(f"postfix does not start: {started.stdout}{started.stderr}{self.tail()}")

    @staticmethod
    def why_not():
        """Why there is no Postfix, or None."""
        if not shutil.which("postfix") or not os.path.exists("/usr/lib/postfix/sbin/smtpd"):
            return "Postfix is not installed (package postfix)"
        return None

    def configure(self):
        for part in ("", "conf", "conf/sasl", "queue", "data", "mail", "log", "milter"):
            os.makedirs(os.path.join(self.d, part), mode=0o755, exist_ok=True)
        postfix, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(self.d + "/data", postfix.pw_uid, postfix.pw_gid)
        os.chmod(self.d + "/data", 0o700)
        os.chown(self.d + "/mail", nobody.pw_uid, nobody.pw_gid)
        for part in ("inbox", "inbox/cur", "inbox/new", "inbox/tmp"):
            os.mkdir(os.path.join(self.d, "mail", part))
            os.chown(os.path.join(self.d, "mail", part), nobody.pw_uid, nobody.pw_gid)
        cert, key = space.certificate(self.d + "/conf")
        # Debian's Postfix reads conf/sasl/smtpd.conf whatever cyrus_sasl_config_path says.
        self.write("conf/sasl/smtpd.conf", SASL.format(d=self.d))
        space.sasl_database(self.d + "/conf/sasl/sasldb2")
        os.chown(self.d + "/conf/sasl/sasldb2", 0, postfix.pw_gid)
        os.chmod(self.d + "/conf/sasl/sasldb2", 0o640)
        self.write("conf/main.cf", MAIN.format(d=self.d, address=self.address, address6=self.address6, cert=cert, key=key,
                                               milter=self.milter, uid=nobody.pw_uid, gid=nobody.pw_gid))
        self.write("conf/master.cf", MASTER.format(
            unix=self.unix, policy=self.policy, map=self.map, address=self.address, dovecot=self.d + "/dovecot-auth", conf=CONF))
        for name in ("main.cf", "master.cf"):  # files younger than two seconds make Postfix doze
            path = os.path.join(self.d, "conf", name)
            old = os.stat(path).st_mtime - 60
            os.utime(path, (old, old))

    def write(self, name, text):
        with open(os.path.join(self.d, name), "w") as f:
            f.write(text)

    def sendmail(self, message, *arguments):
        """The sendmail command; the message goes to non_smtpd_milters."""
        return subprocess.run(["/usr/sbin/sendmail", "-C", self.d + "/conf", *arguments], input=message,
                              capture_output=True, timeout=30)

    def held(self, token):
        """The text of the message with the token in the hold queue, or None."""
        def look():
            for directory, _, names in os.walk(self.d + "/queue/hold"):
                for name in names:
                    path = os.path.join(directory, name)
                    shown = subprocess.run(["postcat", "-c", self.d + "/conf", path], capture_output=True, timeout=20)
                    if token.encode() in shown.stdout:
                        return shown.stdout
            return None
        return wait_for(look)

    def stop(self):
        subprocess.run(["postfix", "-c", self.d + "/conf", "stop"], capture_output=True, timeout=60)
