/*
 * blocks.c - the loops over every byte of a body, written so that compilers turn
 * them into vector instructions: a fixed number of bytes, no branches.
 *
 * Distributions compile for the first processors of x86-64. Nearly all that are in use have vectors of twice
 * that width, so the loops are compiled a second time for these, which halves the time for ordinary text.
 */
#include "blocks.h"

#define STRIDE 256 /* ordinary text is scanned in larger steps */

#define ALWAYS_INLINE inline __attribute__((always_inline))
#ifdef __x86_64__
#define FOR_AVX2 __attribute__((target("avx2")))
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#else
#define FOR_AVX2
#define HAS_AVX2 false
#endif

/* Do all n bytes stay as they are? Those that do not: an LF without CR and, when relaxed, a tab, and a space before a
 * blank or a line end. An LF is judged with the byte before it: this includes the byte after the block, not its first.
 */
static ALWAYS_INLINE bool is_plain(enum dkim_canon kind, const char *p, int n)
{
	unsigned char odd = 0;

	if (kind == DKIM_SIMPLE)
		for (int i = 0; i < n; i++)
			odd |= (unsigned char)((p[i + 1] == '\n') & (p[i] != '\r'));
	else
		for (int i = 0; i < n; i++) {
			unsigned char c = (unsigned char)p[i], next = (unsigned char)p[i + 1];

			odd |= (unsigned char)((c == '\t') | ((c == ' ') & (next <= ' ')) |
					       ((next == '\n') & (c != '\r')));
		}
	return odd == 0;
}

static ALWAYS_INLINE size_t plain_length(enum dkim_canon kind, const char *p, size_t n)
{
	size_t at = BLOCK;

	if (n < BLOCK || (p[0] == '\n' && p[-1] != '\r') || !is_plain(kind, p, BLOCK))
		return 0;
	while (n - at >= STRIDE && is_plain(kind, p + at, STRIDE))
		at += STRIDE;
	/* Do not scan the next stride: what is odd in it is near. */
	while (n - at >= BLOCK && is_plain(kind, p + at, BLOCK))
		at += BLOCK;
	return at;
}

static ALWAYS_INLINE void mark(enum dkim_canon kind, const char *p, struct marks *restrict marks_r)
{
	const unsigned char relaxed = kind == DKIM_RELAXED;

	for (int i = 0; i < BLOCK; i++)
		marks_r->what[i] = ((p[i] == '\n') & (p[i - 1] != '\r')) ? STAYS | BARE : STAYS;
	for (int i = 0; i < BLOCK; i++) {
		unsigned char blank = (unsigned char)(((p[i] == ' ') | (p[i] == '\t')) & relaxed);

		marks_r->text[i] = blank ? ' ' : p[i];
		marks_r->what[i] ^=
		    (unsigned char)(blank & ((p[i + 1] == ' ') | (p[i + 1] == '\t') | (p[i + 1] == '\n') |
					     ((p[i + 1] == '\r') & (p[i + 2] == '\n'))));
	}
}

/* ---- for both canonicalisations, each compiled twice ------------------------------------------------ */

static size_t simple_plain_length(const char *p, size_t n)
{
	return plain_length(DKIM_SIMPLE, p, n);
}

static size_t relaxed_plain_length(const char *p, size_t n)
{
	return plain_length(DKIM_RELAXED, p, n);
}

static void simple_mark(const char *p, struct marks *restrict marks_r)
{
	mark(DKIM_SIMPLE, p, marks_r);
}

static void relaxed_mark(const char *p, struct marks *restrict marks_r)
{
	mark(DKIM_RELAXED, p, marks_r);
}

FOR_AVX2 static size_t simple_plain_length_avx2(const char *p, size_t n)
{
	return plain_length(DKIM_SIMPLE, p, n);
}

FOR_AVX2 static size_t relaxed_plain_length_avx2(const char *p, size_t n)
{
	return plain_length(DKIM_RELAXED, p, n);
}

FOR_AVX2 static void simple_mark_avx2(const char *p, struct marks *restrict marks_r)
{
	mark(DKIM_SIMPLE, p, marks_r);
}

FOR_AVX2 static void relaxed_mark_avx2(const char *p, struct marks *restrict marks_r)
{
	mark(DKIM_RELAXED, p, marks_r);
}

const struct block_loops *block_loops(bool avx2)
{
	static const struct block_loops loops[2][2] = {
	    {
		[DKIM_SIMPLE] = {simple_plain_length, simple_mark},
		[DKIM_RELAXED] = {relaxed_plain_length, relaxed_mark},
	    },
	    {
		[DKIM_SIMPLE] = {simple_plain_length_avx2, simple_mark_avx2},
		[DKIM_RELAXED] = {relaxed_plain_length_avx2, relaxed_mark_avx2},
	    },
	};

	return loops[avx2];
}

bool processor_has_avx2(void)
{
	return HAS_AVX2;
}
