/*
 * maps.c - what can be looked up: each kind of map is a row of the table, and any other name is that of a list.
 *
 * In a list the key is an address of a client, a mail address, a domain or a text; the value is OK. Sendmail's access
 * look-ups have a tag before the key: "Connect:192.0.2.1" is a client, and its value is RELAY. Other tags are found
 * nowhere.
 */
#include "socketmap_private.h"

#define TAG SLICE("Connect:")

static enum found find_in_list(struct engine *engine, struct slice map, struct slice key, struct arena *arena,
			       struct slice *value_r)
{
	bool tagged = slice_starts_nocase(key, TAG);
	struct ip ip;

	*value_r = tagged ? SLICE("RELAY") : SLICE("OK");
	if (tagged)
		key = slice_from(key, TAG.n);
	if (slice_starts_nocase(key, SLICE("IPv6:")) && ip_parse(key, &ip) != 0)
		return FOUND_NOTHING;
	switch (engine_listed(engine, map, key)) {
	case LISTED:
		return FOUND;
	case LISTED_UNKNOWN:
		*value_r = SLICE("the list cannot be read now");
		return FOUND_TROUBLE;
	case LISTED_NOWHERE:
		*value_r = arena_printf(arena, "no list is named %.*s", SLICE_ARGS(slice_head(map, 64)));
		return FOUND_NO_MAP;
	default:
		return FOUND_NOTHING;
	}
}

static enum found find_forward(struct engine *engine, struct slice map, struct slice key, struct arena *arena,
			       struct slice *value_r)
{
	(void)map;
	return srs_find(engine, SRS_FORWARD, key, arena, value_r);
}

static enum found find_reverse(struct engine *engine, struct slice map, struct slice key, struct arena *arena,
			       struct slice *value_r)
{
	(void)map;
	return srs_find(engine, SRS_REVERSE, key, arena, value_r);
}

static const struct {
	const char *name; /* NULL: any other */
	enum found (*find)(struct engine *, struct slice map, struct slice key, struct arena *, struct slice *value_r);
} maps[] = {
    {"srs-forward", find_forward}, {"srs-reverse", find_reverse},
    {"srs_forward", find_forward}, /* Sendmail's names of maps have no "-" */
    {"srs_reverse", find_reverse}, {NULL, find_in_list},
};

enum found map_find(struct engine *engine, struct slice map, struct slice key, struct arena *arena,
		    struct slice *value_r)
{
	size_t i = 0;

	while (maps[i].name && !slice_equal(map, slice_of(maps[i].name)))
		i++;
	return maps[i].find(engine, map, key, arena, value_r);
}
