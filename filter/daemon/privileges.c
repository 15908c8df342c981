/*
 * privileges.c - the user and group of the daemon once it has its sockets.
 *
 * Started as root it becomes the `user` of sekisho.conf, with the groups of that
 * user, before it starts a thread or asks the DNS. Started as another user, it
 * stays that user; `user` may then only name that user.
 */
#include "daemon_private.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_MAX (1024 * 1024) /* enough for a group with very many members; more is a broken directory service */

/* A name that can be looked up in the system. */
static int name_copy(struct slice name, char copy_r[NAME_TEXT])
{
	if (name.n >= NAME_TEXT || slice_find(name, '\0') >= 0)
		return -1;
	memcpy(copy_r, name.p, name.n);
	copy_r[name.n] = '\0';
	return 0;
}

int group_find(struct slice group, gid_t *gid_r, struct error *err)
{
	struct group entry, *found = NULL;
	char name[NAME_TEXT];
	size_t room = 4096;
	char *buffer = NULL;
	int result = ERANGE;

	while (name_copy(group, name) == 0 && result == ERANGE && room <= ENTRY_MAX) {
		room *= 2;
		buffer = xrealloc(buffer, room);
		result = getgrnam_r(name, &entry, buffer, room, &found);
	}
	if (found)
		*gid_r = entry.gr_gid;
	else
		error_set(err, "no group %.*s on this system", SLICE_ARGS(slice_head(group, 64)));
	free(buffer);
	return found ? 0 : -1;
}

static int user_find(struct slice user, struct identity *identity, struct error *err)
{
	struct passwd entry, *found = NULL;
	size_t room = 2048;
	char *buffer = NULL;
	int result = ERANGE;

	while (name_copy(user, identity->user) == 0 && result == ERANGE && room <= ENTRY_MAX) {
		room *= 2;
		buffer = xrealloc(buffer, room);
		result = getpwnam_r(identity->user, &entry, buffer, room, &found);
	}
	if (found) {
		identity->uid = entry.pw_uid;
		identity->gid = entry.pw_gid;
	} else {
		error_set(err, "no user %.*s on this system; create it, or change `user`",
			  SLICE_ARGS(slice_head(user, 64)));
	}
	free(buffer);
	return found ? 0 : -1;
}

int identity_find(struct slice user, struct slice group, struct identity *identity_r, struct error *err)
{
	bool root = geteuid() == 0;

	memset(identity_r, 0, sizeof(*identity_r));
	identity_r->uid = (uid_t)-1;
	identity_r->gid = (gid_t)-1;
	if (user.n > 0 && user_find(user, identity_r, err) != 0)
		return -1;
	if (group.n > 0 && group_find(group, &identity_r->gid, err) != 0)
		return -1;
	if (!root && user.n > 0 && identity_r->uid != geteuid()) {
		error_set(err, "only root can become the user %s; start sekisho as root or as %s, or remove `user`",
			  identity_r->user, identity_r->user);
		return -1;
	}
	if (!root && user.n == 0 && group.n > 0 && identity_r->gid != getegid()) {
		error_set(err, "only root can take the group %.*s; start sekisho as root, or remove `group`",
			  SLICE_ARGS(slice_head(group, 64)));
		return -1;
	}
	identity_r->change = root && (user.n > 0 || group.n > 0);
	return 0;
}

/* Groups first: only root may set them. */
int identity_take(const struct identity *identity, struct error *err)
{
	uid_t uid = identity->uid == (uid_t)-1 ? getuid() : identity->uid;

	if (!identity->change)
		return 0;
	if (identity->user[0] ? initgroups(identity->user, identity->gid) != 0 : setgroups(1, &identity->gid) != 0) {
		error_set(err, "cannot take the groups of %s: %s", identity->user, strerror(errno));
		return -1;
	}
	if (setresgid(identity->gid, identity->gid, identity->gid) != 0 || setresuid(uid, uid, uid) != 0) {
		error_set(err, "cannot switch to %s: %s", identity->user[0] ? identity->user : "the group",
			  strerror(errno));
		return -1;
	}
	if (uid != 0 && setuid(0) == 0)
		die("privileges: could become root again");
	return 0;
}
