/*
 * libspf2_absent.c - replaces libspf2.c in a build without the library. Callers ask
 * spf_engine_built() first, so this function is never called.
 */
#include "spf_private.h"

const bool spf_libspf2_built = false;

enum spf_result spf_libspf2_check(struct spf_run *run, struct spf_match *match_r)
{
	(void)run;
	(void)match_r;
	die("SPF evaluation by libspf2 was requested, but this program was built without libspf2");
}
