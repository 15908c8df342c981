/*
 * zip.c - unpacks zip, as it comes: entry by entry by the headers before each, without the directory at the end.
 *
 * Our own code, because it is small and libraries for zip want to seek, or read a dozen other formats, too.
 * The format: APPNOTE.TXT of PKWARE, 4.3.7 (header of a file), 4.3.9 (data descriptor).
 */
#include "inflate.h"
#include <stdlib.h>

#define HEADER_SIZE     30
#define DESCRIPTOR_SIZE 12 /* check and two sizes; 8 more in zip64; 4 more with a signature */
#define NAME_SIZE       16 /* kept of a name */

#define FLAG_ENCRYPTED  1
#define FLAG_DESCRIPTOR 8
#define METHOD_STORED   0
#define METHOD_DEFLATE  8

enum zip_stage { STAGE_HEADER, STAGE_NAME, STAGE_DATA, STAGE_DESCRIPTOR, STAGE_DIRECTORY };

struct zip {
	struct feedback *feedback;
	struct inflating inflating;
	enum zip_stage stage;
	unsigned char buffer[HEADER_SIZE];
	size_t gathered;
	bool described; /* the header that is read follows a data descriptor */
	/* the entry */
	unsigned flags, method, entries, contents;
	uint32_t crc;
	uint64_t size; /* stored: bytes that are left */
	size_t name_length, extra_length;
	char name[NAME_SIZE], name_last;
};

static unsigned number_of(const unsigned char *bytes, unsigned n)
{
	unsigned number = 0;

	while (n-- > 0)
		number = number << 8 | bytes[n];
	return number;
}

static void *zip_open(struct content *content)
{
	struct zip *zip = xmalloc(sizeof(*zip));

	zip->feedback = content->feedback;
	inflating_open(&zip->inflating, content->feedback, INFLATE_RAW);
	return zip;
}

/* Adds to the buffer until it holds n bytes; false: more are needed. */
static bool gather(struct zip *zip, size_t n, struct slice *rest)
{
	size_t more = zip->gathered < n ? n - zip->gathered : 0;

	more = rest->n < more ? rest->n : more;
	if (more > 0)
		memcpy(zip->buffer + zip->gathered, rest->p, more);
	zip->gathered += more;
	*rest = slice_from(*rest, more);
	return zip->gathered >= n;
}

static void drop(struct zip *zip, size_t n)
{
	memmove(zip->buffer, zip->buffer + n, zip->gathered - n);
	zip->gathered -= n;
}

static bool is_signature(const unsigned char *bytes, char third, char fourth)
{
	return memcmp(bytes, (char[]){'P', 'K', third, fourth}, 4) == 0;
}

static bool header_read(struct zip *zip)
{
	zip->flags = number_of(zip->buffer + 6, 2);
	zip->method = number_of(zip->buffer + 8, 2);
	zip->crc = number_of(zip->buffer + 14, 4);
	zip->size = number_of(zip->buffer + 18, 4);
	zip->name_length = number_of(zip->buffer + 26, 2);
	zip->extra_length = number_of(zip->buffer + 28, 2);
	zip->gathered = 0;
	zip->stage = STAGE_NAME;
	memset(zip->name, 0, sizeof(zip->name));
	zip->name_last = '\0';
	if (++zip->entries > FEEDBACK_ENTRIES_MAX)
		return content_skip(zip->feedback, "the zip file holds more than %d files", FEEDBACK_ENTRIES_MAX);
	if (zip->flags & FLAG_ENCRYPTED)
		return content_skip(zip->feedback, "the zip file is encrypted");
	if (zip->method != METHOD_STORED && zip->method != METHOD_DEFLATE)
		return content_skip(zip->feedback, "the zip file uses method %u; only deflate is read", zip->method);
	if (zip->method == METHOD_STORED && (zip->flags & FLAG_DESCRIPTOR || zip->size == UINT32_MAX))
		return content_skip(zip->feedback, "the zip file does not tell the size of what it holds");
	return true;
}

/* False: stop. */
static bool take_header(struct zip *zip, struct slice *rest)
{
	/* Of zip64 the descriptor before has 8 bytes more. */
	if (!gather(zip, zip->described ? DESCRIPTOR_SIZE : 4, rest))
		return true;
	if (zip->described && zip->buffer[0] != 'P')
		drop(zip, 8);
	zip->described = false;
	if (!gather(zip, 4, rest))
		return true;
	if (is_signature(zip->buffer, 1, 2) || is_signature(zip->buffer, 5, 6)) {
		zip->stage = STAGE_DIRECTORY;
		return true;
	}
	if (!is_signature(zip->buffer, 3, 4))
		return content_skip(zip->feedback, "the zip file is damaged");
	return !gather(zip, HEADER_SIZE, rest) || header_read(zip);
}

/* Directories, and what a Mac adds, hold no report. */
static bool is_ignored(const struct zip *zip)
{
	return zip->name_last == '/' || memcmp(zip->name, "__MACOSX/", 9) == 0;
}

static void take_name(struct zip *zip, struct slice *rest)
{
	for (; rest->n > 0 && zip->gathered < zip->name_length; zip->gathered++) {
		if (zip->gathered < sizeof(zip->name))
			zip->name[zip->gathered] = rest->p[0];
		zip->name_last = rest->p[0];
		*rest = slice_from(*rest, 1);
	}
	for (; rest->n > 0 && zip->gathered < zip->name_length + zip->extra_length; zip->gathered++)
		*rest = slice_from(*rest, 1);
	if (zip->gathered < zip->name_length + zip->extra_length)
		return;
	zip->gathered = 0;
	zip->stage = STAGE_DATA;
	zip->inflating.ignored = is_ignored(zip);
	inflating_again(&zip->inflating);
	if (zip->inflating.ignored)
		return;
	zip->contents++;
	content_begin(&zip->feedback->archived, zip->feedback, CONTENT_ARCHIVED);
}

static bool entry_end(struct zip *zip)
{
	zip->stage = STAGE_HEADER;
	if (zip->crc != zip->inflating.crc)
		return content_skip(zip->feedback, "the zip file is damaged: its check sum is wrong");
	content_end(&zip->feedback->archived);
	return true;
}

static bool take_data(struct zip *zip, struct slice *rest)
{
	if (zip->method == METHOD_STORED) {
		struct slice bytes = slice_head(*rest, zip->size);

		*rest = slice_from(*rest, bytes.n);
		zip->size -= bytes.n;
		return inflating_stored(&zip->inflating, bytes) && (zip->size > 0 || entry_end(zip));
	}
	switch (inflating_bytes(&zip->inflating, rest)) {
	case INFLATE_MORE:
		return true;
	case INFLATE_STOPPED:
		return false;
	case INFLATE_ENDED:
		break;
	}
	if (!(zip->flags & FLAG_DESCRIPTOR))
		return entry_end(zip);
	zip->stage = STAGE_DESCRIPTOR;
	return true;
}

static bool take_descriptor(struct zip *zip, struct slice *rest)
{
	if (!gather(zip, DESCRIPTOR_SIZE, rest))
		return true;
	if (is_signature(zip->buffer, 7, 8) && !gather(zip, DESCRIPTOR_SIZE + 4, rest))
		return true;
	if (zip->gathered > DESCRIPTOR_SIZE)
		drop(zip, 4);
	zip->crc = number_of(zip->buffer, 4);
	zip->gathered = 0;
	zip->described = true;
	return entry_end(zip);
}

static bool zip_bytes(void *state, struct slice chunk)
{
	struct zip *zip = state;
	bool more = true;

	while (more && (chunk.n > 0 || (zip->stage == STAGE_DATA && zip->method == METHOD_STORED && zip->size == 0)))
		switch (zip->stage) {
		case STAGE_HEADER:
			more = take_header(zip, &chunk);
			break;
		case STAGE_NAME:
			take_name(zip, &chunk);
			break;
		case STAGE_DATA:
			more = take_data(zip, &chunk);
			break;
		case STAGE_DESCRIPTOR:
			more = take_descriptor(zip, &chunk);
			break;
		case STAGE_DIRECTORY:
			return true;
		}
	return more;
}

static void zip_end(void *state)
{
	struct zip *zip = state;

	if (zip->stage != STAGE_DIRECTORY && (zip->stage != STAGE_HEADER || zip->gathered > 0))
		content_skip(zip->feedback, "the zip file ends early");
	else if (zip->contents == 0)
		content_skip(zip->feedback, "the zip file is empty");
}

static void zip_free(void *state)
{
	struct zip *zip = state;

	content_drop(&zip->feedback->archived);
	inflating_close(&zip->inflating);
	free(zip);
}

const struct content_kind content_zip = {zip_open, zip_bytes, zip_end, zip_free, .archive = true};
