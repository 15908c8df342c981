/*
 * members.c - sets of distinct members as values.
 */
#include "members.h"

#define MEMBER_BYTES  16
#define HOLDS_BITS    16
#define HOLDS_MAX     ((1u << HOLDS_BITS) - 1) /* a member with this count stays until its window has passed */
#define SLOT_MAX      (INT64_MAX >> HOLDS_BITS)
#define SHORTEST_SLOT (STORE_WINDOW_MIN_US / STORE_SLOTS)
#define LONGEST_SLOT  (STORE_WINDOW_MAX_US / STORE_SLOTS)

struct member {
	uint64_t hash;
	int64_t slot;
	unsigned holds;
};

static struct member member_read(const char *p)
{
	uint64_t words[2];

	memcpy(words, p, MEMBER_BYTES);
	return (struct member){words[0], (int64_t)(words[1] >> HOLDS_BITS), (unsigned)(words[1] & HOLDS_MAX)};
}

static char *member_write(char *p, const struct member *member)
{
	uint64_t words[2] = {member->hash, (uint64_t)member->slot << HOLDS_BITS | member->holds};

	memcpy(p, words, MEMBER_BYTES);
	return p + MEMBER_BYTES;
}

/* The length of a slot; 0: malformed. */
static int64_t head_read(struct slice value)
{
	int64_t slot_us = 0;

	if (value.n < MEMBERS_HEAD || value.n > MEMBERS_BYTES || (value.n - MEMBERS_HEAD) % MEMBER_BYTES != 0)
		return 0;
	memcpy(&slot_us, value.p, MEMBERS_HEAD);
	return slot_us >= SHORTEST_SLOT && slot_us <= LONGEST_SLOT ? slot_us : 0;
}

bool members_read(struct slice value, uint64_t hash, int64_t slot_us, int64_t now, struct window *window_r,
		  bool *is_there_r)
{
	int64_t stored_us = head_read(value);
	bool known = stored_us > 0;

	if (slot_us == 0)
		slot_us = known ? stored_us : SHORTEST_SLOT;
	*is_there_r = false;
	window_init(window_r, slot_us, now);
	for (size_t at = MEMBERS_HEAD; known && at < value.n; at += MEMBER_BYTES) {
		struct member member = member_read(value.p + at);
		uint64_t before = window_r->sum;

		known = member.slot <= INT64_MAX / stored_us && window_add(window_r, member.slot, stored_us, 1);
		if (member.hash == hash && window_r->sum > before)
			*is_there_r = true;
	}
	if (known)
		return true;
	*is_there_r = false;
	window_init(window_r, slot_us, now);
	return false;
}

size_t members_add(struct slice value, uint64_t hash, int64_t slot_us, int64_t now, char *value_r)
{
	struct member added = {hash, now / slot_us, 1};
	int64_t stored_us = head_read(value);
	char *end = value_r + MEMBERS_HEAD;

	memcpy(value_r, &slot_us, MEMBERS_HEAD);
	for (size_t at = MEMBERS_HEAD; stored_us > 0 && at < value.n; at += MEMBER_BYTES) {
		struct member member = member_read(value.p + at);

		member.slot = member.slot <= INT64_MAX / stored_us ? member.slot * stored_us / slot_us : 0;
		if (member.slot <= added.slot - STORE_SLOTS || member.slot > SLOT_MAX)
			continue;
		if (member.hash == hash)
			added.holds = member.holds < HOLDS_MAX ? member.holds + 1 : HOLDS_MAX;
		else
			end = member_write(end, &member);
	}
	if ((size_t)(end - value_r) < MEMBERS_BYTES)
		end = member_write(end, &added);
	return (size_t)(end - value_r);
}

size_t members_remove(struct slice value, uint64_t hash, int64_t now, char *value_r)
{
	int64_t stored_us = head_read(value);
	char *end = value_r + MEMBERS_HEAD;

	if (stored_us == 0)
		return 0;
	memcpy(value_r, &stored_us, MEMBERS_HEAD);
	for (size_t at = MEMBERS_HEAD; at < value.n; at += MEMBER_BYTES) {
		struct member member = member_read(value.p + at);

		if (member.slot <= now / stored_us - STORE_SLOTS)
			continue;
		if (member.hash == hash && member.holds < HOLDS_MAX)
			member.holds--;
		if (member.holds > 0)
			end = member_write(end, &member);
	}
	return end > value_r + MEMBERS_HEAD ? (size_t)(end - value_r) : 0;
}
