/*
 * assert_slice.h - cmocka, and slices in its assertions.
 */
#ifndef SEKISHO_ASSERT_SLICE_H
#define SEKISHO_ASSERT_SLICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base.h"

/* The slice holds this text. Both are shown when it does not. */
#define assert_slice(slice, expected) assert_slice_at((slice), slice_of(expected), __FILE__, __LINE__)

static inline void assert_slice_at(struct slice found, struct slice expected, const char *file, int line)
{
	if (slice_equal(found, expected))
		return;
	print_error("expected \"%.*s\"\nfound    \"%.*s\"\n", SLICE_ARGS(expected), SLICE_ARGS(found));
	_fail(file, line);
}

#endif
