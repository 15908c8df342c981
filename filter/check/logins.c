/*
 * logins.c - lists the logins that send the most. Contract: login.h.
 */
#include "login_private.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 1000 /* of STORE_SCAN_MAX keys */

struct listing {
	struct login *logins; /* the busiest first */
	size_t count, most;
	bool day, more;
};

static uint64_t *number_of(struct login *login, bool day)
{
	return day ? &login->recipients : &login->recent;
}

/* Inserts it where it belongs; the last one may fall out. */
static void insert(struct listing *listing, struct slice name, uint64_t number, struct arena *arena)
{
	struct login *logins = listing->logins;
	size_t i = listing->count;

	while (i > 0 && *number_of(&logins[i - 1], listing->day) < number)
		i--;
	listing->more |= listing->count == listing->most;
	if (i == listing->most)
		return;
	listing->count += listing->count < listing->most;
	memmove(&logins[i + 1], &logins[i], (listing->count - i - 1) * sizeof(*logins));
	logins[i] = (struct login){.name = arena_copy(arena, name)};
	*number_of(&logins[i], listing->day) = number;
}

static enum store_answer scan(struct store *store, struct slice prefix, struct listing *listing, struct arena *arena)
{
	struct arena *scratch = arena_new();
	enum store_answer answer = STORE_OK;
	struct slice after = SLICE("");
	char last[STORE_KEY_MAX];

	for (size_t pages = 0; answer == STORE_OK && after.p; pages++) {
		struct store_page page;

		if (pages == PAGES_MAX) {
			listing->more = true;
			break;
		}
		arena_reset(scratch);
		answer = store_scan(store, prefix, after, STORE_SCAN_MAX, scratch, &page);
		for (size_t i = 0; answer == STORE_OK && i < page.count; i++)
			insert(listing, slice_from(page.items[i].key, prefix.n), page.items[i].count, arena);
		after = page.next;
		if (answer == STORE_OK && after.p)
			after.p = memcpy(last, after.p, after.n);
	}
	arena_free(scratch);
	return answer;
}

/* The rest of the key is the same in each. */
static uint64_t count_of(struct store *store, struct slice what, struct slice name, struct arena *arena)
{
	struct store_item item;

	return store_get(store, arena_join(arena, SLICE("login:"), what, SLICE(":"), name), arena, &item) == STORE_OK
		   ? item.count
		   : 0;
}

int login_list(struct store *store, bool day, size_t most, struct arena *arena, struct login **logins_r,
	       size_t *count_r, bool *more_r)
{
	struct listing listing = {.most = most < LOGIN_LIST_MAX ? most : LOGIN_LIST_MAX, .day = day};

	listing.logins = arena_alloc(arena, (listing.most + 1) * sizeof(struct login));
	if (scan(store, day ? SLICE("login:recipients:") : SLICE("login:recent:"), &listing, arena) != STORE_OK)
		return -1;
	for (size_t i = 0; i < listing.count; i++) {
		struct login *login = &listing.logins[i];

		login->recent = count_of(store, SLICE("recent"), login->name, arena);
		login->recipients = count_of(store, SLICE("recipients"), login->name, arena);
		login->refused = count_of(store, SLICE("refused"), login->name, arena);
		login->networks = count_of(store, SLICE("networks"), login->name, arena);
	}
	*logins_r = listing.logins;
	*count_r = listing.count;
	*more_r = listing.more;
	return 0;
}
