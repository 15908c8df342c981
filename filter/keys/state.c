/*
 * state.c - the file `state` of a domain: a line for each key, as
 *
 *	20261127r made 1795800000 seen 1795803600 ttl 3600 retired 0 absent 0 vanished 0
 *
 * Times are seconds since 1970, 0 is never. A key without a line is as old as its file, and waits for the DNS.
 */
#include "keys_private.h"

#define TIME_MAX 253402300799ull /* the year 9999 */

struct member {
	struct slice name;
	size_t offset;
	uint64_t most;
};

#define MEMBER(name, member, most)                                                                                     \
	{                                                                                                              \
		{name, sizeof(name) - 1}, offsetof(struct managed_key, member), most                                   \
	}

static const struct member members[] = {
    MEMBER("made", made_s, TIME_MAX),     MEMBER("seen", seen_s, TIME_MAX),
    MEMBER("ttl", ttl_s, KEYS_TTL_MAX_S), MEMBER("retired", retired_s, TIME_MAX),
    MEMBER("absent", absent_s, TIME_MAX), MEMBER("vanished", vanished_s, TIME_MAX),
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static int64_t *value_of(const struct managed_key *key, const struct member *member)
{
	return (int64_t *)((char *)key + member->offset);
}

static const struct member *member_of(struct slice name)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (slice_equal(members[i].name, name))
			return &members[i];
	return NULL;
}

static struct managed_key *key_of(struct key_set *set, struct slice selector)
{
	for (size_t i = 0; i < set->count; i++)
		if (slice_equal(set->keys[i].selector, selector))
			return &set->keys[i];
	return NULL;
}

static int parse_members(struct managed_key *key, struct slice line)
{
	struct slice name, text;
	uint64_t number;

	while (slice_word(&line, &name)) {
		const struct member *member = member_of(name);

		if (!member || !slice_word(&line, &text) || slice_number(text, member->most, &number))
			return -1;
		*value_of(key, member) = (int64_t)number;
	}
	return 0;
}

int state_parse(struct key_set *set, struct slice text, struct error *err)
{
	struct managed_key ignored = {0}, *key;
	struct slice line, selector;
	bool sound = slice_cut(&text, '\n', &line) && slice_equal(line, SLICE(STATE_FIRST));

	while (sound && slice_cut(&text, '\n', &line)) {
		if (!slice_word(&line, &selector))
			continue;
		key = key_of(set, selector);
		sound = parse_members(key ? key : &ignored, line) == 0; /* a line may outlive its key */
	}
	if (sound)
		return 0;
	error_set(err, "%s/%.*s/" STATE_FILE " is damaged; remove it, and the keys wait again for the DNS",
		  set->directory, SLICE_ARGS(set->domain));
	return -1;
}

struct slice state_print(const struct key_set *set, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, FILE_MAX);
	text_add(&text, SLICE(STATE_FIRST "\n"));
	for (size_t i = 0; i < set->count; i++) {
		text_add(&text, set->keys[i].selector);
		for (size_t m = 0; m < MEMBERS; m++)
			text_printf(&text, " %s %lld", members[m].name.p,
				    (long long)*value_of(&set->keys[i], &members[m]));
		text_add_char(&text, '\n');
	}
	return text_slice(&text);
}
