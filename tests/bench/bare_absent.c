/*
 * bare_absent.c - a build without libopendkim has nothing to compare with.
 */
#include "bare.h"

struct bare *bare_open(struct slice key_record)
{
	(void)key_record;
	return NULL;
}

void bare_close(struct bare *bare)
{
	(void)bare;
}

bool bare_verify(struct bare *bare, const struct slice *fields, size_t count, struct slice body)
{
	(void)bare, (void)fields, (void)count, (void)body;
	return false;
}
