/*
 * list_content.c - reads list files and answers from them.
 *
 * One entry a line, `#` begins a comment at the start of a word, blank lines do not
 * count. A file with a malformed line is refused entirely, because part of a list is a different list;
 * all such lines are reported.
 */
#include "look.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>

struct list_content *list_content_hold(struct list_content *content)
{
	if (content)
		content->holders++;
	return content;
}

void list_content_release(struct list_content *content)
{
	if (!content || --content->holders > 0)
		return;
	textset_free(&content->entries);
	free(content->values);
	free(content);
}

/* ---- reading -------------------------------------------------------------------- */

static struct slice key_slice(const struct key *key)
{
	return (struct slice){key->bytes, key->n};
}

static int read_entry(struct list_reader *reader, struct slice line)
{
	struct slice rest = line, entry, more;
	enum entry_kind kind;
	struct ip_net net;
	struct key key;

	if (!reader_next(&rest, false, &entry))
		return 0;
	if (reader_key(reader, entry, &kind, &key, &net))
		return -1;
	if (kind == ENTRY_NET)
		(net.ip.family == 4 ? reader->content->prefixes4 : reader->content->prefixes6)[net.prefix] = true;
	textset_add(&reader->content->entries, key_slice(&key), 0);
	if (reader_next(&rest, false, &more))
		return reader_refuse(reader, "two entries on one line; write one entry per line");
	return 0;
}

static int read_lines(struct list_reader *reader, struct slice text)
{
	bool text_ends_early = text.n && text.p[text.n - 1] != '\n';
	bool map = reader->content->kind != LIST_ENTRIES;
	struct slice line;

	while (reader->wrong < LIST_FAULTS_MAX && slice_cut(&text, '\n', &line)) {
		reader->line++;
		if (slice_find(line, '\0') >= 0)
			return reader_refuse(reader, "a NUL byte; a list must be plain text");
		if (slice_starts_nocase(line, SLICE(BYTE_ORDER_MARK))) {
			reader_refuse(reader, "the file begins with a byte order mark; save it as UTF-8 without one");
			line = slice_from(line, sizeof(BYTE_ORDER_MARK) - 1);
		}
		(map ? login_map_line : read_entry)(reader, line);
		if (reader->entries > LIST_ENTRIES_MAX)
			break;
	}
	if (reader->wrong)
		return -1;
	/* It is read all the same: many editors write such files. */
	if (text_ends_early)
		reader_refuse(reader,
			      "the last line does not end with a newline, so the file may be cut off; add the newline");
	return 0;
}

static size_t count_lines(struct slice text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	return lines < LIST_ENTRIES_MAX ? lines : LIST_ENTRIES_MAX;
}

struct list_content *list_content_parse(struct slice text, const char *path, enum list_kind kind,
					struct list_faults *faults)
{
	struct list_content *content = xmalloc(sizeof(*content));
	struct list_reader reader = {.content = content, .path = path, .faults = faults};
	int result;

	content->holders = 1;
	content->kind = kind;
	/* Of a login map a line has at least two keys: the login and what is its. */
	textset_init(&content->entries, count_lines(text) * (kind == LIST_OWNERS ? 2 : 1));
	reader.scratch = arena_new();
	result = read_lines(&reader, text);
	if (result == 0 && kind != LIST_ENTRIES)
		login_map_end(&reader, text);
	arena_free(reader.scratch);
	if (result == 0)
		return content;
	list_content_release(content);
	return NULL;
}

/* ---- asking ---------------------------------------------------------------------- */

static enum truth has_key(void *context, const struct key *key)
{
	const struct list_content *content = context;

	return textset_find(&content->entries, key_slice(key), NULL) ? TRUTH_TRUE : TRUTH_FALSE;
}

uint64_t list_content_entries(const struct list_content *content)
{
	return content->kind == LIST_ENTRIES ? content->entries.count : content->logins;
}

bool list_content_has(const struct list_content *content, const struct list_key *key)
{
	const struct look look = {has_key, (void *)(uintptr_t)content};

	if (content->kind != LIST_ENTRIES)
		return key->kind == LIST_TEXT && login_map_has(content, key->text);
	if (key->kind == LIST_IP)
		return look_ip(&look, key->ip.family == 4 ? content->prefixes4 : content->prefixes6, key->ip) ==
		       TRUTH_TRUE;
	if (key->kind == LIST_ADDRESS)
		return look_address(&look, key->address) == TRUTH_TRUE;
	return look_text(&look, key->text) == TRUTH_TRUE;
}
