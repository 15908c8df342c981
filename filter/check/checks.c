/*
 * checks.c - the list of checks, and facts by name and number. Adding a check
 * is adding one file beside this one and one line to the list.
 */
#include "check_private.h"

const struct check *const checks[] = {
    &check_client, &check_ptr,  &check_envelope, &check_mx,   &check_auth,  &check_tls,
    &check_header, &check_from, &check_spf,      &check_dkim, &check_dmarc, NULL,
};

const char *const stage_names[STAGE_COUNT + 1] = {"connect", "helo", "mail", "rcpt", "message", NULL};

const struct fact *fact_at(unsigned number)
{
	for (const struct check *const *check = checks; *check; check++)
		for (const struct fact *fact = (*check)->facts; fact->name; fact++)
			if (number-- == 0)
				return fact;
	return NULL;
}

const struct fact *fact_find(struct slice name)
{
	for (const struct check *const *check = checks; *check; check++)
		for (const struct fact *fact = (*check)->facts; fact->name; fact++)
			if (slice_equal(name, slice_of(fact->name)))
				return fact;
	return NULL;
}

/* The fact's check and number together: both come from one walk over the tables. */
static const struct check *locate(const struct fact *wanted, unsigned *number_r)
{
	unsigned number = 0;

	for (const struct check *const *check = checks; *check; check++)
		for (const struct fact *fact = (*check)->facts; fact->name; fact++, number++)
			if (fact == wanted) {
				*number_r = number;
				return *check;
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

unsigned check_number(const struct check *wanted)
{
	for (unsigned number = 0; checks[number]; number++)
		if (checks[number] == wanted)
			return number;
	die("a check that is not in the list: %s", wanted->name);
}
