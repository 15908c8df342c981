/*
 * envelope.c - the envelope as qmail-queue gets it: "F", the sender, NUL; for each recipient "T", the address, NUL;
 * NUL.
 */
#include "queue_private.h"
#include <errno.h>
#include <unistd.h>

#define CHUNK                (16 * 1024)
#define ENVELOPE_PRINTED_MAX (8 * ENVELOPE_MAX) /* more than came, and more than a milter may add */

static int fault(int code, struct error *err, const char *what)
{
	error_set(err, "%s", what);
	return code;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Each part begins with a letter, so that two NULs are the end. */
static bool is_complete(const struct text *text, size_t from)
{
	from -= from > 0;
	return memmem(text->p + from, text->n - from, "\0\0", 2) != NULL;
}

int envelope_read(int fd, struct arena *arena, struct slice *bytes_r, struct error *err)
{
	struct text text;
	char chunk[CHUNK];
	size_t before;

	text_init(&text, arena, ENVELOPE_MAX);
	do {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		before = text.n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* envelope_parse says what is missing */
		text_add(&text, (struct slice){chunk, (size_t)n});
		if (text.cut)
			return fault(QUEUE_REFUSED, err, "the envelope is larger than 16 MB");
	} while (text.n == 0 || !is_complete(&text, before));
	*bytes_r = text_slice(&text);
	return 0;
}

static int parse(struct slice bytes, struct arena *arena, struct envelope *envelope, struct error *err)
{
	struct slice part;
	size_t room = 0;

	for (size_t i = 0; i < bytes.n; i++)
		room += bytes.p[i] == '\0';
	if (room > ENGINE_RECIPIENTS_MAX + 2) /* the sender, and the NUL at the end */
		return fault(QUEUE_REFUSED, err, "there are more than 10,000 recipients");
	envelope->recipients = arena_alloc(arena, (room + 1) * sizeof(struct slice));
	for (char letter = 'F'; slice_cut(&bytes, '\0', &part); letter = 'T') {
		if (part.n == 0 && letter == 'T' && bytes.p)
			return 0;
		if (part.n == 0 ? bytes.p != NULL : part.p[0] != letter)
			return fault(QUEUE_ENVELOPE, err, "the envelope is malformed");
		part = slice_from(part, 1);
		if (part.n > ENVELOPE_ADDRESS)
			return fault(QUEUE_ADDRESS_LONG, err, "an address is longer than 1002 bytes");
		if (letter == 'F')
			envelope->sender = part;
		else
			envelope->recipients[envelope->count++] = part;
	}
	return fault(QUEUE_READ, err, "the envelope ends too early: the message was given up");
}

int envelope_parse(struct slice bytes, struct arena *arena, struct envelope *envelope_r, struct error *err)
{
	*envelope_r = (struct envelope){.sender = SLICE("")};
	return parse(bytes, arena, envelope_r, err);
}

/* ---- changes --------------------------------------------------------------------------------------- */

/* A path names an address as we wrote it: with quotes that were added, or that were there. */
static size_t without(struct slice *recipients, size_t count, struct slice path, struct slice bare)
{
	size_t kept = 0;

	path = path.n > 2 ? slice_head(slice_from(path, 1), path.n - 2) : path;
	for (size_t i = 0; i < count; i++)
		if (!slice_equal(recipients[i], bare) && !slice_equal(recipients[i], path))
			recipients[kept++] = recipients[i];
	return kept;
}

void envelope_apply(struct envelope *envelope, const struct answer *answer, struct arena *arena)
{
	struct slice *recipients =
	    arena_alloc(arena, (envelope->count + answer->change_count + 1) * sizeof(*recipients));
	size_t count = 0;

	for (size_t i = 0; i < envelope->count; i++)
		if (!answer->refused || !answer->refused[i])
			recipients[count++] = envelope->recipients[i];
	for (size_t i = 0; i < answer->change_count; i++) {
		const struct change *change = &answer->changes[i];
		struct slice bare = address_bare(change->value, arena);

		if (change->kind == CHANGE_SENDER)
			envelope->sender = bare;
		else if (change->kind == CHANGE_DELETE_RECIPIENT)
			count = without(recipients, count, change->value, bare);
		else if (change->kind == CHANGE_ADD_RECIPIENT)
			recipients[count++] = bare;
	}
	envelope->recipients = recipients;
	envelope->count = count;
}

/* ---- writing --------------------------------------------------------------------------------------- */

static void print_part(struct text *text, char letter, struct slice address)
{
	text_add_char(text, letter);
	text_add(text, address);
	text_add_char(text, '\0');
}

struct slice envelope_print(const struct envelope *envelope, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, ENVELOPE_PRINTED_MAX);
	print_part(&text, 'F', envelope->sender);
	for (size_t i = 0; i < envelope->count; i++)
		print_part(&text, 'T', envelope->recipients[i]);
	return text_slice(&text);
}
