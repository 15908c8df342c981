/*
 * srs.c - SRS as maps: the doors srs-forward and srs-reverse, which speak the tcp table protocol of Postfix
 * (tcp_table(5)) as postsrsd does. A request is the line "get KEY"; an answer "200 value", "500 why" (not found) or
 * "400 why" (come again). Blanks, "%" and bytes that are not printable ASCII are written %XX.
 */
#include "socketmap_private.h"
#include <stdlib.h>

struct table {
	struct server *server;
	struct door_host *host;
	enum srs_direction direction;
};

/* ---- the protocol ------------------------------------------------------------------------------------- */

size_t table_frame(struct slice bytes)
{
	ptrdiff_t end = slice_find(bytes, '\n');
	struct slice first = slice_head(bytes, 4);

	if (!slice_equal(slice_head(SLICE("get "), first.n), first) &&
	    !slice_equal(slice_head(SLICE("put "), first.n), first))
		return FRAME_INVALID;
	return end < 0 ? 0 : (size_t)end + 1;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c = to_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool table_decode(struct slice text, struct arena *arena, struct slice *key_r)
{
	char *out = arena_raw(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		out[n] = text.p[i];
		if (text.p[i] == '%') {
			high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
			low = high < 0 ? -1 : hex_digit(text.p[i + 2]);
			if (low < 0)
				return false;
			out[n] = (char)(high << 4 | low);
			i += 2;
		}
		n++;
	}
	*key_r = (struct slice){out, n};
	return true;
}

void table_encode(struct text *answer, struct slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= ' ' || c >= 0x7f || c == '%')
			text_printf(answer, "%%%02x", c);
		else
			text_add_char(answer, value.p[i]);
	}
}

static const char *const codes[] = {
    [FOUND] = "200 ", [FOUND_NOTHING] = "500 ", [FOUND_TROUBLE] = "400 ", [FOUND_NO_MAP] = "400 "};

static void answer_key(struct table *table, struct slice said, struct arena *arena, struct text *answer)
{
	struct engine *engine = table->host->engine(table->host);
	struct slice key, value = SLICE("the key is not encoded as it must be");
	enum found found = FOUND_NOTHING;

	if (table_decode(said, arena, &key))
		found = srs_find(engine, table->direction, key, arena, &value);
	text_add(answer, slice_of(codes[found]));
	table_encode(answer, value);
	text_add_char(answer, '\n');
	engine_release(engine);
}

static bool table_answer(void *door, struct server_peer *peer, struct slice frame, struct text *answer)
{
	struct slice line = slice_trim(frame);
	struct arena *arena = arena_new();

	(void)peer;
	if (line.n > 0 && line.p[0] == 'p')
		text_add(answer, SLICE("500 only%20get%20is%20possible\n"));
	else
		answer_key(door, slice_trim(slice_from(line, 3)), arena, answer);
	arena_free(arena);
	return true;
}

/* ---- the map ------------------------------------------------------------------------------------------ */

enum found srs_find(struct engine *engine, enum srs_direction direction, struct slice key, struct arena *arena,
		    struct slice *value_r)
{
	enum srs_result result;

	if (!policy_settings(engine_policy(engine))->srs.said) {
		*value_r = SLICE("srs is not configured");
		return FOUND_NO_MAP;
	}
	result = engine_srs(engine, direction, key, arena, value_r);
	if (result == SRS_REWRITTEN)
		return FOUND;
	*value_r = slice_of(srs_results[result]);
	return result == SRS_NO_ANSWER ? FOUND_TROUBLE : FOUND_NOTHING;
}

/* ---- the doors ---------------------------------------------------------------------------------------- */

static const struct server_protocol protocol = {.name = "srs-forward or srs-reverse",
						.request_max = REQUEST_MAX,
						.prompt = true,
						.frame = table_frame,
						.answer = table_answer};

static void *table_open(struct door_host *host, int fd, enum srs_direction direction, struct error *err)
{
	struct table *table = xmalloc(sizeof(*table));

	table->host = host;
	table->direction = direction;
	table->server = server_open(host, fd, &protocol, table, err);
	if (table->server)
		return table;
	free(table);
	return NULL;
}

static void *forward_open(struct door_host *host, int fd, struct error *err)
{
	return table_open(host, fd, SRS_FORWARD, err);
}

static void *reverse_open(struct door_host *host, int fd, struct error *err)
{
	return table_open(host, fd, SRS_REVERSE, err);
}

static int table_start(void *state, struct error *err)
{
	return server_start(((struct table *)state)->server, err);
}

static void table_progress(void *state)
{
	(void)state; /* no look-up takes long */
}

static bool table_stop(void *state, int64_t until_us)
{
	return server_stop(((struct table *)state)->server, until_us);
}

static void table_close(void *state)
{
	server_close(((struct table *)state)->server);
	free(state);
}

#define TABLE_DOOR(word, opener)                                                                                       \
	{                                                                                                              \
		.name = (word), .open = (opener), .start = table_start, .progress = table_progress,                    \
		.stop = table_stop, .close = table_close                                                               \
	}

const struct door srs_forward_door = TABLE_DOOR("srs-forward", forward_open);
const struct door srs_reverse_door = TABLE_DOOR("srs-reverse", reverse_open);
