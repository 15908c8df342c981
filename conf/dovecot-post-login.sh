#!/bin/sh
# dovecot-post-login.sh - POP before SMTP: Dovecot runs this after a login; the client's address may then send mail.
#
# In sekisho.conf, the group being that of the user below (dovecot's $default_internal_user):
#
#     list       recent dynamic:30m writers dovecot
#     submission { port 587 465  clients recent }
#     policy submission { on rcpt { accept if client in recent } }
#
# In dovecot.conf, and the same with imap:
#
#     service pop3 {
#       executable = pop3 pop3-postlogin
#     }
#     service pop3-postlogin {
#       executable = script-login /etc/dovecot/dovecot-post-login.sh
#       user = $default_internal_user
#       unix_listener pop3-postlogin {
#       }
#     }
#
# postfix-main.cf and sendmail.mc beside this file say what Postfix and Sendmail need to let such a client relay.
#
# IP is the client's address. Those of this host are left out: with a webmail or a proxy here, all of its users would
# be one client. A login never fails because of this script.

sekisho=/usr/sbin/sekisho
control=/run/sekisho/control.sock

case $IP in
'' | 127.* | ::1 | ::ffff:127.*) ;;
*) timeout 2 "$sekisho" list add recent "$IP" --socket "$control" >/dev/null 2>&1 ||
	logger -p mail.warning -t sekisho "cannot add $IP to the list recent; try: sekisho list add recent $IP" ;;
esac
exec "$@"
