/*
 * base64.c - base64 (RFC 4648 4) as used in signatures, keys and MIME: blanks are
 * allowed anywhere (RFC 6376 2.10), everything else is strict.
 */
#include "base.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define DIGIT           0x40 /* with its value 0..63 */
#define BLANK           1
#define PADDING         2
#define D(n)            (DIGIT | (n))
#define EIGHT_DIGITS(n) D(n), D((n) + 1), D((n) + 2), D((n) + 3), D((n) + 4), D((n) + 5), D((n) + 6), D((n) + 7)

/* The class of each byte; 0: not allowed. */
static const unsigned char kinds[256] = {
    ['\t'] = BLANK,
    BLANK,
    ['\r'] = BLANK,
    [' '] = BLANK,
    ['='] = PADDING,
    ['+'] = D(62),
    ['/'] = D(63),
    ['0'] = EIGHT_DIGITS(52),
    D(60),
    D(61),
    ['A'] = EIGHT_DIGITS(0),
    EIGHT_DIGITS(8),
    EIGHT_DIGITS(16),
    D(24),
    D(25),
    ['a'] = EIGHT_DIGITS(26),
    EIGHT_DIGITS(34),
    EIGHT_DIGITS(42),
    D(50),
    D(51),
};

/* Four digits, the usual case; false: one of them is not a digit. */
static bool decode_four(const unsigned char *in, unsigned char *out)
{
	uint32_t a = kinds[in[0]], b = kinds[in[1]], c = kinds[in[2]], d = kinds[in[3]], bits;

	if (!(a & b & c & d & DIGIT))
		return false;
	bits = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	return true;
}

size_t base64_decode_into(struct slice text, unsigned char *out)
{
	const unsigned char *in = (const unsigned char *)text.p;
	size_t n = 0, digits = 0, padding = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char kind;

		if (digits % 4 == 0 && padding == 0)
			for (; text.n - i >= 4 && decode_four(in + i, out + n); i += 4)
				n += 3;
		if (i == text.n)
			break;
		kind = kinds[in[i]];
		if (kind == BLANK)
			continue;
		if (kind == 0 || (kind != PADDING && padding > 0))
			return SIZE_MAX;
		if (kind == PADDING) {
			padding++;
			continue;
		}
		bits = bits << 6 | (kind & 63u);
		if (++digits % 4 != 1)
			out[n++] = (unsigned char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	if (padding > 2 || (digits + padding) % 4 != 0)
		return SIZE_MAX;
	return n;
}

int base64_decode(struct slice text, struct arena *arena, struct slice *bytes_r)
{
	unsigned char *out = arena_raw(arena, text.n + 1);
	size_t n = base64_decode_into(text, out);

	if (n == SIZE_MAX)
		return -1;
	*bytes_r = (struct slice){(const char *)out, n};
	return 0;
}

struct slice base64_encode(struct slice bytes, struct arena *arena)
{
	const unsigned char *in = (const unsigned char *)bytes.p;
	char *out = arena_raw(arena, bytes.n / 3 * 4 + 5);
	size_t n = 0;

	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i;
		uint32_t bits = (uint32_t)in[i] << 16;

		bits |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		bits |= left > 2 ? in[i + 2] : 0;
		out[n++] = alphabet[bits >> 18];
		out[n++] = alphabet[bits >> 12 & 63];
		out[n++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[n++] = left > 2 ? alphabet[bits & 63] : '=';
	}
	return (struct slice){out, n};
}
