/*
 * inflate.h - unpacks deflate into the archived content, with the bounds on what an archive may become. The only user
 * of zlib for reading.
 */
#ifndef SEKISHO_INFLATE_H
#define SEKISHO_INFLATE_H

#include "feedback_private.h"
#include <zlib.h>

#define INFLATE_GZIP (15 + 16) /* windowBits of zlib: with the header and check of gzip */
#define INFLATE_RAW  (-15)     /* without */

struct inflating {
	struct feedback *feedback;
	z_stream stream;
	uint64_t taken, made; /* bytes of this archive */
	uint32_t crc;         /* of what was made since it was opened, or again */
	bool ignored;         /* what is made is not handed on */
};

enum inflate_result {
	INFLATE_MORE,   /* all of the bytes were taken */
	INFLATE_ENDED,  /* the deflate data has ended; *rest begins after it */
	INFLATE_STOPPED /* no more are needed, or it was skipped */
};

void inflating_open(struct inflating *, struct feedback *, int window_bits);
void inflating_again(struct inflating *); /* for the next member or entry, into the same bounds */
enum inflate_result inflating_bytes(struct inflating *, struct slice *rest);
void inflating_close(struct inflating *);
/* Bytes that are in the archive as they are. False: no more. */
bool inflating_stored(struct inflating *, struct slice);

#endif
