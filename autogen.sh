#!/bin/sh
# autogen.sh - from a fresh clone to a program.
#
#   ./autogen.sh                only generates configure
#   ./autogen.sh demo           installs what is missing, builds in build/, shows Sekisho with a real Postfix
#        --mta sendmail|exim    with a real Sendmail, or a real Exim
#        --engine native        the milter protocol is read without libmilter (Exim has none)
#        --stay                 goes on running until Ctrl-C, for your own messages
#   ./autogen.sh check          the same preparation, then all tests; the last line counts them
#
# demo and check install packages with apt-get (with sudo when not run by root). They remove nothing and
# start no service: where another MTA is installed, Postfix is unpacked into build/demo-root and used from
# there; Sendmail and Exim are always unpacked, into build/tests/sendmail and build/tests/exim. They build in
# the source directory instead when it has been configured itself (./configure). Each step prints one line; its
# log is build/STEP.log, and its end is shown when the step fails.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin # a user's PATH often lacks them
export PATH
owner=$(stat -c %u:%g .) # of the tree: files that root writes are given to this user
python=/usr/bin/python3  # it has the modules from packages; another one earlier in PATH does not
[ -x $python ] || python=python3
objects=build # where make works: configure refuses another directory once the source directory is configured
[ ! -e config.status ] || objects=.

build_packages="autoconf automake make gcc libc6-dev linux-libc-dev pkg-config bison flex
	libmilter-dev libunbound-dev libspf2-dev libpcre2-dev libjansson-dev libidn2-dev libunistring-dev libxxhash-dev libssl-dev libopendkim-dev
	libpsl-dev liblmdb-dev libsqlite3-dev"
demo_packages="python3 python3-dnspython sasl2-bin libsasl2-modules libsasl2-modules-db openssl dns-root-data
	swaks libnet-ssleay-perl"
sendmail_packages="m4 iproute2 util-linux"
exim_packages="iproute2 util-linux"
check_packages="postsrsd python3-srs faketime python3-dkim python3-nacl libmail-dkim-perl libcmocka-dev python3-pytest python3-spf python3-yaml python3-cryptography golang-blitiri-go-spf-dev
	libnet-dns-perl libio-socket-inet6-perl rbldnsd bind9 iproute2 util-linux procps m4 dovecot-core"
check_packages="$check_packages dovecot-pop3d"
check_packages="$check_packages libxml2-utils dmarc-cat"

fedora="autoconf automake make gcc kernel-headers pkgconf bison flex sendmail-milter-devel unbound-devel libspf2-devel pcre2-devel jansson-devel
	libidn2-devel libunistring-devel xxhash-devel openssl-devel libopendkim-devel libpsl-devel lmdb-devel sqlite-devel libcmocka-devel python3 python3-pytest python3-dns python3-pyyaml postfix
	cyrus-sasl-lib cyrus-sasl-plain openssl swaks iproute util-linux"
opensuse="autoconf automake make gcc linux-glibc-devel pkg-config bison flex sendmail-devel unbound-devel libspf2-devel pcre2-devel libjansson-devel
	libidn2-devel libunistring-devel xxhash-devel libopenssl-devel libopendkim-devel libpsl-devel lmdb-devel sqlite3-devel libcmocka-devel python3 python3-pytest python3-dnspython python3-PyYAML postfix
	cyrus-sasl cyrus-sasl-plain openssl swaks iproute2 util-linux"
alpine="autoconf automake make gcc musl-dev linux-headers pkgconf bison flex libmilter-dev unbound-dev libspf2-dev pcre2-dev jansson-dev
	libidn2-dev libunistring-dev xxhash-dev openssl-dev opendkim-dev libpsl-dev lmdb-dev sqlite-dev cmocka-dev python3 py3-pytest py3-dnspython py3-yaml postfix
	cyrus-sasl cyrus-sasl-login openssl swaks iproute2 util-linux unshare"

build_packages="$build_packages libmicrohttpd-dev" # for the setting `web`
fedora="$fedora libmicrohttpd-devel"
opensuse="$opensuse libmicrohttpd-devel"
alpine="$alpine libmicrohttpd-dev"
check_packages="$check_packages prometheus" # promtool
build_packages="$build_packages libcurl4-openssl-dev libldns-dev" # for `sekisho lookup`
check_packages="$check_packages nsd ldnsutils rbldnsd logrotate bind9 bind9-dnsutils"
fedora="$fedora libcurl-devel ldns-devel"
opensuse="$opensuse libcurl-devel libldns-devel"
alpine="$alpine curl-dev ldns-dev"
build_packages="$build_packages libhiredis-dev" # for the setting `store redis://`
check_packages="$check_packages redis-server"
fedora="$fedora hiredis-devel redis"
opensuse="$opensuse hiredis-devel redis"
alpine="$alpine hiredis-dev redis"
build_packages="$build_packages libxml2-dev zlib1g-dev" # for reports about DMARC
fedora="$fedora libxml2-devel zlib-devel"
opensuse="$opensuse libxml2-devel zlib-devel"
alpine="$alpine libxml2-dev zlib-dev"

say() {
	printf '%-12s %s\n' "$1" "$2"
}

give_up() {
	printf 'autogen.sh: %s\n' "$1" >&2
	exit 1
}

# step NAME WHAT COMMAND...: one line on the terminal, everything else in build/NAME.log.
step() {
	log=build/$1.log
	what=$2
	printf '%-12s %s ... ' "$1" "$what"
	shift 2
	began=$(date +%s)
	if "$@" >"$log" 2>&1 </dev/null; then
		echo "done ($(($(date +%s) - began)) s)"
		return 0
	fi
	echo "FAILED; the end of $log:"
	tail -n 40 "$log" | sed 's/^/    /'
	exit 1
}

# ---- configure -----------------------------------------------------------------

generated() {
	[ -e configure ] && [ -e Makefile.in ] && [ -z "$(find configure.ac Makefile.am -newer Makefile.in)" ]
}

generate() {
	missing=
	for tool in autoconf automake; do
		command -v $tool >/dev/null || missing="$missing $tool"
	done
	command -v pkg-config >/dev/null || missing="$missing pkg-config"
	[ -z "$missing" ] || give_up "missing:$missing (the packages have these names; ./autogen.sh check installs them on Debian and Ubuntu)"
	autoreconf -fi
}

# ---- packages ------------------------------------------------------------------

can_be_root() {
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "this needs root, and sudo is not installed: $*"
		return 1
	fi
}

# Runs a command as root; files in the tree that root then owns are given back to the owner of the tree, in the same
# call, because the sudo password may have expired when the tests are over. -links 1: a hard link may be to a file of others.
give_back='[ "$owner" = 0:0 ] || find . -path ./.git -prune -o -user 0 \( -type d -o -type l -o -links 1 \) \
	-exec chown -h "$owner" {} +'
as_root_in_tree() {
	as_root sh -c 'owner=$1 give_back=$2 && shift 2
		trap : INT TERM HUP
		"$@"
		status=$?
		eval "$give_back"
		exit $status' sh "$owner" "$give_back" "$@"
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-remove --no-install-recommends \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"
}

installed() {
	case $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) in
	installed*) return 0 ;;
	esac
	return 1
}

# Names that this release does not have are left out: configure and the tests say what is missing.
known() {
	for package; do
		[ -z "$(apt-cache -q madison "$package" 2>/dev/null)" ] || printf '%s ' "$package"
	done
}

not_installed() {
	for package; do
		installed "$package" || printf '%s ' "$package"
	done
}

# dpkg asks /usr/sbin/policy-rc.d before it starts a service. During an installation we provide
# one that forbids it; an existing one is not changed.
policy=/usr/sbin/policy-rc.d
policy_is_ours=

forbid_services() {
	[ ! -e $policy ] || return 0
	policy_is_ours=yes
	printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
	as_root chmod 755 $policy
}

allow_services() {
	[ -z "$policy_is_ours" ] || as_root rm -f $policy
	policy_is_ours=
}

services_are_forbidden() {
	answer=0
	$policy postfix start >/dev/null 2>&1 || answer=$?
	[ $answer = 101 ]
}

apt_install() {
	forbid_services || return 1
	apt install "$@" || { apt update && apt install "$@"; } # outdated lists name files that no longer exist
}

apt_update_if_needed() {
	for package; do
		if [ -z "$(known "$package")" ]; then
			apt update
			return
		fi
	done
}

# Postfix: the installed one; else its package, without a configuration and without starting it;
# else, if it would replace another MTA or be started, only its files.
postfix_root=build/demo-root
wants_postfix=yes

postfix_is_here() {
	[ -z "$wants_postfix" ] || [ -x /usr/sbin/postfix ] || [ -x $postfix_root/usr/sbin/postfix ]
}

postfix_install() {
	forbid_services || return 1
	if services_are_forbidden && apt -s install postfix; then
		echo 'postfix postfix/main_mailer_type select No configuration' | as_root debconf-set-selections
		apt_install postfix
	else
		postfix_unpack
	fi
}

postfix_unpack() {
	libraries=$(apt-cache depends postfix | sed -n 's/^ *Depends: \(lib[^ ]*\)$/\1/p')
	libraries=$(not_installed $libraries)
	[ -z "$libraries" ] || apt_install $libraries || return 1
	rm -rf $postfix_root build/demo-debs
	mkdir -p build/demo-debs
	(cd build/demo-debs && apt-get -q download postfix) || return 1
	dpkg -x build/demo-debs/postfix_*.deb $postfix_root || return 1
	rm -rf build/demo-debs
	echo "another MTA is installed, or services may start: Postfix was unpacked into $postfix_root"
}

# Runs a command as root, where it finds Postfix. An unpacked Postfix is mounted over /usr and /etc, with the
# accounts it needs, in a mount namespace of that command only.
with_postfix() {
	if [ -x /usr/sbin/postfix ] || [ ! -x $postfix_root/usr/sbin/postfix ]; then
		as_root_in_tree "$@"
		return
	fi
	if ! as_root unshare -m true; then
		echo "Postfix is in $postfix_root and is used through a mount namespace, which is not allowed here"
		return 1
	fi
	cp -L /etc/resolv.conf /etc/hosts $postfix_root/etc/ # in containers these are separate mounts
	{ cat /etc/passwd && echo "postfix:x:64901:64901::/nonexistent:/bin/false"; } >$postfix_root/etc/passwd
	{ cat /etc/group && printf 'postfix:x:64901:\npostdrop:x:64902:\n'; } >$postfix_root/etc/group
	as_root_in_tree unshare -m sh -c 'for dir in usr etc; do
			mount -t overlay overlay -o "lowerdir=$1/$dir:/$dir" "/$dir" || exit 1
		done
		shift && exec "$@"' sh "$PWD/$postfix_root" "$@"
}

packages_install() {
	apt_update_if_needed $(not_installed $build_packages) ${wants_postfix:+postfix} || return 1
	wanted=$(known $(not_installed "$@"))
	[ -z "$wanted" ] || apt_install $wanted || return 1
	postfix_is_here || postfix_install || return 1
	allow_services
}

show_lists() {
	say packages "no apt-get on this system; these packages are needed"
	printf '  Fedora:   %s\n' "$(echo $fedora)"
	printf '  openSUSE: %s\n' "$(echo $opensuse)"
	printf '  Alpine:   %s\n' "$(echo $alpine)"
	say packages "continuing with what is installed"
}

packages() {
	if ! command -v apt-get >/dev/null; then
		show_lists
		return
	fi
	not_here=$(not_installed "$@") # first, because apt-cache takes a second or more for each name
	missing=$(known $not_here)
	postfix_is_here || missing="$missing postfix"
	if [ -z "$missing" ] && { [ -z "$not_here" ] || [ -n "$(known gcc)" ]; }; then
		say packages "all installed"
	elif can_be_root; then
		step packages "installing what is missing" packages_install "$@"
	else
		say packages "missing, and sudo is not installed; continuing without: $missing"
	fi
}

# ---- the two commands ------------------------------------------------------------

# Always, because it takes two seconds and packages may have changed since the last time. Options given
# to configure are kept.
configure() {
	generated || generate || return 1
	if [ -e $objects/config.status ]; then
		(cd $objects && ./config.status --recheck && ./config.status)
	else
		(cd $objects && ../configure)
	fi
}

clean_up() {
	allow_services
	[ "$(id -u)" != 0 ] || eval "$give_back" || say owner "some files in the source directory still belong to root"
}

prepare() {
	trap clean_up EXIT
	trap 'exit 130' INT TERM HUP
	mkdir -p build
	packages "$@"
	[ $objects = build ] || say configure "the source directory is configured: building there (make distclean ends that)"
	step configure "generating and configuring in $objects/" configure
	step build "$objects/sekisho" make -C $objects -j"$(nproc)"
}

# tests NAME WHAT COMMAND...: tests may fail; failures are counted and shown at the end.
tests() {
	name=$1
	printf '%-12s %s ... ' "$name" "$2"
	shift 2
	began=$(date +%s)
	answer=done
	"$@" >build/$name.log 2>&1 </dev/null || { answer="FAILED, see build/$name.log"; broken="$broken $name"; }
	echo "$answer ($(($(date +%s) - began)) s)"
}

check_system() {
	if can_be_root; then
		with_postfix make -C $objects check-system
	else
		make -C $objects check-system # it says what it skips, and why
	fi
}

check() {
	prepare $build_packages $demo_packages $check_packages
	find $objects/tests -name '*.trs' -exec rm -f {} + # only tests of this run are counted
	rm -f $objects/check-system.xml
	broken=
	tests check "unit tests, scenarios, conformance" make -C $objects -k -j"$(nproc)" check
	tests check-system "the daemon with a real Postfix and a real Sendmail" check_system
	command -v $python >/dev/null || give_up "without python3 many tests are skipped and none are counted; see build/check.log"
	$python -B tests/count.py $objects build $broken
}

# mta_of ARGUMENTS: the mail server that they name.
mta_of() {
	mta=postfix
	while [ $# -gt 0 ]; do
		case $1 in
		--mta=*) mta=${1#--mta=} ;;
		--mta) mta=${2-} ;;
		esac
		shift
	done
	echo "$mta"
}

sendmail_root=${SEKISHO_SENDMAIL_ROOT:-$PWD/$objects/tests/sendmail}
exim_root=${SEKISHO_EXIM_ROOT:-$PWD/$objects/tests/exim}

# mta_unpack NAME DIRECTORY
mta_unpack() {
	tests/system/get-package.sh "$1" "$2" && return
	can_be_root && command -v apt-get >/dev/null && apt update && tests/system/get-package.sh "$1" "$2"
}

demo() {
	case $(mta_of "$@") in
	postfix)
		with=with_postfix
		prepare $build_packages $demo_packages
		;;
	sendmail)
		wants_postfix=
		with=as_root_in_tree
		prepare $build_packages $demo_packages $sendmail_packages
		step sendmail "in $sendmail_root" mta_unpack sendmail "$sendmail_root"
		;;
	exim)
		wants_postfix=
		with=as_root_in_tree
		prepare $build_packages $demo_packages $exim_packages
		step exim "in $exim_root" mta_unpack exim "$exim_root"
		;;
	*) give_up "--mta is postfix, sendmail or exim" ;;
	esac
	command -v $python >/dev/null || give_up "the demonstration needs python3"
	[ "$(id -u)" = 0 ] || say demo "mail servers change users, so this part needs root; using sudo"
	trap : INT TERM HUP # the demonstration handles them and ends
	$with env SEKISHO="$PWD/$objects/sekisho" SEKISHO_SENDMAIL_ROOT="$sendmail_root" SEKISHO_EXIM_ROOT="$exim_root" \
		$python tests/demo/demo.py "$@"
}

usage() {
	sed -n '2,/^set/ s/^# \{0,1\}//p' "$0"
}

case ${1-} in
"") generate ;;
demo) shift && demo "$@" ;;
check) check ;;
-h | --help) usage ;;
*) usage >&2 && exit 64 ;;
esac
