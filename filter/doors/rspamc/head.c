/*
 * head.c - the head of a request: "CHECK RSPAMC/1.3" and lines "Name: value", ended by an empty line. Unknown names are
 * ignored, of equal ones the first counts, but for Rcpt. Lines end with LF or CRLF.
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

static void keep(struct head *head, struct slice name, struct slice value)
{
	if (slice_equal_nocase(name, SLICE("Rcpt")))
		rcpt_add(head, value);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice *kept = (void *)((char *)head + names[i].offset);

		if (!kept->p && slice_equal_nocase(name, slice_of(names[i].name)))
			*kept = (struct slice){arena_cstring(head->arena, value), value.n};
	}
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
	if (is_end(line)) {
		head->complete = true;
		return slice_number(head->length_text, MESSAGE_LENGTH, &head->length);
	}
	if (colon < 1)
		return -1;
	keep(head, slice_trim(slice_head(line, (size_t)colon)), slice_trim(slice_from(line, (size_t)colon + 1)));
	return 0;
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
