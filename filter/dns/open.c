/*
 * open.c - which backend a resolver gets: libunbound, or zone text.
 */
#include "resolver.h"

#include <stdlib.h>

#define ZONE_FILE_MAX    (16 * 1024 * 1024)
#define ZONE_CACHE       1024      /* answers of zone text kept, with what was parsed out of them */
#define ZONE_PATIENCE_US SECOND_US /* zone text answers at once */

static struct slice source_name(const struct resolver_settings *settings, struct arena *arena)
{
	struct text name;

	text_init(&name, arena, 64 * (DNS_FORWARD_MAX + 1));
	if (settings->source != DNS_FORWARD) {
		text_add(&name, settings->source == DNS_SYSTEM ? SLICE("system") : SLICE("recurse"));
		return text_slice(&name);
	}
	text_add(&name, SLICE("forward"));
	for (size_t i = 0; i < settings->forward_count; i++)
		text_printf(&name, " %s", settings->forward[i]);
	return text_slice(&name);
}

static struct resolver *open_zone_file(const char *path, struct error *err)
{
	struct resolver *resolver;
	struct slice text;

	if (file_read_plain(path, ZONE_FILE_MAX, &text, err))
		return NULL;
	resolver = resolver_open_zone(text, path, err);
	free((char *)text.p);
	return resolver;
}

struct resolver *resolver_open(const struct resolver_settings *settings, struct error *err)
{
	struct backend *backend;

	if (settings->source == DNS_ZONE)
		return open_zone_file(settings->zone, err);
	backend = unbound_backend(settings, err);
	if (!backend)
		return NULL;
	struct arena *arena = arena_new();
	struct resolver *resolver = resolver_new(backend, arena_cstring(arena, source_name(settings, arena)),
						 settings->timeout_us, settings->cache_entries, err);
	arena_free(arena);
	if (resolver && settings->hints_off)
		resolver_hints_off(resolver);
	return resolver;
}

struct resolver *resolver_open_zone(struct slice zone, const char *name, struct error *err)
{
	struct backend *backend = zone_backend(zone, name, err);

	if (!backend)
		return NULL;
	struct arena *arena = arena_new();
	const char *title = arena_cstring(arena, arena_printf(arena, "zone %s", name));
	struct resolver *resolver = resolver_new(backend, title, ZONE_PATIENCE_US, ZONE_CACHE, err);
	arena_free(arena);
	return resolver;
}
