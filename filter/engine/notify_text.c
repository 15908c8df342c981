/*
 * notify_text.c - a note as a message (RFC 5322), marked as automatic (RFC 3834).
 */
#include "notify.h"

#define NOTE_MAX    8192
#define SUBJECT_MAX 200
#define LINE_MAX    72 /* columns of the text: it is broken at blanks */

struct slice note_id_new(struct arena *arena)
{
	return arena_printf(arena, "%016llx%016llx", (unsigned long long)random_seed(),
			    (unsigned long long)random_seed());
}

struct slice note_id_key(struct slice id, struct arena *arena)
{
	return store_key(arena, SLICE("notify"), SLICE("sent"), id);
}

/* Not cut within a character of UTF-8; what is not UTF-8 is shown with "?". */
static struct slice clean(struct slice text, size_t most, struct arena *arena)
{
	struct slice copy = arena_copy(arena, text);
	char *p = (char *)copy.p;
	size_t i = 0;

	while (i < copy.n) {
		size_t n = slice_utf8(slice_from(copy, i));

		if (n == 0)
			p[i] = '?';
		n = n ? n : 1;
		if (i + n > most)
			break;
		i += n;
	}
	return slice_head(copy, i);
}

static void add_field(struct text *text, const char *name, struct slice value, struct arena *arena)
{
	struct slice safe = header_safe(value, strlen(name), arena);

	text_printf(text, "%s: ", name);
	for (size_t i = 0; i < safe.n; i++) {
		if (safe.p[i] == '\n')
			text_add_char(text, '\r');
		if (safe.p[i] != '\r')
			text_add_char(text, safe.p[i]);
	}
	text_add(text, SLICE("\r\n"));
}

static void add_wrapped(struct text *text, struct slice said)
{
	struct slice word;
	size_t column = 0;

	while (slice_word(&said, &word)) {
		if (column > 0 && column + 1 + word.n > LINE_MAX) {
			text_add(text, SLICE("\r\n"));
			column = 0;
		}
		text_add(text, column ? SLICE(" ") : SLICE(""));
		column += word.n + (column > 0);
		text_add(text, word);
	}
	text_add(text, SLICE("\r\n"));
}

static struct slice domain_of(const struct gate *gate)
{
	return gate->settings->mailer.from.domain;
}

struct slice note_print(const struct note_text *note, struct arena *arena)
{
	const struct gate *gate = note->gate;
	struct slice said = clean(note->notice->text, NOTE_MAX / 2, arena);
	struct text text;

	text_init(&text, arena, NOTE_MAX);
	add_field(&text, "From", gate->settings->mailer.from.text, arena);
	add_field(&text, "To", note->recipient->text, arena);
	add_field(&text, "Subject", clean(said, SUBJECT_MAX, arena), arena);
	add_field(&text, "Date", date_print(clock_wall_us(), arena), arena);
	text_printf(&text, "Message-ID: <" NOTE_ID_PREFIX "%.*s@%.*s>\r\n", SLICE_ARGS(note->id),
		    SLICE_ARGS(domain_of(gate)));
	text_add(&text, SLICE("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			      "Content-Type: text/plain; charset=utf-8\r\n"));
	text_printf(&text, "Content-Transfer-Encoding: %s\r\n\r\n", slice_is_ascii(said) ? "7bit" : "8bit");
	add_wrapped(&text, said);
	text_printf(&text, "\r\n-- \r\nSekisho, the mail filter%s%.*s\r\n",
		    gate->settings->check.authserv_id.n ? " of " : "", SLICE_ARGS(gate->settings->check.authserv_id));
	return text_slice(&text);
}
