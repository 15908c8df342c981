/*
 * fuzz.h - what every fuzz target needs. A target is fuzz_NAME.c: it holds the
 * one function below, and must() says what must be true whatever the bytes are.
 */
#ifndef SEKISHO_FUZZ_H
#define SEKISHO_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort() and not die(): the fuzzer keeps the input of a crash. */
#define must(condition) ((condition) ? (void)0 : must_failed(#condition, __FILE__, __LINE__))

static inline void must_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
	abort();
}

#endif
