/*
 * source_table.c - a bounded hash table of sums by domain and source.
 */
#include "sums_private.h"
#include <stdlib.h>

#define ROOM_FIRST 16
#define ROOM_KEPT  1024

uint64_t sums_add(uint64_t a, uint64_t b)
{
	return a < UINT64_MAX - b ? a + b : UINT64_MAX;
}

void source_table_open(struct source_table *sources, size_t most)
{
	*sources = (struct source_table){
	    .room = ROOM_FIRST, .place_room = 2 * ROOM_FIRST, .most = most, .seed = random_seed()};
	sources->items = xmalloc(sources->room * sizeof(*sources->items));
	sources->places = xmalloc(sources->place_room * sizeof(*sources->places));
}

void source_table_close(struct source_table *sources)
{
	free(sources->items);
	free(sources->places);
}

static bool is_key(const struct feedback_source *item, unsigned domain, struct ip source, bool beyond)
{
	return item->domain == domain && item->beyond == beyond && ip_equal(item->source, source);
}

static size_t place_find(const struct source_table *sources, unsigned domain, struct ip source, bool beyond)
{
	unsigned char key[sizeof(domain) + sizeof(source.bytes) + 2];
	size_t i;

	memcpy(key, &domain, sizeof(domain));
	memcpy(key + sizeof(domain), source.bytes, sizeof(source.bytes));
	key[sizeof(key) - 2] = source.family;
	key[sizeof(key) - 1] = beyond;
	i = hash_slice((struct slice){(char *)key, sizeof(key)}, sources->seed) % sources->place_room;
	while (sources->places[i] && !is_key(&sources->items[sources->places[i] - 1], domain, source, beyond))
		i = (i + 1) % sources->place_room;
	return i;
}

void source_table_clear(struct source_table *sources)
{
	if (sources->room >
	    ROOM_KEPT) { /* clearing many places for each small report would take longer than reading it */
		size_t most = sources->most;

		source_table_close(sources);
		source_table_open(sources, most);
		return;
	}
	memset(sources->places, 0, sources->place_room * sizeof(*sources->places));
	sources->count = 0;
}

static void grow(struct source_table *sources)
{
	sources->room *= 2;
	sources->items = xrealloc(sources->items, sources->room * sizeof(*sources->items));
	free(sources->places);
	sources->place_room = 2 * sources->room;
	sources->places = xmalloc(sources->place_room * sizeof(*sources->places));
	for (size_t i = 0; i < sources->count; i++) {
		const struct feedback_source *item = &sources->items[i];

		sources->places[place_find(sources, item->domain, item->source, item->beyond)] = (uint32_t)i + 1;
	}
}

static struct feedback_source *get(struct source_table *sources, unsigned domain, struct ip source, bool beyond)
{
	size_t place = place_find(sources, domain, source, beyond);

	if (sources->places[place])
		return &sources->items[sources->places[place] - 1];
	if (sources->count >= sources->most && !beyond)
		return NULL;
	if (sources->count == sources->room) {
		grow(sources);
		place = place_find(sources, domain, source, beyond);
	}
	sources->items[sources->count] = (struct feedback_source){.domain = domain, .source = source, .beyond = beyond};
	sources->places[place] = (uint32_t)++sources->count;
	return &sources->items[sources->count - 1];
}

struct feedback_source *source_table_get(struct source_table *sources, unsigned domain, struct ip source)
{
	struct feedback_source *item = get(sources, domain, source, false);

	return item ? item : source_table_get_beyond(sources, domain);
}

struct feedback_source *source_table_get_beyond(struct source_table *sources, unsigned domain)
{
	return get(sources, domain, (struct ip){0}, true);
}

static void add_reporter(struct feedback_source *source, unsigned reporter)
{
	for (size_t i = 0; i < FEEDBACK_REPORTERS; i++) {
		if (source->reporters[i] == reporter || reporter == 0)
			return;
		if (source->reporters[i] == 0) {
			source->reporters[i] = reporter;
			return;
		}
	}
	source->more_reporters = true;
}

void source_add(struct feedback_source *source, const struct feedback_source *more)
{
	source->messages = sums_add(source->messages, more->messages);
	source->dkim = sums_add(source->dkim, more->dkim);
	source->spf = sums_add(source->spf, more->spf);
	source->pass = sums_add(source->pass, more->pass);
	for (size_t i = 0; i < FEEDBACK_DISPOSITIONS; i++)
		source->dispositions[i] = sums_add(source->dispositions[i], more->dispositions[i]);
	for (size_t i = 0; i < FEEDBACK_LIKELIES; i++)
		source->likely[i] = sums_add(source->likely[i], more->likely[i]);
	source->reasons |= more->reasons;
	source->near = source->near ? source->near : more->near;
	for (size_t i = 0; i < FEEDBACK_REPORTERS; i++)
		add_reporter(source, more->reporters[i]);
	source->more_reporters = source->more_reporters || more->more_reporters;
}
