/*
 * find.c - facts by name and number.
 *
 * Facts are numbered in order: those of the first check, then those of the second.
 * Each check knows how many it has, so that a fact is found among a dozen checks
 * and not among all facts.
 */
#include "check_private.h"

const char *const stage_names[STAGE_COUNT + 1] = {"connect", "helo", "mail", "rcpt", "message", NULL};

const struct fact *fact_at(unsigned number)
{
	for (const struct check *const *check = checks; *check; check++) {
		if (number < (*check)->fact_count)
			return &(*check)->facts[number];
		number -= (*check)->fact_count;
	}
	return NULL;
}

const struct fact *fact_find(struct slice name)
{
	for (const struct check *const *check = checks; *check; check++)
		for (unsigned i = 0; i < (*check)->fact_count; i++)
			if (slice_equal(name, slice_of((*check)->facts[i].name)))
				return &(*check)->facts[i];
	return NULL;
}

/* The fact's check and its number, both from one walk over the checks. */
static const struct check *locate(const struct fact *wanted, unsigned *number_r)
{
	unsigned first = 0;

	for (const struct check *const *check = checks; *check; check++) {
		uintptr_t distance = (uintptr_t)wanted - (uintptr_t)(*check)->facts; /* huge when it is before them */

		if (distance < (*check)->fact_count * sizeof(*wanted)) {
			*number_r = first + (unsigned)(distance / sizeof(*wanted));
			return *check;
		}
		first += (*check)->fact_count;
	}
	die("a fact that is in no table: %s", wanted->name);
}

unsigned fact_number(const struct fact *fact)
{
	unsigned number;

	locate(fact, &number);
	return number;
}

const struct check *fact_check(const struct fact *fact)
{
	unsigned number;

	return locate(fact, &number);
}

const void *fact_thing(const struct check_settings *settings, const struct fact *fact, struct slice name)
{
	const struct check *check = fact_check(fact);
	const struct check_block *blocks = &settings->blocks[check_number(check)];

	for (size_t i = 0; i < blocks->count; i++) {
		const char *thing = (const char *)blocks->first + i * check->settings->size;
		const struct slice *declared = (const void *)(thing + check->settings->value->offset);

		if (slice_equal(*declared, name))
			return thing;
	}
	return NULL;
}
