/*
 * group.c - the sources of a domain by network.
 */
#include "sums_private.h"
#include <stdlib.h>

#define PREFIX_4 24 /* the smallest networks that are routed on the Internet */
#define PREFIX_6 48

static struct ip_net net_of(struct ip ip)
{
	struct ip_net net = {ip, 0};

	if (ip.family == 4)
		net.prefix = PREFIX_4;
	if (ip.family == 6)
		net.prefix = PREFIX_6;
	memset(net.ip.bytes + net.prefix / 8, 0, sizeof(net.ip.bytes) - net.prefix / 8);
	return net;
}

static int by_network(const void *a, const void *b)
{
	const struct feedback_group *x = a, *y = b;

	if (x->net.ip.family != y->net.ip.family)
		return x->net.ip.family < y->net.ip.family ? -1 : 1;
	return memcmp(x->net.ip.bytes, y->net.ip.bytes, sizeof(x->net.ip.bytes));
}

static int by_messages(const void *a, const void *b)
{
	const struct feedback_group *x = a, *y = b;

	if (x->sums.messages != y->sums.messages)
		return x->sums.messages > y->sums.messages ? -1 : 1;
	return by_network(a, b);
}

struct feedback_group *feedback_group(const struct feedback_source *sources, size_t count, struct arena *arena,
				      size_t *count_r)
{
	struct feedback_group *groups = arena_alloc(arena, (count + 1) * sizeof(*groups));
	size_t made = 0;

	for (size_t i = 0; i < count; i++)
		groups[i] = (struct feedback_group){net_of(sources[i].source), 1, sources[i]};
	qsort(groups, count, sizeof(*groups), by_network);
	for (size_t i = 0; i < count; i++) {
		if (made == 0 || by_network(&groups[made - 1], &groups[i]) != 0) {
			groups[made++] = groups[i];
			continue;
		}
		source_add(&groups[made - 1].sums, &groups[i].sums);
		groups[made - 1].sources++;
	}
	qsort(groups, made, sizeof(*groups), by_messages);
	*count_r = made;
	return groups;
}
