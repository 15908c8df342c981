/*
 * key.c - keys of a space and texts that anybody may have chosen.
 */
#include "store.h"

#include <xxhash.h>

#define HASH_TEXT 33                          /* "#" and 32 hexadecimal digits */
#define HEAD_MAX  (STORE_KEY_MAX - HASH_TEXT) /* what is kept of a key that is too long */

static bool is_plain(unsigned char c, bool last)
{
	return c > ' ' && c != 0x7f && c != '%' && (c != ':' || last);
}

static char *put_escaped(char *end, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	*end++ = '%';
	*end++ = digits[c >> 4];
	*end++ = digits[c & 15];
	return end;
}

/* Writes until `limit` is reached; true when all of it was written. */
static bool put_part(char **end, const char *limit, struct slice part, bool last)
{
	for (size_t i = 0; i < part.n; i++) {
		unsigned char c = (unsigned char)part.p[i];

		if (limit - *end < 3)
			return false;
		if (is_plain(c, last))
			*(*end)++ = (char)c;
		else
			*end = put_escaped(*end, c);
	}
	return true;
}

/* The hash of the parts with their lengths, so that no two splits of one text are equal. */
static char *put_hash(char *end, const struct slice *parts, size_t count)
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t hash;

	if (!state)
		die("out of memory: a hash");
	XXH3_128bits_reset(state);
	for (size_t i = 0; i < count; i++) {
		XXH3_128bits_update(state, &parts[i].n, sizeof(parts[i].n));
		if (parts[i].n > 0)
			XXH3_128bits_update(state, parts[i].p, parts[i].n);
	}
	hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	*end++ = '#';
	for (int shift = 60; shift >= 0; shift -= 4)
		*end++ = "0123456789abcdef"[hash.high64 >> shift & 15];
	for (int shift = 60; shift >= 0; shift -= 4)
		*end++ = "0123456789abcdef"[hash.low64 >> shift & 15];
	return end;
}

struct slice store_key_parts(struct arena *arena, const struct slice *parts, size_t count)
{
	char key[STORE_KEY_MAX + 3], *end = key; /* 3: the last byte may need no escape */
	const char *limit = key + STORE_KEY_MAX + 2;
	bool whole = true;

	for (size_t i = 0; i < count && whole; i++) {
		if (i > 0 && end < limit)
			*end++ = ':';
		whole = end < limit && put_part(&end, limit, parts[i], i + 1 == count);
	}
	if (!whole || end - key > STORE_KEY_MAX)
		end = put_hash(key + HEAD_MAX, parts, count);
	if (end == key)
		*end++ = ':'; /* the key of nothing: LMDB has no empty keys */
	return arena_copy(arena, (struct slice){key, (size_t)(end - key)});
}
