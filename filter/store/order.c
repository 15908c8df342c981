/*
 * order.c - keys in order.
 */
#include "order.h"

#include <stdlib.h>

struct order_node {
	uint16_t key_n;
	uint8_t levels;
	struct order_node *next[]; /* of each level; the bytes of the key follow */
};

static struct slice key_of(const struct order_node *node)
{
	return (struct slice){(const char *)&node->next[node->levels], node->key_n};
}

static int compare(struct slice a, struct slice b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

void order_init(struct order *order, uint64_t seed)
{
	*order = (struct order){.random = seed | 1};
}

void order_clear(struct order *order)
{
	for (struct order_node *node = order->first[0], *next; node; node = next) {
		next = node->next[0];
		free(node);
	}
	order_init(order, order->random);
}

/* The links of each level that lead to the first key that is not before `key`. */
static void find(struct order *order, struct slice key, struct order_node **links[ORDER_LEVELS])
{
	struct order_node **row = order->first;

	for (size_t level = ORDER_LEVELS; level-- > 0;) {
		while (row[level] && compare(key_of(row[level]), key) < 0)
			row = row[level]->next;
		links[level] = &row[level];
	}
}

static bool is_at(struct order_node *const *link, struct slice key)
{
	return *link && slice_equal(key_of(*link), key);
}

/* Each level more with a chance of a quarter. */
static unsigned choose_levels(struct order *order)
{
	unsigned levels = 1;

	order->random ^= order->random << 13;
	order->random ^= order->random >> 7;
	order->random ^= order->random << 17;
	for (uint64_t bits = order->random >> 16; bits % 4 == 0 && levels < ORDER_LEVELS; bits /= 4)
		levels++;
	return levels;
}

static size_t node_bytes(unsigned levels, size_t key_n)
{
	return sizeof(struct order_node) + levels * sizeof(struct order_node *) + key_n;
}

void order_add(struct order *order, struct slice key)
{
	struct order_node **links[ORDER_LEVELS], *node;
	unsigned levels;

	find(order, key, links);
	if (is_at(links[0], key))
		return;
	levels = choose_levels(order);
	node = xmalloc(node_bytes(levels, key.n));
	node->key_n = (uint16_t)key.n;
	node->levels = (uint8_t)levels;
	memcpy(&node->next[levels], key.p, key.n);
	for (unsigned level = 0; level < levels; level++) {
		node->next[level] = *links[level];
		*links[level] = node;
	}
	order->bytes += node_bytes(levels, key.n);
}

void order_remove(struct order *order, struct slice key)
{
	struct order_node **links[ORDER_LEVELS], *node;

	find(order, key, links);
	if (!is_at(links[0], key))
		return;
	node = *links[0];
	for (unsigned level = 0; level < node->levels; level++)
		*links[level] = node->next[level];
	if (order->hand == node)
		order->hand = node->next[0];
	order->bytes -= node_bytes(node->levels, node->key_n);
	free(node);
}

struct slice order_find(const struct order *order, struct slice key, bool after)
{
	struct order_node **links[ORDER_LEVELS], *node;

	find((struct order *)order, key, links);
	node = *links[0];
	if (after && node && slice_equal(key_of(node), key))
		node = node->next[0];
	return node ? key_of(node) : (struct slice){NULL, 0};
}

struct slice order_turn(struct order *order)
{
	struct order_node *node = order->hand ? order->hand : order->first[0];

	if (!node)
		return (struct slice){NULL, 0};
	order->hand = node->next[0];
	return key_of(node);
}
