/*
 * suppress.c - dead addresses: those that the mail server refuses, or whose mail bounces, have a rest from reports.
 */
#include "reports.h"

#define DAY_S    INT64_C(86400)
#define MEMORY_S (32 * DAY_S) /* so long after the time is over the next one is longer */
#define WHY_MAX  300
#define PAGE     200

static const int64_t rests_s[] = {1 * DAY_S, 4 * DAY_S, 16 * DAY_S}; /* the last one again and again */
#define RESTS (sizeof(rests_s) / sizeof(rests_s[0]))

static struct slice key_of(struct slice address, struct arena *arena)
{
	return store_key(arena, SLICE("rua"), SLICE("dead"), arena_lower(arena, address));
}

/* "TIMES UNTIL WHY"; false: it is not one of ours. */
static bool parse(struct slice value, struct report_dead *dead_r)
{
	struct slice times, until;
	uint64_t number = 0, seconds = 0;

	if (!slice_cut(&value, ' ', &times) || !slice_cut(&value, ' ', &until) ||
	    slice_number(times, 1000000, &number) != 0 || slice_number(until, INT64_MAX, &seconds) != 0)
		return false;
	dead_r->times = (unsigned)number;
	dead_r->until_s = (int64_t)seconds;
	dead_r->why = value;
	return true;
}

static enum store_answer find(struct store *store, struct slice address, struct arena *arena,
			      struct report_dead *dead_r)
{
	struct store_item item;
	enum store_answer answer = store_get(store, key_of(address, arena), arena, &item);

	*dead_r = (struct report_dead){.address = address, .why = SLICE("")};
	return answer == STORE_OK && !parse(item.value, dead_r) ? STORE_ABSENT : answer;
}

/* One line of printable ASCII. */
static struct slice clean(struct slice why, struct arena *arena)
{
	struct slice copy = arena_copy(arena, slice_head(why, WHY_MAX));

	for (size_t i = 0; i < copy.n; i++)
		if (is_control(copy.p[i]) || (unsigned char)copy.p[i] >= 0x80)
			((char *)copy.p)[i] = '?';
	return copy;
}

enum store_answer report_dead_add(struct store *store, struct slice address, struct slice why, int64_t now_us,
				  struct arena *arena, int64_t *until_s_r)
{
	int64_t now_s = now_us / 1000000, rest_s;
	struct report_dead dead;
	enum store_answer answer = find(store, address, arena, &dead);

	*until_s_r = dead.until_s;
	if (answer == STORE_OK && now_s < dead.until_s)
		return STORE_OK; /* of mails that were sent before the first of them bounced, each may bounce */
	if (answer != STORE_OK && answer != STORE_ABSENT)
		return answer;
	rest_s = rests_s[dead.times < RESTS ? dead.times : RESTS - 1];
	*until_s_r = now_s + rest_s;
	why = clean(why, arena);
	return store_put(store, key_of(address, arena),
			 arena_printf(arena, "%u %lld %.*s", dead.times + 1, (long long)*until_s_r, SLICE_ARGS(why)),
			 (rest_s + MEMORY_S) * 1000000);
}

enum store_answer report_dead_find(struct store *store, struct slice address, int64_t now_us, struct arena *arena,
				   struct report_dead *dead_r)
{
	enum store_answer answer = find(store, address, arena, dead_r);

	return answer == STORE_OK && now_us / 1000000 >= dead_r->until_s ? STORE_ABSENT : answer;
}

enum store_answer report_dead_clear(struct store *store, struct slice address, struct arena *arena)
{
	return store_delete(store, key_of(address, arena));
}

/* ---- the list ---------------------------------------------------------------------------------------- */

static int digit(char c)
{
	return is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 0;
}

/* As store_key() wrote it. */
static struct slice unescape(struct slice part, struct arena *arena)
{
	char *out = arena_raw(arena, part.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '%' && i + 2 < part.n) {
			out[n++] = (char)(digit(part.p[i + 1]) * 16 + digit(part.p[i + 2]));
			i += 2;
		} else {
			out[n++] = part.p[i];
		}
	}
	return (struct slice){out, n};
}

enum store_answer report_dead_list(struct store *store, struct slice after, struct arena *arena,
				   struct report_dead **dead_r, size_t *count_r, struct slice *next_r)
{
	const struct slice prefix = SLICE("rua:dead:");
	struct store_page page;
	enum store_answer answer =
	    store_scan(store, prefix, after.n ? key_of(after, arena) : SLICE(""), PAGE, arena, &page);

	*count_r = 0;
	*next_r = (struct slice){NULL, 0};
	if (answer != STORE_OK)
		return answer;
	*dead_r = arena_alloc(arena, (page.count + 1) * sizeof(**dead_r));
	for (size_t i = 0; i < page.count; i++) {
		struct report_dead *dead = &(*dead_r)[*count_r];

		if (page.items[i].kind != STORE_VALUE || !parse(page.items[i].value, dead))
			continue;
		dead->address = unescape(slice_from(page.items[i].key, prefix.n), arena);
		++*count_r;
	}
	if (page.next.p)
		*next_r = unescape(slice_from(page.next, prefix.n), arena);
	return STORE_OK;
}
