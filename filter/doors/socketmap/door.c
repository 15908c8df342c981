/*
 * door.c - the socketmap door: look-ups of Sendmail and Postfix. A request is the netstring "MAP KEY", an answer
 * "OK value", "NOTFOUND ", "TEMP why" or "PERM why".
 */
#include "socketmap_private.h"
#include <stdlib.h>

struct socketmap {
	struct server *server;
	struct door_host *host;
};

static const char *const words[] = {
    [FOUND] = "OK ", [FOUND_NOTHING] = "NOTFOUND ", [FOUND_TROUBLE] = "TEMP ", [FOUND_NO_MAP] = "PERM "};

/* Printable: Sendmail and Postfix log the reason. */
static struct slice clean(struct slice value, struct arena *arena)
{
	char *copy = arena_alloc(arena, value.n + 1);

	for (size_t i = 0; i < value.n; i++)
		copy[i] = is_control(value.p[i]) ? '?' : value.p[i];
	return (struct slice){copy, value.n};
}

static bool socketmap_answer(void *door, struct server_peer *peer, struct slice frame, struct text *answer)
{
	struct socketmap *socketmap = door;
	struct slice key = netstring_content(frame), map, value = SLICE("");
	struct engine *engine;
	struct arena *arena;
	enum found found;

	(void)peer;
	if (slice_find(key, ' ') < 0 || !slice_cut(&key, ' ', &map))
		return false;
	server_waits(NULL, true); /* a list can be in a store that is a server */
	engine = socketmap->host->engine(socketmap->host);
	arena = arena_new();
	found = map_find(engine, map, key, arena, &value);
	value = found == FOUND_NOTHING ? SLICE("") : clean(value, arena);
	text_printf(answer, "%zu:%s", strlen(words[found]) + value.n, words[found]);
	text_add(answer, value);
	text_add_char(answer, ',');
	arena_free(arena);
	engine_release(engine);
	return true;
}

static const struct server_protocol protocol = {
    .name = "socketmap", .request_max = REQUEST_MAX, .frame = netstring_frame, .answer = socketmap_answer};

static void *socketmap_open(struct door_host *host, int fd, struct error *err)
{
	struct socketmap *socketmap = xmalloc(sizeof(*socketmap));

	socketmap->host = host;
	socketmap->server = server_open(host, fd, &protocol, socketmap, err);
	if (socketmap->server)
		return socketmap;
	free(socketmap);
	return NULL;
}

static int socketmap_start(void *state, struct error *err)
{
	return server_start(((struct socketmap *)state)->server, err);
}

static void socketmap_progress(void *state)
{
	(void)state; /* no look-up takes long */
}

static bool socketmap_stop(void *state, int64_t until_us)
{
	return server_stop(((struct socketmap *)state)->server, until_us);
}

static void socketmap_close(void *state)
{
	server_close(((struct socketmap *)state)->server);
	free(state);
}

const struct door socketmap_door = {
    .name = "socketmap",
    .open = socketmap_open,
    .start = socketmap_start,
    .progress = socketmap_progress,
    .stop = socketmap_stop,
    .close = socketmap_close,
};
