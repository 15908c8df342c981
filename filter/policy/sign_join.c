/*
 * sign_join.c - the domains that are signed for: as they are read, and then in order, each once and with each selector
 * once.
 *
 * A signing table may name a domain on several lines, wherever they are. Two signatures with the same domain and
 * selector add nothing, so what is written twice counts once.
 */
#include "sign_keys.h"

#include <stdlib.h>
#include <string.h>

int sign_add(struct policy *policy, const struct sign_setting *sign)
{
	if (policy->sign_count == SIGN_DOMAINS_MAX)
		return -1;
	if (policy->sign_count == policy->sign_room) {
		policy->sign_room = policy->sign_room ? 2 * policy->sign_room : 8;
		policy->signs = xrealloc(policy->signs, policy->sign_room * sizeof(*policy->signs));
	}
	policy->signs[policy->sign_count++] = *sign;
	return 0;
}

int sign_add_key(struct sign_setting *sign, struct signing_key key)
{
	if (sign->key_count == SIGN_KEYS_MAX)
		return -1;
	sign->keys[sign->key_count++] = key;
	return 0;
}

/* By domain, then as they were written. */
static int compare_places(const void *a, const void *b)
{
	const struct sign_setting *first = a, *second = b;
	unsigned line = first->keys[0].line, other = second->keys[0].line;
	int order = sign_compare(a, b);

	if (!order)
		order = strcmp(first->where.file, second->where.file);
	if (!order)
		order = (first->where.line > second->where.line) - (first->where.line < second->where.line);
	return order ? order : (line > other) - (line < other);
}

struct place sign_place(const struct compiler *compiler, const struct sign_setting *sign)
{
	return place_of(compiler, sign->where);
}

static bool same_statement(const struct sign_setting *a, const struct sign_setting *b)
{
	return a->where.file == b->where.file && a->where.line == b->where.line;
}

/* "sign.table:2: " for a line of a table. */
static struct slice line_of(struct compiler *compiler, const struct sign_setting *sign, const struct signing_key *key)
{
	if (!sign->table)
		return SLICE("");
	return arena_printf(compiler->policy->arena, "%s:%u: ", sign->table, key->line);
}

/* The key comes after those in `sign`. 0, or -1 when it contradicts one of them. */
static int join_key(struct compiler *compiler, struct sign_setting *sign, const struct signing_key *key)
{
	struct slice line = line_of(compiler, sign, key);

	for (size_t i = 0; i < sign->key_count; i++) {
		if (!slice_equal(sign->keys[i].selector, key->selector))
			continue;
		if (strcmp(sign->keys[i].file, key->file) == 0) {
			diagnostics_advice(
			    compiler->diagnostics, sign_place(compiler, sign),
			    "%.*sselector %.*s of %.*s is written twice and signs once; remove one of them",
			    SLICE_ARGS(line), SLICE_ARGS(key->selector), SLICE_ARGS(sign->domain));
			return 0;
		}
		diagnostics_error(compiler->diagnostics, sign_place(compiler, sign),
				  "%.*sselector %.*s of %.*s has two keys, %s and %s; remove one of them",
				  SLICE_ARGS(line), SLICE_ARGS(key->selector), SLICE_ARGS(sign->domain),
				  sign->keys[i].file, key->file);
		return -1;
	}
	if (sign_add_key(sign, *key) == 0)
		return 0;
	diagnostics_error(compiler->diagnostics, sign_place(compiler, sign),
			  "%.*s%.*s has more than %d keys; remove some", SLICE_ARGS(line), SLICE_ARGS(sign->domain),
			  SIGN_KEYS_MAX);
	return -1;
}

static int join_keys(struct compiler *compiler, struct sign_setting *sign, const struct sign_setting *more)
{
	int result = 0;

	sign->subdomains |= more->subdomains;
	for (size_t i = 0; i < more->key_count; i++)
		result |= join_key(compiler, sign, &more->keys[i]);
	return result;
}

int sign_join(struct compiler *compiler)
{
	struct policy *policy = compiler->policy;
	size_t kept = 0;
	int result = 0;

	if (policy->sign_count > 0)
		qsort(policy->signs, policy->sign_count, sizeof(*policy->signs), compare_places);
	for (size_t i = 0; i < policy->sign_count; i++) {
		struct sign_setting sign = policy->signs[i], *last = kept ? &policy->signs[kept - 1] : NULL;

		if (last && sign_compare(last, &sign) == 0 && !same_statement(last, &sign)) {
			diagnostics_error(compiler->diagnostics, sign_place(compiler, &sign),
					  "sign %.*s is said twice; put its keys in one place",
					  SLICE_ARGS(sign.domain));
			result = -1;
		} else if (last && sign_compare(last, &sign) == 0) {
			result |= join_keys(compiler, last, &sign);
		} else {
			policy->signs[kept] = sign;
			policy->signs[kept].key_count = 0;
			result |= join_keys(compiler, &policy->signs[kept++], &sign);
		}
	}
	policy->sign_count = kept;
	return result;
}
