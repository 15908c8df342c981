/*
 * admit.c - which programs of this host may connect to a network socket.
 *
 * A program that speaks the milter protocol can name any client and have any mail signed; libmilter is also not safe
 * against a hostile program. A unix socket has a mode and a group. For a TCP connection from this host the kernel tells
 * the user: root, the user of the daemon, and the users of mail servers are served, nobody else. For other hosts it
 * does not: they need a firewall.
 */
#include "daemon_private.h"
#include <pwd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAID_US (60 * 1000 * 1000) /* between two lines about programs that were not admitted */

/* Users that Postfix, Sendmail and Exim run as. */
static const char *const mail_users[] = {"postfix", "smmsp", "smmta", "sendmail", "mail", "Debian-exim", "exim"};

static void admit_user(struct entrance *entrance, const char *name)
{
	const struct passwd *entry = getpwnam(name);

	if (entry && entrance->admitted_count < ADMITTED_MAX)
		entrance->admitted[entrance->admitted_count++] = entry->pw_uid;
}

void admit_users(struct entrance *entrance, const struct listen_setting *listen)
{
	struct arena *arena = arena_new();

	entrance->admitted[entrance->admitted_count++] = 0;
	entrance->admitted[entrance->admitted_count++] = geteuid();
	for (size_t i = 0; listen->users.count == 0 && i < sizeof(mail_users) / sizeof(mail_users[0]); i++)
		admit_user(entrance, mail_users[i]);
	for (size_t i = 0; i < listen->users.count; i++)
		admit_user(entrance, arena_cstring(arena, listen->users.items[i]));
	arena_free(arena);
}

static void say_refused(struct daemon *daemon, struct entrance *entrance, unsigned uid)
{
	int64_t now = clock_us(), said = entrance->refused_said_us;

	if ((said && now - said < SAID_US) || !atomic_compare_exchange_strong(&entrance->refused_said_us, &said, now))
		return;
	report_line(daemon->host.report, "warning",
		    "a program of uid %u connected to %.*s and was refused; if it is a mail server, add its user: "
		    "listen %s %.*s "
		    "user NAME",
		    uid, SLICE_ARGS(entrance->text), entrance->door->name, SLICE_ARGS(entrance->text));
}

static struct entrance *entrance_of(struct daemon *daemon, int listener)
{
	size_t i = 0;

	while (i + 1 < daemon->entrance_count && daemon->entrances[i].listener.socket.fd != listener)
		i++;
	return &daemon->entrances[i];
}

bool daemon_admits(struct daemon *daemon, int listener, int fd)
{
	struct entrance *entrance = entrance_of(daemon, listener);
	unsigned uid;

	if (entrance->listener.socket.path[0] || peer_uid(fd, &uid) != 0)
		return true; /* a unix socket, or another host */
	for (size_t i = 0; i < entrance->admitted_count; i++)
		if (uid == entrance->admitted[i])
			return true;
	say_refused(daemon, entrance, uid);
	return false;
}
