/*
 * peer.c - who is at the other end of the control socket, and what this user may ask.
 *
 * Root and the user of the daemon may ask everything. The groups that a dynamic list names as writers may change and
 * show that list; those that `control` names as readers may ask for the status. While the policy names none, the socket
 * has mode 0600 and nobody else can connect; else it has mode 0666, and the credentials of the peer (SO_PEERCRED,
 * SO_PEERGROUPS) decide before its first byte is read.
 */
#include "daemon_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif

const struct control_peer control_owner = {.owner = true};

/* The supplementary groups; a kernel that cannot tell gives none. */
static void read_groups(int fd, struct control_peer *peer)
{
	socklen_t n = sizeof(peer->groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &n) == 0)
		peer->group_count = n / sizeof(peer->groups[0]);
}

void control_peer_read(int fd, struct control_peer *peer_r)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	memset(peer_r, 0, sizeof(*peer_r));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return;
	peer_r->owner = who.uid == 0 || who.uid == geteuid();
	read_groups(fd, peer_r);
	peer_r->groups[peer_r->group_count++] = who.gid;
}

static bool is_member(const struct control_peer *peer, struct slice group)
{
	struct error ignored; /* `sekisho check` reports it */
	gid_t gid;

	if (group_find(group, &gid, &ignored) != 0)
		return false;
	for (size_t i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

static bool is_in_one(const struct control_peer *peer, const struct slice *groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_member(peer, groups[i]))
			return true;
	return false;
}

static bool writes(const struct control_peer *peer, const struct list *list)
{
	size_t count;
	const struct slice *writers = list_writers(list, &count);

	return is_in_one(peer, writers, count);
}

static bool reads(const struct control_peer *peer, const struct policy *policy)
{
	const struct control_setting *control = &policy_settings(policy)->control;

	return is_in_one(peer, control->readers.items, control->readers.count);
}

bool control_peer_reads(struct daemon *daemon, const struct control_peer *peer)
{
	struct engine *engine = daemon_engine(daemon);
	bool may = reads(peer, engine_policy(engine));

	engine_release(engine);
	return may;
}

bool control_peer_writes(struct daemon *daemon, const struct control_peer *peer, struct slice list_name)
{
	struct engine *engine = daemon_engine(daemon);
	const struct list *list = policy_list_named(engine_policy(engine), list_name);
	bool may = list && writes(peer, list);

	engine_release(engine);
	return may;
}

bool control_peer_may_ask(struct daemon *daemon, const struct control_peer *peer)
{
	struct engine *engine = daemon_engine(daemon);
	bool may = reads(peer, engine_policy(engine));

	for (size_t i = 0; i < policy_lists(engine_policy(engine)) && !may; i++)
		may = writes(peer, policy_list_at(engine_policy(engine), i));
	engine_release(engine);
	return may;
}

mode_t control_mode(const struct policy *policy)
{
	size_t count = policy_settings(policy)->control.readers.count;

	for (size_t i = 0; i < policy_lists(policy) && count == 0; i++)
		list_writers(policy_list_at(policy, i), &count);
	return count > 0 ? 0666 : 0600;
}
