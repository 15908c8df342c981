/*
 * base64.c - base64 (RFC 4648 4) as signatures and keys have it: blanks may stand
 * anywhere (RFC 6376 2.10), everything else is strict.
 */
#include "dkim_private.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0..63; -1: padding; -2: a blank; -3: none of these */
static int digit_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	if (c == '=')
		return -1;
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' ? -2 : -3;
}

size_t base64_decode_into(struct slice text, unsigned char *out)
{
	size_t n = 0, digits = 0, padding = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < text.n; i++) {
		int digit = digit_of((unsigned char)text.p[i]);

		if (digit == -2)
			continue;
		if (digit == -3 || (digit >= 0 && padding > 0))
			return SIZE_MAX;
		if (digit == -1) {
			padding++;
			continue;
		}
		bits = bits << 6 | (uint32_t)digit;
		if (++digits % 4 != 1)
			out[n++] = (unsigned char)(bits >> (6 - 2 * ((digits - 1) % 4)));
	}
	if (padding > 2 || (digits + padding) % 4 != 0)
		return SIZE_MAX;
	return n;
}

int base64_decode(struct slice text, struct arena *arena, struct slice *bytes_r)
{
	unsigned char *out = arena_alloc(arena, text.n + 1);
	size_t n = base64_decode_into(text, out);

	if (n == SIZE_MAX)
		return -1;
	*bytes_r = (struct slice){(const char *)out, n};
	return 0;
}

struct slice base64_encode(struct slice bytes, struct arena *arena)
{
	const unsigned char *in = (const unsigned char *)bytes.p;
	char *out = arena_alloc(arena, bytes.n / 3 * 4 + 5);
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
