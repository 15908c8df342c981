/*
 * head.c - the head of a request: "CHECK RSPAMC/1.3" and lines "Name: value", ended by an empty line. Unknown names are
 * ignored. Lines end with LF or CRLF.
 *
 * Exim writes addresses and logins as they are. A program of its host can have a line end in a quoted local part, and
 * what follows it would be a field: a login, the address of a client. Exim also sends a head without its end when it
 * does not fit in the buffer of its socket, and then fields of the message follow. So an address must be complete, the
 * recipients as many as announced, and a field other than Rcpt comes once; all else is not a request.
 */
#include "rspamc_private.h"

static const struct {
	const char *name;
	size_t offset;
} names[] = {
    {"From", offsetof(struct head, from)},
    {"Helo", offsetof(struct head, helo)},
    {"Hostname", offsetof(struct head, hostname)},
    {"IP", offsetof(struct head, ip)},
    {"User", offsetof(struct head, user)},
    {"Queue-Id", offsetof(struct head, queue_id)},
    {"Recipient-Number", offsetof(struct head, rcpt_number)},
    {"Content-length", offsetof(struct head, length_text)},
};

static const struct slice command = SLICE("CHECK RSPAMC/1.");

static bool is_end(struct slice line)
{
	return line.n == 0 || slice_equal(line, SLICE("\r"));
}

size_t head_frame(const struct head *head, struct slice bytes)
{
	struct slice begin = slice_head(command, bytes.n);
	size_t taken = 0;

	if ((!head || !head->began) && !slice_starts_nocase(bytes, begin))
		return FRAME_INVALID;
	for (;;) {
		struct slice rest = slice_from(bytes, taken);
		ptrdiff_t end = slice_find(rest, '\n');

		if (end < 0)
			return taken;
		taken += (size_t)end + 1;
		if (is_end(slice_head(rest, (size_t)end)))
			return taken;
	}
}

static void rcpt_add(struct head *head, struct slice value)
{
	if (head->rcpt_count == head->rcpt_room) {
		size_t room = head->rcpt_room ? 2 * head->rcpt_room : 4;
		struct slice *rcpts = arena_raw(head->arena, room * sizeof(*rcpts));

		if (head->rcpt_count)
			memcpy(rcpts, head->rcpts, head->rcpt_count * sizeof(*rcpts));
		head->rcpts = rcpts;
		head->rcpt_room = room;
	}
	head->rcpts[head->rcpt_count++] = arena_copy(head->arena, value);
}

/* Its quotes and its <> are closed. */
static bool is_complete(struct slice address)
{
	bool open = address.n > 0 && address.p[0] == '<', closed = address.n > 1 && address.p[address.n - 1] == '>';
	bool quoted = false;

	for (size_t i = 0; i < address.n; i++)
		if (address.p[i] == '\\')
			i++;
		else if (address.p[i] == '"')
			quoted = !quoted;
	return open == closed && !quoted;
}

/* 0, or -1: it cannot be a field of the mail server. */
static int keep(struct head *head, struct slice name, struct slice value)
{
	bool rcpt = slice_equal_nocase(name, SLICE("Rcpt"));

	if ((rcpt || slice_equal_nocase(name, SLICE("From"))) && !is_complete(value))
		return -1;
	if (rcpt)
		rcpt_add(head, value);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice *kept = (void *)((char *)head + names[i].offset);

		if (!slice_equal_nocase(name, slice_of(names[i].name)))
			continue;
		if (kept->p)
			return -1;
		*kept = (struct slice){arena_cstring(head->arena, value), value.n};
	}
	return 0;
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_letter(name.p[i]) && !is_digit(name.p[i]) && name.p[i] != '-')
			return false;
	return name.n > 0;
}

/* 0, or -1. */
static int finish(struct head *head)
{
	uint64_t number;

	head->complete = true;
	if (head->rcpt_number.p &&
	    (slice_number(head->rcpt_number, HEAD_MAX, &number) != 0 || number != head->rcpt_count))
		return -1;
	return slice_number(head->length_text, MESSAGE_LENGTH, &head->length);
}

/* 0, or -1. The empty line ends the head. */
static int take_line(struct head *head, struct slice line)
{
	ptrdiff_t colon = slice_find(line, ':');

	if (slice_find(line, '\0') >= 0)
		return -1;
	if (!head->began) {
		head->began = slice_starts_nocase(line, command);
		return head->began ? 0 : -1;
	}
	if (is_end(line))
		return finish(head);
	if (colon < 0 || !is_name(slice_head(line, (size_t)colon)))
		return -1;
	return keep(head, slice_head(line, (size_t)colon), slice_trim(slice_from(line, (size_t)colon + 1)));
}

int head_take(struct head *head, struct slice lines)
{
	struct slice line;

	head->bytes += lines.n;
	if (head->bytes > HEAD_MAX)
		return -1;
	while (!head->complete && lines.n > 0 && slice_cut(&lines, '\n', &line))
		if (take_line(head, line) != 0)
			return -1;
	return 0;
}
