/*
 * libspf2_absent.c - stands in for libspf2.c where configure was told to do without
 * the library. Nobody asks for an engine that spf_engine_built() denies.
 */
#include "spf_private.h"

const bool spf_libspf2_built = false;

enum spf_result spf_libspf2_check(struct spf_run *run, struct spf_match *match_r)
{
	(void)run;
	(void)match_r;
	die("SPF was to be evaluated by libspf2, which this program was built without");
}
