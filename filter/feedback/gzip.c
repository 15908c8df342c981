/*
 * gzip.c - unpacks gzip (RFC 1952), one or several members.
 */
#include "feedback_private.h"
#include "inflate.h"
#include <stdlib.h>

struct gzip {
	struct feedback *feedback;
	struct inflating inflating;
	bool whole; /* a member has ended, and no other has begun */
};

static void *gzip_open(struct content *content)
{
	struct gzip *gzip = xmalloc(sizeof(*gzip));

	gzip->feedback = content->feedback;
	inflating_open(&gzip->inflating, content->feedback, INFLATE_GZIP);
	content_begin(&content->feedback->archived, content->feedback, CONTENT_ARCHIVED);
	return gzip;
}

static bool gzip_bytes(void *state, struct slice chunk)
{
	struct gzip *gzip = state;

	while (chunk.n > 0) {
		if (gzip->whole && (unsigned char)chunk.p[0] != 0x1f)
			return true; /* padding */
		gzip->whole = false;
		switch (inflating_bytes(&gzip->inflating, &chunk)) {
		case INFLATE_MORE:
			return true;
		case INFLATE_ENDED:
			gzip->whole = true;
			inflating_again(&gzip->inflating);
			break;
		case INFLATE_STOPPED:
			return false;
		}
	}
	return true;
}

static void gzip_end(void *state)
{
	struct gzip *gzip = state;

	if (gzip->whole)
		content_end(&gzip->feedback->archived);
	else
		content_skip(gzip->feedback, "the gzip data ends early");
}

static void gzip_free(void *state)
{
	struct gzip *gzip = state;

	content_drop(&gzip->feedback->archived);
	inflating_close(&gzip->inflating);
	free(gzip);
}

const struct content_kind content_gzip = {gzip_open, gzip_bytes, gzip_end, gzip_free, .archive = true};
