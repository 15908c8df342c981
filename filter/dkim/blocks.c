/*
 * blocks.c - the loops over every byte of a body, written so that compilers turn
 * them into vector instructions: a fixed number of bytes, no branches.
 *
 * Distributions compile for the first processors of x86-64. Nearly all that are in use have vectors of twice
 * that width, so the loops are compiled a second time for these, which halves the time for ordinary text; there the
 * bytes that stay are also moved together eight at a time.
 */
#include "blocks.h"
#include <pthread.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

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

/* For each byte of a block: what it is in the canonical text, and what is written for it. */
#define STAYS 1
#define BARE  2 /* a CR is missing before it */
struct marks {
	char text[BLOCK];
	unsigned char what[BLOCK];
};

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

#define WORD 8

/* Every byte is written, even when the next one overwrites it. */
static ALWAYS_INLINE char *write_bytes(const struct marks *marks, int at, char *out)
{
	for (int i = at; i < at + WORD; i++) {
		*out = '\r';
		out += marks->what[i] / BARE;
		*out = marks->text[i];
		out += marks->what[i] & STAYS;
	}
	return out;
}

/* When all bytes stay, one move is enough. */
static ALWAYS_INLINE char *write_word(const struct marks *marks, int at, char *out)
{
	static const unsigned char all[WORD] = {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS};

	if (memcmp(marks->what + at, all, WORD) != 0)
		return write_bytes(marks, at, out);
	memcpy(out, marks->text + at, WORD);
	return out + WORD;
}

static ALWAYS_INLINE char *odd(enum dkim_canon kind, const char *p, char *out)
{
	struct marks marks;

	mark(kind, p, &marks);
	for (int at = 0; at < BLOCK; at += WORD)
		out = write_word(&marks, at, out);
	return out;
}

/* ---- eight bytes at once ------------------------------------------------------------------------------ */

#ifdef __x86_64__
#define WORDS 256 /* one for each choice of the bytes of a word that stay */

static unsigned char kept[WORDS][WORD]; /* where these bytes are, in order; written once */

static void kept_fill(void)
{
	for (unsigned stays = 0; stays < WORDS; stays++)
		for (unsigned char bit = 0, n = 0; bit < WORD; bit++)
			if (stays >> bit & 1)
				kept[stays][n++] = bit;
}

/* The same as write_word, but for words with an LF without CR. */
FOR_AVX2 static inline char *write_kept(const struct marks *marks, int at, char *out)
{
	const uint64_t first_bits = 0x0101010101010101, gather = 0x0102040810204080;
	uint64_t what;
	unsigned stays;

	memcpy(&what, marks->what + at, WORD);
	if (what & first_bits * BARE)
		return write_bytes(marks, at, out);
	stays = (unsigned)(what * gather >> 56); /* bit i: byte i stays */
	_mm_storel_epi64((__m128i *)out, _mm_shuffle_epi8(_mm_loadl_epi64((const __m128i *)(marks->text + at)),
							  _mm_loadl_epi64((const __m128i *)kept[stays])));
	return out + __builtin_popcount(stays);
}

FOR_AVX2 static inline char *odd_kept(enum dkim_canon kind, const char *p, char *out)
{
	struct marks marks;

	mark(kind, p, &marks);
	for (int at = 0; at < BLOCK; at += WORD)
		out = write_kept(&marks, at, out);
	return out;
}
#else
static void kept_fill(void)
{
}

#define odd_kept odd
#endif

/* ---- for both canonicalisations, each compiled twice ------------------------------------------------ */

static size_t simple_plain_length(const char *p, size_t n)
{
	return plain_length(DKIM_SIMPLE, p, n);
}

static size_t relaxed_plain_length(const char *p, size_t n)
{
	return plain_length(DKIM_RELAXED, p, n);
}

static char *simple_odd(const char *p, char *out)
{
	return odd(DKIM_SIMPLE, p, out);
}

static char *relaxed_odd(const char *p, char *out)
{
	return odd(DKIM_RELAXED, p, out);
}

FOR_AVX2 static size_t simple_plain_length_avx2(const char *p, size_t n)
{
	return plain_length(DKIM_SIMPLE, p, n);
}

FOR_AVX2 static size_t relaxed_plain_length_avx2(const char *p, size_t n)
{
	return plain_length(DKIM_RELAXED, p, n);
}

FOR_AVX2 static char *simple_odd_avx2(const char *p, char *out)
{
	return odd_kept(DKIM_SIMPLE, p, out);
}

FOR_AVX2 static char *relaxed_odd_avx2(const char *p, char *out)
{
	return odd_kept(DKIM_RELAXED, p, out);
}

const struct block_loops *block_loops(bool avx2)
{
	static pthread_once_t filled = PTHREAD_ONCE_INIT;
	static const struct block_loops loops[2][2] = {
	    {
		[DKIM_SIMPLE] = {simple_plain_length, simple_odd},
		[DKIM_RELAXED] = {relaxed_plain_length, relaxed_odd},
	    },
	    {
		[DKIM_SIMPLE] = {simple_plain_length_avx2, simple_odd_avx2},
		[DKIM_RELAXED] = {relaxed_plain_length_avx2, relaxed_odd_avx2},
	    },
	};

	pthread_once(&filled, kept_fill);
	return loops[avx2];
}

bool processor_has_avx2(void)
{
	return HAS_AVX2;
}
