/*
 * dynamic.c - a list whose entries are in the store (`dynamic:30m`): programs add and remove them, and each expires by
 * itself. The keys are in list.h.
 *
 * The list is bounded by counting what is added. Entries expire without notice, so the count is too high after a while:
 * a list that seems full is counted in the store, at most once in LIST_COUNT_AGAIN_US.
 */
#include "backend.h"
#include "look.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LENGTHS_MAX 129 /* possible prefix lengths */

/* Shared by the states of a list in an old and a new policy. */
struct tally {
	unsigned holders;
	pthread_mutex_t lock;
	uint64_t count; /* at least what is in the store */
	int64_t at_us;  /* clock_us when it was counted; 0: never */
};

struct dynamic {
	struct slice name; /* of the list, which outlives its state */
	int64_t life_us;
	uint64_t at_most;
	struct tally *tally;
	bool refreshed;
};

/* An entry and its key. */
struct place {
	enum entry_kind kind;
	struct ip_net net;
	struct slice entry, key; /* in the arena */
};

/* ---- the state ------------------------------------------------------------------- */

static struct tally *tally_hold(struct tally *tally)
{
	if (!tally) {
		tally = xmalloc(sizeof(*tally));
		pthread_mutex_init(&tally->lock, NULL);
	}
	pthread_mutex_lock(&tally->lock);
	tally->holders++;
	pthread_mutex_unlock(&tally->lock);
	return tally;
}

static void tally_release(struct tally *tally)
{
	bool last;

	pthread_mutex_lock(&tally->lock);
	last = --tally->holders == 0;
	pthread_mutex_unlock(&tally->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&tally->lock);
	free(tally);
}

static void *dynamic_open(const struct list_setting *setting, struct slice where, void *before)
{
	struct dynamic *dynamic = xmalloc(sizeof(*dynamic));

	(void)where;
	dynamic->name = setting->name;
	dynamic->life_us = setting->life_us;
	dynamic->at_most = setting->at_most ? setting->at_most : LIST_MEMBERS;
	dynamic->tally = tally_hold(before ? ((struct dynamic *)before)->tally : NULL);
	return dynamic;
}

static void dynamic_close(void *state)
{
	struct dynamic *dynamic = state;

	tally_release(dynamic->tally);
	free(dynamic);
}

/* There is nothing to read: the first time says that it is ready. */
static int dynamic_refresh(void *state, struct list_faults *faults)
{
	struct dynamic *dynamic = state;
	bool first = !dynamic->refreshed;

	(void)faults;
	dynamic->refreshed = true;
	return first;
}

static enum truth dynamic_owns(void *state, struct slice login, const struct address *address)
{
	(void)state, (void)login, (void)address;
	return TRUTH_FALSE;
}

/* ---- keys -------------------------------------------------------------------------- */

/* Would store_key() keep all of it? A longer key is a hash, for which a stranger could find another text. */
static bool fits(struct slice text)
{
	size_t n = text.n;

	for (size_t i = 0; i < text.n; i++)
		n += (unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f || text.p[i] == '%' ? 2 : 0;
	return n <= LIST_MEMBER_MAX;
}

static struct slice prefix_of(const struct dynamic *dynamic, struct slice kind, struct arena *arena)
{
	return store_key(arena, SLICE("list"), kind, dynamic->name, SLICE(""));
}

static struct slice net_print(const struct ip_net *net, struct arena *arena)
{
	char text[IP_TEXT], number[NUMBER_TEXT];
	struct slice ip = ip_print(net->ip, text);

	if (net->prefix == (net->ip.family == 4 ? 32 : 128))
		return arena_copy(arena, ip);
	return arena_join(arena, ip, SLICE("/"), number_print(net->prefix, number));
}

static struct slice net_key(const struct dynamic *dynamic, const struct ip_net *net, struct arena *arena)
{
	return store_key(arena, SLICE("list"), SLICE("net"), dynamic->name, net_print(net, arena));
}

static struct slice text_key(const struct dynamic *dynamic, struct slice text, struct arena *arena)
{
	return store_key(arena, SLICE("list"), SLICE("text"), dynamic->name, text);
}

static struct slice lengths_key(const struct dynamic *dynamic, unsigned family, struct arena *arena)
{
	return store_key(arena, SLICE("list"), SLICE("lengths"), dynamic->name, family == 6 ? SLICE("6") : SLICE("4"));
}

static int place_find(const struct dynamic *dynamic, struct slice text, struct arena *arena, struct place *place_r,
		      struct error *err)
{
	struct key key;

	if (text.n == 0) {
		error_set(err, "an empty entry; write an address, a network, a domain or a text");
		return -1;
	}
	if (entry_parse(text, arena, &place_r->kind, &key, &place_r->net, err))
		return -1;
	if (place_r->kind == ENTRY_NET) {
		place_r->entry = net_print(&place_r->net, arena);
		place_r->key = net_key(dynamic, &place_r->net, arena);
		return 0;
	}
	place_r->entry = arena_copy(arena, (struct slice){key.bytes, key.n});
	place_r->key = text_key(dynamic, place_r->entry, arena);
	if (key.n > 0 && fits(place_r->entry))
		return 0;
	error_set(err, "the entry is too long; a dynamic list takes up to %d bytes", LIST_MEMBER_MAX);
	return -1;
}

/* ---- looking up ---------------------------------------------------------------------- */

struct asked {
	const struct dynamic *dynamic;
	struct store *store;
	struct arena *arena;
	const struct ip_net *net;
};

static enum truth truth_of(enum store_answer answer)
{
	return answer == STORE_OK ? TRUTH_TRUE : answer == STORE_ABSENT ? TRUTH_FALSE : TRUTH_UNKNOWN;
}

/* A network as key_of_net() writes it. */
static struct ip_net net_of_key(const struct key *key)
{
	struct ip_net net = {.ip.family = key->bytes[0] == 1 ? 4 : 6, .prefix = (uint8_t)key->bytes[1]};

	memcpy(net.ip.bytes, key->bytes + 2, key->n - 2);
	return net;
}

static enum truth has_key(void *context, const struct key *key)
{
	const struct asked *asked = context;
	struct slice text = {key->bytes, key->n}, stored;
	struct store_item item;
	struct ip_net net;

	if ((unsigned char)text.p[0] < 0x20) {
		net = net_of_key(key);
		stored = net_key(asked->dynamic, &net, asked->arena);
	} else if (fits(text)) {
		stored = text_key(asked->dynamic, text, asked->arena);
	} else {
		return TRUTH_FALSE;
	}
	return truth_of(store_get(asked->store, stored, asked->arena, &item));
}

static enum truth has_ip(const struct asked *asked, const struct look *look, struct ip ip)
{
	bool prefixes[LENGTHS_MAX] = {false};
	struct slice rest, word;
	struct store_item item;
	enum truth listed;
	uint64_t length;

	if (ip.family == 0)
		return TRUTH_FALSE;
	listed = truth_of(
	    store_get(asked->store, lengths_key(asked->dynamic, ip.family, asked->arena), asked->arena, &item));
	if (listed != TRUTH_TRUE)
		return listed;
	rest = item.value;
	while (slice_word(&rest, &word))
		if (slice_number(word, ip.family == 4 ? 32 : 128, &length) == 0)
			prefixes[length] = true;
	return look_ip(look, prefixes, ip);
}

static enum truth dynamic_has(void *state, struct store *store, const struct list_key *key)
{
	struct asked asked = {.dynamic = state, .store = store};
	struct look look = {has_key, &asked};
	enum truth found;

	if (!store)
		return TRUTH_UNKNOWN;
	asked.arena = arena_new();
	if (key->kind == LIST_IP)
		found = has_ip(&asked, &look, key->ip);
	else if (key->kind == LIST_ADDRESS)
		found = look_address(&look, key->address);
	else
		found = look_text(&look, key->text);
	arena_free(asked.arena);
	return found;
}

/* ---- how many there are ----------------------------------------------------------------- */

static int unavailable(struct error *err)
{
	error_set(err, "the store does not work or is full; see the log of the daemon");
	return -1;
}

static int count_prefix(struct store *store, struct slice prefix, uint64_t *count)
{
	char last[STORE_KEY_MAX]; /* the arena of a page does not outlive it */
	struct slice after = {last, 0};
	struct store_page page;
	enum store_answer answer;
	bool more;

	do {
		struct arena *arena = arena_new();

		answer = store_scan(store, prefix, after, STORE_SCAN_MAX, arena, &page);
		more = answer == STORE_OK && page.next.p;
		*count += answer == STORE_OK ? page.count : 0;
		after.n = more ? page.next.n : 0;
		if (more)
			memcpy(last, page.next.p, page.next.n);
		arena_free(arena);
	} while (more);
	return answer == STORE_OK ? 0 : -1;
}

/* The lock is held. */
static int tally_count(struct dynamic *dynamic, struct store *store)
{
	struct arena *arena = arena_new();
	uint64_t count = 0;
	int result = count_prefix(store, prefix_of(dynamic, SLICE("net"), arena), &count);

	if (result == 0)
		result = count_prefix(store, prefix_of(dynamic, SLICE("text"), arena), &count);
	arena_free(arena);
	if (result)
		return -1;
	dynamic->tally->count = count;
	dynamic->tally->at_us = clock_us();
	return 0;
}

/* Takes a place for one more entry. The lock is held. */
static int tally_take(struct dynamic *dynamic, struct store *store, struct error *err)
{
	struct tally *tally = dynamic->tally;
	bool old = tally->at_us == 0 || clock_us() - tally->at_us > LIST_COUNT_AGAIN_US;

	if ((tally->at_us == 0 || (tally->count >= dynamic->at_most && old)) && tally_count(dynamic, store))
		return unavailable(err);
	if (tally->count < dynamic->at_most) {
		tally->count++;
		return 0;
	}
	error_set(err, "the list %.*s is full: it has %llu entries; raise at-most, or add entries for a shorter time",
		  SLICE_ARGS(dynamic->name), (unsigned long long)tally->count);
	return -1;
}

static void tally_give_back(struct dynamic *dynamic)
{
	if (dynamic->tally->count > 0)
		dynamic->tally->count--;
}

/* ---- changing ---------------------------------------------------------------------------- */

/* Adds the prefix length to those that are looked up. They are never removed: there are few. */
static int add_length(const struct dynamic *dynamic, struct store *store, const struct ip_net *net, struct arena *arena,
		      struct error *err)
{
	char buffer[NUMBER_TEXT];
	enum store_answer answer = store_add_word(store, lengths_key(dynamic, net->ip.family, arena),
						  number_print(net->prefix, buffer), arena);

	return answer == STORE_OK ? 0 : unavailable(err);
}

/* The lock is held. */
static int put(struct dynamic *dynamic, struct store *store, const struct place *place, int64_t life_us,
	       struct arena *arena, bool *was_r, struct error *err)
{
	struct store_item item;
	enum store_answer answer = store_get(store, place->key, arena, &item);

	*was_r = answer == STORE_OK;
	if (answer != STORE_OK && answer != STORE_ABSENT)
		return unavailable(err);
	if (!*was_r && tally_take(dynamic, store, err))
		return -1;
	/* the entry itself is the value: a key is escaped */
	if ((place->kind != ENTRY_NET || add_length(dynamic, store, &place->net, arena, err) == 0) &&
	    store_put(store, place->key, place->entry, life_us) == STORE_OK)
		return 0;
	if (!*was_r)
		tally_give_back(dynamic);
	return unavailable(err);
}

static int dynamic_add(void *state, struct store *store, struct slice entry, int64_t life_us, struct arena *arena,
		       struct list_member *member_r, bool *was_r, struct error *err)
{
	struct dynamic *dynamic = state;
	struct place place;
	int result;

	if (life_us == 0)
		life_us = dynamic->life_us;
	if (life_us < LIST_LIFE_MIN_US || life_us > STORE_LIFE_MAX_US) {
		error_set(err, "an entry lasts from one second to ten years");
		return -1;
	}
	if (place_find(dynamic, entry, arena, &place, err))
		return -1;
	*member_r = (struct list_member){place.entry, life_us};
	pthread_mutex_lock(&dynamic->tally->lock);
	result = put(dynamic, store, &place, life_us, arena, was_r, err);
	pthread_mutex_unlock(&dynamic->tally->lock);
	return result;
}

static int dynamic_remove(void *state, struct store *store, struct slice entry, struct arena *arena, struct error *err)
{
	struct dynamic *dynamic = state;
	enum store_answer answer;
	struct place place;

	if (place_find(dynamic, entry, arena, &place, err))
		return -1;
	pthread_mutex_lock(&dynamic->tally->lock);
	answer = store_delete(store, place.key);
	if (answer == STORE_OK)
		tally_give_back(dynamic);
	pthread_mutex_unlock(&dynamic->tally->lock);
	return answer == STORE_OK ? 1 : answer == STORE_ABSENT ? 0 : unavailable(err);
}

static int dynamic_member(void *state, struct store *store, struct slice entry, struct arena *arena,
			  struct list_member *member_r, struct error *err)
{
	enum store_answer answer;
	struct store_item item;
	struct place place;

	if (place_find(state, entry, arena, &place, err))
		return -1;
	answer = store_get(store, place.key, arena, &item);
	if (answer == STORE_OK)
		*member_r = (struct list_member){place.entry, item.life_us};
	return answer == STORE_OK ? 1 : answer == STORE_ABSENT ? 0 : unavailable(err);
}

static bool starts(struct slice text, struct slice prefix)
{
	return text.n >= prefix.n && memcmp(text.p, prefix.p, prefix.n) == 0;
}

static int dynamic_members(void *state, struct store *store, struct slice after, struct arena *arena,
			   struct list_page *page_r, struct error *err)
{
	struct slice texts = prefix_of(state, SLICE("text"), arena);
	bool text = starts(after, texts);
	struct store_page page;

	if (store_scan(store, text ? texts : prefix_of(state, SLICE("net"), arena), after, LIST_PAGE_MAX, arena, &page))
		return unavailable(err);
	*page_r = (struct list_page){.members = arena_alloc(arena, (page.count + 1) * sizeof(struct list_member)),
				     .count = page.count,
				     .next = page.next};
	for (size_t i = 0; i < page.count; i++)
		page_r->members[i] = (struct list_member){page.items[i].value, page.items[i].life_us};
	if (!page.next.p && !text)
		page_r->next = texts; /* less than every key that begins with it */
	return 0;
}

const struct list_backend list_dynamic = {
    .name = "dynamic",
    .unknown = "the store does not answer",
    .open = dynamic_open,
    .has = dynamic_has,
    .owns = dynamic_owns,
    .refresh = dynamic_refresh,
    .close = dynamic_close,
    .add = dynamic_add,
    .remove = dynamic_remove,
    .member = dynamic_member,
    .members = dynamic_members,
};
