/*
 * checks.c - the list of checks, in the order of check_list.h.
 */
#include "check_private.h"

const struct check *const checks[] = {
#define CHECK(which) &check_##which,
#include "check_list.h"
#undef CHECK
    NULL,
};
