/*
 * content.c - hands the bytes of a content to the code that reads its kind.
 */
#include "feedback_private.h"
#include <stdio.h>
#include <stdlib.h>

void content_begin(struct content *content, struct feedback *feedback, enum content_place place)
{
	content->feedback = feedback;
	content->place = place;
	content->kind = NULL;
	content->state = NULL;
	content->size = 0;
	content->head_size = 0;
	content->open = true;
	content->stopped = false;
}

bool content_skip(struct feedback *feedback, const char *format, ...)
{
	char where[sizeof("message ") + NUMBER_TEXT], why[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	where[0] = '\0';
	if (feedback->message > 0)
		snprintf(where, sizeof(where), "message %llu", (unsigned long long)feedback->message);
	feedback->reported++;
	feedback->take.skipped(feedback->take.context, slice_of(where), slice_of(why));
	return false;
}

/* False: it is not read. */
static bool content_open(struct content *content)
{
	content->kind = content_kind_of((struct slice){content->head, content->head_size}, content->place);
	if (content->kind && content->place == CONTENT_ARCHIVED && content->kind->archive) {
		content->kind = NULL;
		return content_skip(content->feedback, "it is an archive in an archive, which is not unpacked");
	}
	if (!content->kind && content->place == CONTENT_ARCHIVED)
		return content_skip(content->feedback, "the archive holds neither XML nor JSON");
	if (!content->kind && content->place == CONTENT_FILE)
		return content_skip(content->feedback,
				    content->head_size == 0
					? "it is empty"
					: "it is neither XML, JSON, gzip, zip, a message nor a mailbox");
	if (!content->kind)
		return false; /* a part of a message that is not a report */
	content->state = content->kind->open(content);
	return true;
}

static bool hand_on(struct content *content, struct slice chunk)
{
	content->size += chunk.n;
	if (content->kind->bounded && content->size > FEEDBACK_REPORT_MAX)
		return content_skip(content->feedback, "the report is larger than %d MB", FEEDBACK_REPORT_MAX >> 20);
	return chunk.n == 0 || content->kind->bytes(content->state, chunk);
}

bool content_bytes(struct content *content, struct slice chunk)
{
	if (content->stopped)
		return false;
	if (!content->kind) {
		size_t n = CONTENT_HEAD - content->head_size;

		n = chunk.n < n ? chunk.n : n;
		memcpy(content->head + content->head_size, chunk.p, n);
		content->head_size += n;
		chunk = slice_from(chunk, n);
		if (content->head_size < CONTENT_HEAD)
			return true;
		content->stopped =
		    !content_open(content) || !hand_on(content, (struct slice){content->head, content->head_size});
	}
	content->stopped = content->stopped || !hand_on(content, chunk);
	return !content->stopped;
}

void content_drop(struct content *content)
{
	if (content->open && content->kind)
		content->kind->free(content->state);
	content->open = false;
	content->kind = NULL;
	content->state = NULL;
}

void content_end(struct content *content)
{
	if (!content->open)
		return;
	if (!content->kind && !content->stopped)
		content->stopped =
		    !content_open(content) || !hand_on(content, (struct slice){content->head, content->head_size});
	if (!content->stopped)
		content->kind->end(content->state);
	content_drop(content);
}

struct feedback *feedback_open(const struct feedback_take *take, struct error *err)
{
	const struct xml_library *xml2 = xml_library_open(err);
	struct feedback *feedback = xml2 ? xmalloc(sizeof(*feedback)) : NULL;

	if (!feedback)
		return NULL;
	feedback->xml2 = xml2;
	feedback->take = *take;
	content_begin(&feedback->file, feedback, CONTENT_FILE);
	return feedback;
}

bool feedback_bytes(struct feedback *feedback, struct slice chunk)
{
	return chunk.n == 0 || content_bytes(&feedback->file, chunk);
}

void feedback_end(struct feedback *feedback)
{
	content_end(&feedback->file);
	free(feedback);
}
