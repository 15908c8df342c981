/*
 * take.c - what a milter answers: a reply, or the changes of a message before the answer to its end.
 */
#include "client_private.h"

/* ---- a reply ---------------------------------------------------------------------------------------- */

/* "5.7.1": RFC 3463 2. */
static bool is_enhanced(struct slice word, char class)
{
	unsigned dots = 0;

	if (word.n < 5 || word.n > 9 || word.p[0] != class || word.p[1] != '.' || !is_digit(word.p[word.n - 1]))
		return false;
	for (size_t i = 0; i < word.n; i++) {
		dots += word.p[i] == '.';
		if (!is_digit(word.p[i]) && (word.p[i] != '.' || !is_digit(word.p[i - 1])))
			return false;
	}
	return dots == 2;
}

/* MTAs read the text as a format, in which "%%" is a percent sign. */
static void add_text(struct text *text, struct slice line)
{
	if (text->n > 0)
		text_add_char(text, ' ');
	for (size_t i = 0; i < line.n; i++) {
		text_add_char(text, line.p[i]);
		i += line.p[i] == '%' && i + 1 < line.n && line.p[i + 1] == '%';
	}
}

int take_reply(struct slice data, struct arena *arena, struct answer *answer_r)
{
	struct slice line, word, rest;
	struct text text;
	uint64_t code;

	data = slice_head(data, strnlen(data.p, data.n));
	if (slice_number(slice_head(data, 3), 599, &code) != 0 || code < 400)
		return -1;
	text_init(&text, arena, REPLY_LINES_MAX * (REPLY_LINE_MAX + 1));
	answer_r->code = (unsigned)code;
	answer_r->enhanced = SLICE("");
	while (slice_cut(&data, '\n', &line)) {
		line = slice_trim(slice_from(line, 4));
		rest = line;
		if (slice_word(&rest, &word) && is_enhanced(word, code < 500 ? '4' : '5')) {
			answer_r->enhanced = word;
			line = slice_trim(rest);
		}
		add_text(&text, line);
	}
	answer_r->text = text_slice(&text);
	return 0;
}

/* ---- changes ------------------------------------------------------------------------------------------ */

static int no_milter(struct error *err)
{
	error_set(err, "what answers is not a milter");
	return -1;
}

static int add(struct taking *taking, const struct change *change, struct error *err)
{
	size_t room = taking->room ? 2 * taking->room : 16;
	struct change *changes;

	if (taking->count == MILTER_CHANGES_MAX) {
		error_set(err, "the daemon makes more than %d changes", MILTER_CHANGES_MAX);
		return -1;
	}
	if (taking->count == taking->room) {
		changes = arena_raw(taking->arena, room * sizeof(*changes));
		if (taking->count)
			memcpy(changes, taking->changes, taking->count * sizeof(*changes));
		taking->changes = changes;
		taking->room = room;
	}
	taking->changes[taking->count++] = *change;
	return 0;
}

/* Of a field (RFC 5322 2.2), perhaps with the blanks that came before its colon (4.5). */
static bool is_name(struct slice name)
{
	size_t n = name.n;

	while (n > 0 && is_blank(name.p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
			return false;
	return n > 0;
}

/* "index name NUL value NUL", without the index when it is given. */
static int take_field(struct taking *taking, char letter, struct slice data, struct error *err)
{
	struct change change = {.kind = letter == 'h' ? CHANGE_APPEND : CHANGE_INSERT};

	if (letter != 'h') {
		if (data.n < 4)
			return no_milter(err);
		change.index = packet_number_at(data, 0);
		data = slice_from(data, 4);
	}
	if (!slice_cut(&data, '\0', &change.name) || !slice_cut(&data, '\0', &change.value) || !data.p)
		return no_milter(err);
	if (!is_name(change.name))
		return no_milter(err);
	if (letter == 'm')
		change.kind = change.value.n > 0 ? CHANGE_REPLACE : CHANGE_DELETE;
	return add(taking, &change, err);
}

/* An address, perhaps with parameters. */
static int take_address(struct taking *taking, enum change_kind kind, struct slice data, struct error *err)
{
	struct change change = {.kind = kind};

	return slice_cut(&data, '\0', &change.value) && data.p ? add(taking, &change, err) : no_milter(err);
}

static int take_body(struct taking *taking, struct slice data, struct error *err)
{
	if (!taking->body)
		taking->body = spool_new(taking->arena);
	spool_add(taking->body, data);
	if (!spool_trouble(taking->body))
		return 0;
	error_set(err, "%s", spool_trouble(taking->body));
	return -1;
}

int take_request(struct taking *taking, char letter, struct slice data, struct error *err)
{
	switch (letter) {
	case 'h':
	case 'i':
	case 'm':
		return take_field(taking, letter, data, err);
	case 'e':
		return take_address(taking, CHANGE_SENDER, data, err);
	case '+':
	case '2':
		return take_address(taking, CHANGE_ADD_RECIPIENT, data, err);
	case '-':
		return take_address(taking, CHANGE_DELETE_RECIPIENT, data, err);
	case 'b':
		return take_body(taking, data, err);
	case 'q':
		taking->quarantine = slice_head(data, strnlen(data.p, data.n));
		return 0;
	case 'p':
		return 0;
	default:
		return no_milter(err);
	}
}
