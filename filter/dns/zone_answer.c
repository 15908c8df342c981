/*
 * zone_answer.c - answers a question from zone text, as DNS does: a name is
 * there when it or anything below it has a record (RFC 8020), a wildcard answers
 * for names that are not there directly below its closest encloser (RFC 4592),
 * a CNAME leads on to its target (RFC 1034 3.6.2). Faults of the text are
 * temporary failures at once; nothing waits here.
 */
#include <string.h>

#include "zone.h"

struct slice zone_key(const struct name *name, char buffer[ZONE_KEY_MAX])
{
	size_t n = name->n - 1, end = n; /* without the root */

	for (size_t at = 0; name->wire[at] != 0; at += 1u + name->wire[at]) {
		size_t label = 1u + name->wire[at];
		end -= label;
		memcpy(buffer + end, name->wire + at, label);
	}
	return (struct slice){buffer, n};
}

static bool key_is_below(struct slice key, struct slice parent)
{
	return key.n >= parent.n && memcmp(key.p, parent.p, parent.n) == 0;
}

/* The first record whose key is not less. */
static size_t zone_seek(const struct zone *zone, struct slice key)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct slice there = zone->records[middle].key;
		int order = memcmp(there.p, key.p, there.n < key.n ? there.n : key.n);
		if (order < 0 || (order == 0 && there.n < key.n))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Bytes of whole labels that two keys begin with in common. */
static size_t key_common(struct slice a, struct slice b)
{
	size_t n = 0;

	while (n < a.n && n < b.n) {
		size_t label = 1u + (uint8_t)a.p[n];
		if (n + label > b.n || memcmp(a.p + n, b.p + n, label) != 0)
			break;
		n += label;
	}
	return n;
}

struct node {
	const struct zone_record *records; /* of one owner, in the order of the text */
	size_t count;                      /* 0: an empty non-terminal */
};

static bool zone_node(const struct zone *zone, struct slice key, struct node *node_r)
{
	size_t first = zone_seek(zone, key), end = first;

	if (first == zone->count || !key_is_below(zone->records[first].key, key))
		return false;
	while (end < zone->count && slice_equal(zone->records[end].key, key))
		end++;
	*node_r = (struct node){zone->records + first, end - first};
	return true;
}

/* RFC 4592 3.3.1: the closest encloser is the longest existing ancestor; only its own wildcard counts. */
static bool zone_wildcard(const struct zone *zone, struct slice key, struct node *node_r)
{
	size_t at = zone_seek(zone, key), encloser = 0, other;

	if (at < zone->count)
		encloser = key_common(key, zone->records[at].key);
	if (at > 0 && (other = key_common(key, zone->records[at - 1].key)) > encloser)
		encloser = other;

	/* The asked name has at least one label more, so there is room for "*". */
	char wildcard[ZONE_KEY_MAX];
	memcpy(wildcard, key.p, encloser);
	memcpy(wildcard + encloser, "\1*", 2);
	return zone_node(zone, (struct slice){wildcard, encloser + 2}, node_r);
}

static void fault_answer(enum zone_fault fault, struct dns_answer *answer_r)
{
	*answer_r =
	    (struct dns_answer){.status = DNS_TEMPFAIL, .reason = fault == ZONE_TIMEOUT ? DNS_TIMEOUT : DNS_SERVFAIL};
}

/* Fills in the answer; the CNAME to follow, or NULL when the answer is complete. */
static const struct zone_record *node_answer(struct node node, enum dns_type type, struct dns_record *room,
					     struct dns_answer *answer_r)
{
	const struct zone_record *alias = NULL, *any_fault = NULL;
	size_t count = 0;

	for (size_t i = 0; i < node.count; i++) {
		const struct zone_record *record = &node.records[i];
		if (record->type == 0) {
			any_fault = record;
		} else if (record->type == (unsigned)type && record->fault != ZONE_NO_FAULT) {
			fault_answer(record->fault, answer_r);
			return NULL;
		} else if (record->type == (unsigned)type && count < DNS_RECORD_MAX) {
			room[count++] = record->data;
		} else if (record->type == DNS_CNAME && record->fault == ZONE_NO_FAULT) {
			alias = record;
		}
	}
	if (count > 0) {
		*answer_r = (struct dns_answer){.status = DNS_OK, .count = count, .records = room};
		return NULL;
	}
	if (!alias && any_fault)
		fault_answer(any_fault->fault, answer_r);
	return alias;
}

void zone_answer(const struct zone *zone, const struct question *question, struct dns_record *room,
		 struct dns_answer *answer_r)
{
	struct name name = question->name;
	char buffer[ZONE_KEY_MAX];

	for (int hops = 0; hops <= ZONE_CHAIN_MAX; hops++) {
		struct slice key = zone_key(&name, buffer);
		struct node node;
		if (!zone_node(zone, key, &node) && !zone_wildcard(zone, key, &node)) {
			*answer_r = (struct dns_answer){.status = DNS_NXDOMAIN};
			return;
		}
		*answer_r = (struct dns_answer){.status = DNS_NODATA};
		const struct zone_record *alias = node_answer(node, question->type, room, answer_r);
		if (!alias)
			return;
		if (name_parse(alias->data.name, &name) < 0)
			die("a CNAME target that was a name is not one any more");
		name_lower(&name);
	}
	*answer_r = (struct dns_answer){.status = DNS_TEMPFAIL, .reason = DNS_LOOP};
}
