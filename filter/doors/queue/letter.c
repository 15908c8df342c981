/*
 * letter.c - the message as qmail-smtpd passes it: lines that end in LF, no dots added.
 *
 * It is stored first, outside of memory: nothing is said or done about a message before all of it is here.
 */
#include "queue_private.h"
#include <errno.h>
#include <unistd.h>

#define CHUNK (64 * 1024)

/* ---- reading ------------------------------------------------------------------------------------- */

static int exit_of(int number)
{
	return number == EFBIG ? QUEUE_REFUSED : number == ENOMEM ? QUEUE_MEMORY : QUEUE_WRITE;
}

int letter_read(int fd, struct arena *arena, struct slice *bytes_r, struct error *err)
{
	struct spool *spool = spool_new(arena);
	char *chunk = arena_raw(arena, CHUNK);
	ssize_t n;

	spool_bound(spool, MESSAGE_MAX);
	while ((n = read(fd, chunk, CHUNK)) != 0 && !spool_trouble(spool)) {
		if (n > 0)
			spool_add(spool, (struct slice){chunk, (size_t)n});
		else if (errno != EINTR) {
			error_set(err, "the message cannot be read: %s", strerror(errno));
			return QUEUE_READ;
		}
	}
	if (spool_map(spool, bytes_r) == 0)
		return 0;
	error_set(err, "%s: %s", spool_trouble(spool), strerror(spool_errno(spool)));
	return exit_of(spool_errno(spool));
}

/* ---- the header ------------------------------------------------------------------------------------ */

/* The length of the name at the start of a line, with blanks before the colon; 0: the line is not a field (RFC 5322
 * 2.2, 4.5). */
static size_t name_length(struct slice line)
{
	size_t n = 0, end;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 0x7f && line.p[n] != ':')
		n++;
	end = n;
	while (end < line.n && is_blank(line.p[end]))
		end++;
	return n > 0 && end < line.n && line.p[end] == ':' ? end : 0;
}

/* Up to the LF that no fold follows; with it when it is there. */
static size_t field_length(struct slice text)
{
	size_t at = 0;

	for (;;) {
		const char *end = memchr(text.p + at, '\n', text.n - at);

		if (!end)
			return text.n;
		at = (size_t)(end - text.p) + 1;
		if (at == text.n || !is_blank(text.p[at]))
			return at;
	}
}

static struct slice without_nul(struct slice value, struct arena *arena)
{
	char *copy;

	if (slice_find(value, '\0') < 0)
		return value;
	copy = arena_cstring(arena, value);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '\0')
			copy[i] = ' ';
	return (struct slice){copy, value.n};
}

static struct field *field_of(struct slice raw, size_t name, struct arena *arena)
{
	struct field *field = arena_alloc(arena, sizeof(*field));

	if (raw.n > 0 && raw.p[raw.n - 1] == '\n')
		raw.n--;
	field->raw = raw;
	field->name = slice_head(raw, name);
	field->value = without_nul(slice_from(raw, name + 1), arena);
	return field;
}

/* A line that is not a field begins the body, as other mail servers see it. */
int letter_split(struct slice bytes, struct arena *arena, struct letter *letter_r)
{
	struct field **last = &letter_r->fields;
	size_t total = bytes.n, name;

	*letter_r = (struct letter){NULL};
	while (bytes.n > 0 && (name = name_length(bytes)) > 0) {
		size_t n = field_length(bytes);

		*last = field_of(slice_head(bytes, n), name, arena);
		last = &(*last)->next;
		bytes = slice_from(bytes, n);
		if (++letter_r->field_count > FIELDS_MAX || total - bytes.n > HEADER_READ_MAX)
			return -1;
	}
	letter_r->separated = bytes.n > 0 && bytes.p[0] == '\n';
	letter_r->body = slice_from(bytes, letter_r->separated);
	return 0;
}
