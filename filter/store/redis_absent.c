/*
 * redis_absent.c - in place of the files redis*.c, when the program is built without hiredis.
 */
#include "store_private.h"

static int absent_check(const struct store_settings *settings, struct slice rest, struct error *err)
{
	(void)settings, (void)rest;
	error_set(err, "this program was built without hiredis, so it has no store in Redis");
	return -1;
}

/* Such a store is an error already. */
int store_check_ca_file(const char *path, struct error *err)
{
	(void)path, (void)err;
	return 0;
}

const struct store_backend store_redis = {.scheme = "redis", .remote = true, .check = absent_check};
