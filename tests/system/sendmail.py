"""A private Sendmail: MX on port 25, submission on 587, smtps on 465, deliveries into a directory.

Debian's Sendmail conflicts with Postfix, therefore it is unpacked, not installed (get-package.sh). Like our
Postfix it asks neither for AUTH nor for TLS: the policy under test decides.
"""
import os
import re
import signal
import subprocess

import space
from mta import Unpacked, shipped, unpacked_root, wait_for

ROOT = unpacked_root("sendmail")
PROGRAM = os.path.join(ROOT, "usr/libexec/sendmail/sendmail")

MC = """\
divert(-1)
define(`_CF_DIR_', `{cf}/')
divert(0)dnl
include(`{cf}/m4/cf.m4')
VERSIONID(`sekisho system tests')
OSTYPE(`linux')
define(`confDOMAIN_NAME', `mx.example.org')
define(`confCW_FILE', `{d}/conf/local-host-names')
FEATURE(`use_cw_file')
define(`QUEUE_DIR', `{d}/mqueue')
define(`confPID_FILE', `{d}/sendmail.pid')
define(`STATUS_FILE', `{d}/log/statistics')
define(`HELP_FILE', `{d}/conf/helpfile')
define(`confSERVICE_SWITCH_FILE', `{d}/conf/service.switch')
define(`ALIAS_FILE', `')
define(`confCONTROL_SOCKET_NAME', `{d}/control')
define(`confDONT_PROBE_INTERFACES', `True')
define(`confTO_IDENT', `0')
define(`confTO_QUEUEWARN', `')
define(`confDELIVERY_MODE', `i')
define(`confQUEUE_LA', `1000')
define(`confREFUSE_LA', `1000')
define(`confMAX_DAEMON_CHILDREN', `200')
define(`confCONNECTION_RATE_THROTTLE', `0')
define(`confBAD_RCPT_THROTTLE', `0')
define(`confLOG_LEVEL', `14')
define(`confMILTER_LOG_LEVEL', `14')
define(`confDONT_BLAME_SENDMAIL', `AssumeSafeChown,GroupWritableDirPathSafe,TrustStickyBit,GroupReadableSASLDBFile,\
GroupReadableKeyFile,HelpFileInUnsafeDirPath,ClassFileInUnsafeDirPath')
define(`confAUTH_OPTIONS', `A')
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')
define(`confAUTH_REALM', `example.org')
TRUST_AUTH_MECH(`PLAIN LOGIN')
define(`confCACERT', `{cert}')
define(`confCACERT_PATH', `{d}/conf')
define(`confSERVER_CERT', `{cert}')
define(`confSERVER_KEY', `{key}')
define(`confDH_PARAMETERS', `none')
FEATURE(`no_default_msa')
FEATURE(`nocanonify')
FEATURE(`accept_unresolvable_domains')
FEATURE(`accept_unqualified_senders')
define(`LOCAL_MAILER_PATH', `{d}/conf/deliver')
define(`LOCAL_MAILER_ARGS', `deliver $u')
MODIFY_MAILER_FLAGS(`LOCAL', `lsDFMSPhn9')
define(`confBIND_OPTS', `+AAONLY -DNSRCH')
DAEMON_OPTIONS(`Name=MX, Family=inet, Addr={address}, Port=25')
DAEMON_OPTIONS(`Name=MX6, Family=inet6, Addr={address6}, Port=25')
DAEMON_OPTIONS(`Name=MAPPED, Family=inet6, Addr=::, Port=2525')
DAEMON_OPTIONS(`Name=MSA, Family=inet, Addr={address}, Port=587, M=E')
DAEMON_OPTIONS(`Name=TLSMSA, Family=inet, Addr={address}, Port=465, M=Es')
DAEMON_OPTIONS(`Name=UNIX, Family=inet, Addr={address}, Port=2526, InputMailFilters=by-unix')
DAEMON_OPTIONS(`Name=SRS, Family=inet, Addr={address}, Port=2531')
RELAY_DOMAIN(`srs.example.org')
DAEMON_OPTIONS(`Name=POP, Family=inet, Addr={address}, Port=2530')
MAIL_FILTER(`by-unix', `S=unix:{unix}, F=T, T=C:10s;S:20s;R:20s;E:30s')
INPUT_MAIL_FILTER(`sekisho', `S={milter}, F=T, T=C:10s;S:20s;R:20s;E:30s')
{received}MAILER(`local')
MAILER(`smtp')
LOCAL_CONFIG
ESASL_CONF_PATH={d}/conf/sasl
Krecent socket -T<TMPF> unix:{map}
{srs_maps}dnl Users unknown.ANYTHING need an account, and have none.
MAILER_DEFINITIONS
Mknown, P={d}/conf/deliver, F=lsDFMSPhn9w, S=EnvFromL/HdrFromL, R=EnvToL/HdrToL, T=DNS/RFC822/X-Unix, A=deliver $u
LOCAL_RULE_0
{srs_reverse}Runknown.$*<@$*>$*\t$#known $: unknown.$1
LOCAL_RULESETS
{srs_forward}SLocal_check_rcpt
R$*\t$: $&{{daemon_name}}
RPOP\t$: $(recent $&{{client_addr}} $: NO $)
R$* <TMPF>\t$# TEMP $@ 4.3.0 $: "451 Temporary failure, try again later"
ROK\t$# OK
"""

def srs_lines(path):
    """The lines about SRS of the shipped sendmail.mc: maps, rules of the way back, rules of the SMTP mailer. Those of the
    mailer are only for what came to the service SRS."""
    with open(shipped("sendmail.mc")) as f:
        text = re.sub(r"^dnl ", "", f.read(), flags=re.M)
    maps = re.search(r"^Ksrs_forward.*\nKsrs_reverse.*\n", text, re.M).group(0).replace("/run/sekisho/map.sock", path)
    back = re.search(r"^LOCAL_RULE_0\n((?:R.*\n)+)", text, re.M).group(1)
    rules = re.search(r"^SEnvFromSMTP\n(?:R.*\n)+", text, re.M).group(0)
    rules = rules.replace("SEnvFromSMTP\n", "SEnvFromSMTP\nR$+\t$: $&{{daemon_name}} | $1\nRSRS | $+\t$: $>Srs $1\n"
                          "R$* | $+\t$: $2\nSSrs\n".replace("{{", "{").replace("}}", "}"))
    return maps, back, rules


def received_header():
    """The lines of the shipped sendmail.mc that keep the client of a user out of the Received field."""
    with open(shipped("sendmail.mc")) as f:
        found = re.search(r"^dnl define\(`confRECEIVED_HEADER'.*?'\)dnl\n", f.read(), re.M | re.S).group(0)
    return re.sub(r"^dnl ", "", found, flags=re.M)


SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {d}/conf/sasl/sasldb2
mech_list: PLAIN LOGIN
"""

# A message appears in new/ when it is whole.
DELIVER = """\
#!/bin/sh
name=$(date +%s.%N).$$
cat > {d}/mail/tmp/$name && mv {d}/mail/tmp/$name {d}/mail/new/$name
"""


class Sendmail(Unpacked):
    name = "sendmail"
    root, program = ROOT, PROGRAM
    address = space.SENDMAIL
    address6 = space.SENDMAIL6
    ports = dict(
        Unpacked.ports,
        mapped=2525,  # an IPv6 socket that IPv4 clients come to as well
        unix=2526,  # its milter is behind self.unix
        srs=2531,  # senders and bounces are rewritten by the maps of self.map
        pop=2530,  # who is in the list recent, which is asked for at self.map, may relay
    )

    def __init__(self, directory, milter="inet:8891@127.0.0.1", start=True):
        self.d = directory
        self.inbox = os.path.join(directory, "mail/new")
        self.log = os.path.join(os.path.dirname(directory), "syslog")
        self.milter = milter
        self.unix = os.path.join(directory, "milter", "socket")
        self.map = os.path.join(directory, "milter", "map")
        self.configure()
        self.environment = dict(os.environ, SASL_CONF_PATH=self.d + "/conf/sasl", LD_LIBRARY_PATH=self.libraries())
        if start:
            self.start()

    def configure(self):
        for part in ("", "conf", "conf/sasl", "mail", "log", "milter"):
            os.makedirs(os.path.join(self.d, part), mode=0o755, exist_ok=True)
        os.mkdir(self.d + "/mqueue", 0o700)
        for part in ("mail/new", "mail/tmp"):
            os.mkdir(os.path.join(self.d, part))
            os.chmod(os.path.join(self.d, part), 0o777)
        cert, key = space.certificate(self.d + "/conf")
        self.write("conf/sasl/Sendmail.conf", SASL.format(d=self.d))
        space.sasl_database(self.d + "/conf/sasl/sasldb2")
        os.chmod(self.d + "/conf/sasl/sasldb2", 0o600)
        self.write("conf/deliver", DELIVER.format(d=self.d))
        os.chmod(self.d + "/conf/deliver", 0o755)
        self.write("conf/local-host-names", "example.org\n")
        self.write("conf/service.switch", "hosts files dns\naliases files\npasswd files\n")
        self.write("conf/helpfile", "")
        self.write("log/statistics", "")
        cf = os.path.join(ROOT, "usr/share/sendmail/cf")
        maps, back, rules = srs_lines(self.map)
        self.write("conf/sendmail.mc", self.services(MC.format(
            d=self.d, cf=cf, cert=cert, key=key, address=self.address, address6=self.address6, milter=self.milter,
            unix=self.unix, map=self.map, received=received_header(), srs_maps=maps, srs_reverse=back,
            srs_forward=rules)))
        with open(self.d + "/conf/sendmail.cf", "w") as f:
            subprocess.run(["m4", self.d + "/conf/sendmail.mc"], stdout=f, check=True, timeout=60)
        os.chmod(self.d + "/conf/sendmail.cf", 0o644)

    def services(self, mc):
        """The text of sendmail.mc with the services that are wanted: here all of them."""
        return mc

    def write(self, name, text):
        with open(os.path.join(self.d, name), "w") as f:
            f.write(text)

    def run(self, *arguments, **options):
        return subprocess.run([PROGRAM, "-C" + self.d + "/conf/sendmail.cf", *arguments], env=self.environment,
                              capture_output=True, timeout=60, **options)

    def talk(self, *lines):
        """An SMTP conversation with sendmail -bs on standard input and output: the greeting and each answer."""
        with subprocess.Popen([PROGRAM, "-C" + self.d + "/conf/sendmail.cf", "-bs"], env=self.environment,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            replies = [self.answer(program.stdout)]
            for line in lines:
                program.stdin.write(line.encode() + b"\r\n")
                program.stdin.flush()
                replies.append(self.answer(program.stdout))
        return replies

    @staticmethod
    def answer(stream):
        """One reply with all its lines."""
        reply = ""
        while True:
            line = stream.readline().decode(errors="replace")
            reply += line
            if not line or line[3:4] != "-":
                return reply

    def held(self, token):
        """The text of the quarantined message with the token (its control file is hf, not qf), or None."""
        def look():
            for name in os.listdir(self.d + "/mqueue"):
                if not name.startswith("hf"):
                    continue
                with open(os.path.join(self.d, "mqueue", name), "rb") as f:
                    text = f.read()
                if token.encode() in text:
                    return text
            return None
        return wait_for(look)

    def stop(self):
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not os.path.exists(self.d + "/sendmail.pid") or not os.path.exists(f"/proc/{pid}"))
