/*
 * frame.c - netstrings: a decimal length, ":", so many bytes, ",".
 */
#include "socketmap_private.h"

/* The digits of the length, up to ":"; 0: it has not arrived yet. */
static size_t read_length(struct slice bytes, size_t *length_r)
{
	size_t i = 0, length = 0;

	while (i < bytes.n && is_digit(bytes.p[i])) {
		length = length * 10 + (size_t)(bytes.p[i++] - '0');
		if (length > REQUEST_MAX || (i > 1 && bytes.p[0] == '0'))
			return FRAME_INVALID;
	}
	*length_r = length;
	if (i == bytes.n)
		return 0;
	return i == 0 || bytes.p[i] != ':' ? FRAME_INVALID : i + 1;
}

size_t netstring_frame(struct slice bytes)
{
	size_t length, head = read_length(bytes, &length);

	if (head == FRAME_INVALID || head == 0)
		return head;
	if (bytes.n <= head + length)
		return 0;
	return bytes.p[head + length] == ',' ? head + length + 1 : FRAME_INVALID;
}

struct slice netstring_content(struct slice frame)
{
	size_t length = 0, head = read_length(frame, &length);

	return (struct slice){frame.p + head, length};
}
