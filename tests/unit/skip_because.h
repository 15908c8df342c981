/*
 * skip_because.h - a test that cannot run here prints why, as tests/count.py reads it.
 */
#ifndef SEKISHO_SKIP_BECAUSE_H
#define SEKISHO_SKIP_BECAUSE_H

#include "assert_slice.h"

#define SKIP_UNLESS(can_run, why)                                                                                      \
	do {                                                                                                           \
		if (!(can_run)) {                                                                                      \
			print_message("skipped: %s: %s\n", __func__, why);                                             \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

#define WITHOUT_LIBSPF2     "the program was built without libspf2"
#define WITHOUT_LIBOPENDKIM "the program was built without libopendkim"

#endif
