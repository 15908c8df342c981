/*
 * inflate.c - deflate (RFC 1951) by zlib.
 */
#include "inflate.h"

#define MADE_SIZE (32 * 1024) /* unpacked at a time */

void inflating_open(struct inflating *inflating, struct feedback *feedback, int window_bits)
{
	*inflating = (struct inflating){.feedback = feedback};
	if (inflateInit2(&inflating->stream, window_bits) != Z_OK)
		die("out of memory: zlib");
}

void inflating_again(struct inflating *inflating)
{
	inflateReset(&inflating->stream);
	inflating->crc = 0;
}

void inflating_close(struct inflating *inflating)
{
	inflateEnd(&inflating->stream);
}

/* False: no more. */
static bool hand_on(struct inflating *inflating, struct slice made)
{
	inflating->made += made.n;
	if (inflating->made > FEEDBACK_REPORT_MAX)
		return content_skip(inflating->feedback, "the archive holds more than %d MB",
				    FEEDBACK_REPORT_MAX >> 20);
	if (inflating->made > FEEDBACK_RATIO_FREE && inflating->made > inflating->taken * FEEDBACK_RATIO_MAX)
		return content_skip(inflating->feedback,
				    "the archive becomes more than %d times its size, as reports do not",
				    FEEDBACK_RATIO_MAX);
	inflating->crc = (uint32_t)crc32(inflating->crc, (const Bytef *)made.p, (uInt)made.n);
	return made.n == 0 || inflating->ignored || content_bytes(&inflating->feedback->archived, made);
}

bool inflating_stored(struct inflating *inflating, struct slice bytes)
{
	inflating->taken += bytes.n;
	return hand_on(inflating, bytes);
}

enum inflate_result inflating_bytes(struct inflating *inflating, struct slice *rest)
{
	unsigned char made[MADE_SIZE];
	z_stream *stream = &inflating->stream;
	int result;

	do {
		uInt given = rest->n < MADE_SIZE ? (uInt)rest->n : MADE_SIZE;

		stream->next_in = (Bytef *)(uintptr_t)rest->p;
		stream->avail_in = given;
		stream->next_out = made;
		stream->avail_out = sizeof(made);
		result = inflate(stream, Z_NO_FLUSH);
		inflating->taken += given - stream->avail_in;
		*rest = slice_from(*rest, given - stream->avail_in);
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
			content_skip(inflating->feedback, "the archive is damaged: %s",
				     stream->msg ? stream->msg : "it needs a dictionary");
			return INFLATE_STOPPED;
		}
		if (!hand_on(inflating, (struct slice){(char *)made, sizeof(made) - stream->avail_out}))
			return INFLATE_STOPPED;
		if (result == Z_STREAM_END)
			return INFLATE_ENDED;
	} while (rest->n > 0 || stream->avail_out == 0);
	return INFLATE_MORE;
}
