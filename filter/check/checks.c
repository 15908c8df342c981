/*
 * checks.c - the list of checks, as check_list.h names them.
 */
#include "check_private.h"

const struct check *const checks[] = {
#define CHECK(which) &check_##which,
#include "check_list.h"
#undef CHECK
    NULL,
};
