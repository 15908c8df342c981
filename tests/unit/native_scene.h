/*
 * native_scene.h - a session of the native milter door without a socket: bytes in, packets out.
 */
#ifndef NATIVE_SCENE_H
#define NATIVE_SCENE_H

#include "../../filter/doors/native/native_private.h"
#include <arpa/inet.h>
#include <stdlib.h>

static struct native_scene {
	struct door_host host;
	struct engine *engine;
	struct counters counters;
	struct policy *policy;
	struct resolver *resolver;
	bool gone;
	unsigned engines; /* how often one was asked for */
} native_scene;

static struct engine *scene_engine(struct door_host *host)
{
	(void)host;
	native_scene.engines++;
	return engine_hold(native_scene.engine);
}

static bool scene_gone(void *context, bool requested)
{
	(void)context, (void)requested;
	return native_scene.gone;
}

static void scene_busy(void *context, bool busy)
{
	(void)context, (void)busy;
}

static const struct mta scene_mta = {
    .macro = dialog_macro, .request = dialog_request, .gone = scene_gone, .busy = scene_busy};

static inline void native_scene_begin(struct policy *policy, struct slice zone)
{
	struct error err;

	native_scene.policy = policy;
	native_scene.resolver = resolver_open_zone(zone, "zone", &err);
	if (!native_scene.resolver)
		die("%s", err.text);
	native_scene.engine = engine_new(policy, native_scene.resolver, NULL, &native_scene.counters);
	native_scene.host = (struct door_host){.engine = scene_engine};
}

static inline void native_scene_end(void)
{
	engine_release(native_scene.engine);
	policy_release(native_scene.policy);
	resolver_release(native_scene.resolver);
}

/* The packets in the buffer, as one letter for each. False: they are not packets. */
static inline bool packet_letters(struct slice bytes, char *letters_r, size_t room)
{
	size_t count = 0;
	uint32_t length;

	for (; bytes.n > 0 && count + 1 < room; bytes = slice_from(bytes, 4 + length)) {
		if (bytes.n < 5)
			return false;
		memcpy(&length, bytes.p, 4);
		length = ntohl(length);
		if (length == 0 || length > bytes.n - 4)
			return false;
		letters_r[count++] = bytes.p[4];
	}
	letters_r[count] = '\0';
	return bytes.n == 0;
}

/* A packet into the buffer; its length. */
static inline size_t packet_put(char *to, char letter, const void *data, size_t n)
{
	uint32_t length = htonl((uint32_t)n + 1);

	memcpy(to, &length, 4);
	to[4] = letter;
	if (n > 0)
		memcpy(to + 5, data, n);
	return 5 + n;
}

#endif
