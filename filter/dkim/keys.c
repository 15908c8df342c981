/*
 * keys.c - the keys that are published under one name: the answer of the DNS, read once.
 *
 * Keys stay with the cached answer, decoded, since decoding costs more than verifying. Whether one fits a
 * signature is decided for each signature.
 *
 * There should be one key record under a name (RFC 6376 3.6.2.2). When there are several, a verifier may try them one
 * after another (RFC 6376 6.1.2). Records that are not key records are ignored.
 */
#include "dkim_private.h"

#include <stdlib.h>

static const struct keys unknown = {
    .count = 1, .list = {{.result = DKIM_TEMPERROR, .reason = "the DNS does not answer for the key"}}};

/* Does an earlier record have the same text? */
static bool is_repeated(const struct dns_answer *answer, size_t record)
{
	for (size_t i = 0; i < record; i++)
		if (slice_equal(answer->records[i].text, answer->records[record].text))
			return true;
	return false;
}

/* None of the records is a key record: the closest one gives the reason. */
static void keep_trouble(struct keys *keys, struct key *trouble)
{
	if (trouble->result == DKIM_NONE)
		*trouble = (struct key){.result = DKIM_PERMERROR, .reason = "there is no key record"};
	keys->list[keys->count++] = *trouble;
}

static void *parse(const struct dns_answer *answer)
{
	struct key trouble = {.result = DKIM_NONE}, key;
	struct keys *keys = xmalloc(sizeof(*keys));

	*keys = (struct keys){.count = 0};
	for (size_t i = 0; i < answer->count && !keys->more; i++) {
		if (keys->count == KEYS_MAX || i == RECORDS_MAX)
			keys->more = true;
		else if (is_repeated(answer, i))
			continue;
		else if (key_read(&key, answer->records[i].text))
			keys->list[keys->count++] = key;
		else if (trouble.result == DKIM_NONE)
			trouble = key;
	}
	if (keys->count == 0)
		keep_trouble(keys, &trouble);
	return keys;
}

static void release(void *made)
{
	struct keys *keys = made;

	for (size_t i = 0; i < keys->count; i++)
		key_release(&keys->list[i]);
	free(keys);
}

static const struct dns_parser parser = {parse, release};

const struct keys *keys_find(struct dns_budget *budget, struct slice name)
{
	const struct dns_answer *answer = dns_ask(budget, name, DNS_TXT);

	return answer->status == DNS_TEMPFAIL ? &unknown : dns_parsed(budget, answer, &parser);
}
