/*
 * block.c - blocks in the store: added, removed, listed. Contract: block.h.
 */
#include "block.h"
#include "blocked.h"
#include "mail.h"
#include <string.h>

#define FLUSH_US (INT64_C(2) * 1000 * 1000)

/* ---- keys ---------------------------------------------------------------------------------------- */

struct slice block_fold(struct slice name, struct arena *arena)
{
	struct address address;

	if (slice_find(name, '@') < 0)
		return mail_fold(name, arena);
	address = address_parse_path(name, arena);
	return address.valid && address.domain.n > 0 ? address_fold(&address, arena) : mail_fold(name, arena);
}

struct slice block_name_key(struct slice name, struct arena *arena)
{
	return store_key(arena, SLICE("block"), SLICE("name"), block_fold(name, arena));
}

static struct slice net_print(const struct ip_net *net, struct arena *arena)
{
	char text[IP_TEXT], number[NUMBER_TEXT];

	return arena_join(arena, ip_print(net->ip, text), SLICE("/"), number_print(net->prefix, number));
}

struct slice block_net_key(const struct ip_net *net, struct arena *arena)
{
	return store_key(arena, SLICE("block"), SLICE("net"), net_print(net, arena));
}

struct slice block_lengths_key(uint8_t family, struct arena *arena)
{
	return store_key(arena, SLICE("block"), SLICE("lengths"), family == 6 ? SLICE("6") : SLICE("4"));
}

/* ---- changing ------------------------------------------------------------------------------------ */

static int failed(struct error *err, enum store_answer answer)
{
	error_set(err, "%s",
		  answer == STORE_INVALID ? "a block lasts from one second to ten years"
					  : "the store does not work or is full; see the log of the daemon");
	return -1;
}

/* One line of text that fits in a reply. */
static bool is_line(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return false;
	return true;
}

static int check_what(struct slice what, struct error *err)
{
	if (what.n > 0 && what.n <= BLOCK_WHAT_MAX && is_line(what))
		return 0;
	error_set(err, "name a login, an address or a network, in one line of at most %d bytes", BLOCK_WHAT_MAX);
	return -1;
}

/* Adds the length to those that are looked up. They are never removed: there are few. */
static int add_length(struct store *store, const struct ip_net *net, struct arena *arena, struct error *err)
{
	char buffer[NUMBER_TEXT];
	enum store_answer answer =
	    store_add_word(store, block_lengths_key(net->ip.family, arena), number_print(net->prefix, buffer), arena);

	return answer == STORE_OK ? 0 : failed(err, answer);
}

/* The key of the given name; *what_r: the name as it is shown. */
static struct slice find_key(struct slice what, struct arena *arena, struct ip_net *net_r, struct slice *what_r)
{
	*net_r = (struct ip_net){.prefix = 0};
	if (ip_net_parse(what, net_r) == 0) {
		*what_r = net_print(net_r, arena);
		return block_net_key(net_r, arena);
	}
	net_r->ip.family = 0;
	*what_r = block_fold(what, arena);
	return block_name_key(what, arena);
}

int block_add(struct store *store, const struct block *block, struct arena *arena, struct slice *what_r,
	      struct error *err)
{
	enum store_answer answer;
	struct ip_net net;
	struct slice key;

	if (check_what(block->what, err))
		return -1;
	if (block->why.n > BLOCK_WHY_MAX || !is_line(block->why)) {
		error_set(err, "the reason must be one line of at most %d bytes", BLOCK_WHY_MAX);
		return -1;
	}
	key = find_key(block->what, arena, &net, what_r);
	if (net.ip.family && add_length(store, &net, arena, err))
		return -1;
	answer = store_put(store, key, block->why, block->life_us);
	if (answer == STORE_OK)
		answer = store_flush(store, clock_us() + FLUSH_US);
	return answer == STORE_OK ? 0 : failed(err, answer);
}

int block_remove(struct store *store, struct slice what, struct arena *arena, struct error *err)
{
	enum store_answer answer;
	struct ip_net net;
	struct slice shown;

	if (check_what(what, err))
		return -1;
	answer = store_delete(store, find_key(what, arena, &net, &shown));
	if (answer == STORE_ABSENT)
		return 0;
	if (answer == STORE_OK)
		answer = store_flush(store, clock_us() + FLUSH_US);
	return answer == STORE_OK ? 1 : failed(err, answer);
}

/* ---- listing ---------------------------------------------------------------------------------------- */

struct listing {
	struct block *blocks;
	size_t count;
	bool more;
};

static enum store_answer list_prefix(struct store *store, struct slice prefix, struct arena *arena,
				     struct listing *listing)
{
	struct store_page page = {.next = SLICE("")};
	enum store_answer answer;

	do {
		answer = store_scan(store, prefix, page.next, STORE_SCAN_MAX, arena, &page);
		for (size_t i = 0; answer == STORE_OK && i < page.count; i++) {
			listing->more |= listing->count == BLOCK_LIST_MAX;
			if (listing->more)
				return answer;
			listing->blocks[listing->count++] = (struct block){slice_from(page.items[i].key, prefix.n),
									   page.items[i].value, page.items[i].life_us};
		}
	} while (answer == STORE_OK && page.next.p);
	return answer;
}

int block_list(struct store *store, struct arena *arena, struct block **blocks_r, size_t *count_r, bool *more_r,
	       struct error *err)
{
	struct listing listing = {.blocks = arena_alloc(arena, BLOCK_LIST_MAX * sizeof(struct block))};
	enum store_answer answer = list_prefix(store, SLICE("block:name:"), arena, &listing);

	if (answer == STORE_OK)
		answer = list_prefix(store, SLICE("block:net:"), arena, &listing);
	if (answer != STORE_OK)
		return failed(err, answer);
	*blocks_r = listing.blocks;
	*count_r = listing.count;
	*more_r = listing.more;
	return 0;
}
