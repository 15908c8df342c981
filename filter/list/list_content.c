/*
 * list_content.c - reads list files and answers from them.
 *
 * One entry a line, `#` begins a comment at the start of a word, blank lines do not
 * count. A file with a malformed line is refused entirely, because part of a list is a different list;
 * all such lines are reported.
 *
 * Of a login map a line is "login: entry entry ..." or "login entry,entry", and a login
 * may have several lines. The login as it is written wins;
 * else it is looked for without regard to case, and taken when only one login reads so.
 */
#include "list_content.h"
#include "look.h"

#include <stdlib.h>
#include <string.h>

#define SCRATCH_MAX (64 * 1024) /* bytes after which the scratch arena begins anew */

/* Keys of a login map in the same set: no other key begins with one of these marks. */
#define MARK_LOGIN      3
#define MARK_ANY_CASE   4
#define MARK_OWNS       5
#define LOGIN_AMBIGUOUS UINT32_MAX /* an ambiguous login owns nothing */

struct reader {
	struct list_content *content;
	struct arena *scratch;
	const char *path;
	size_t line, entries;
	uint32_t login; /* of the current line; 0: not a login map */
	struct list_faults *faults;
};

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
	free(content);
}

/* ---- reading -------------------------------------------------------------------- */

static int refuse(struct reader *reader, const char *what)
{
	list_fault(reader->faults, "%s:%zu: %s", reader->path, reader->line, what);
	reader->faults->malformed = true;
	return -1;
}

/* The key of an entry as the property of a login. */
static void key_of_owned(uint32_t login, const struct key *entry, struct key *key_r)
{
	key_r->bytes[0] = MARK_OWNS;
	memcpy(key_r->bytes + 1, &login, sizeof(login));
	key_r->n = 1 + sizeof(login);
	if (entry->n == 0 || entry->n + key_r->n > KEY_MAX) {
		key_r->n = 0;
		return;
	}
	memcpy(key_r->bytes + key_r->n, entry->bytes, entry->n);
	key_r->n += entry->n;
}

static struct slice key_slice(const struct key *key)
{
	return (struct slice){key->bytes, key->n};
}

static int add_entry(struct reader *reader, struct slice text)
{
	struct list_content *content = reader->content;
	enum entry_kind kind;
	struct key key, owned;
	struct ip_net net;
	struct error err;

	if (++reader->entries > LIST_ENTRIES_MAX)
		return refuse(reader, "too many entries for one list; split it into several lists");
	if (entry_parse(text, reader->scratch, &kind, &key, &net, &err))
		return refuse(reader, err.text);
	if (arena_used(reader->scratch) > SCRATCH_MAX)
		arena_reset(reader->scratch);
	if (reader->login) {
		if (slice_find(text, '@') < 0 && text.p[0] != '.' && !slice_equal(text, SLICE("<>")))
			return refuse(reader,
				      "a login owns addresses and domains; write alice@example.org or @example.org");
		key_of_owned(reader->login, &key, &owned);
		key = owned;
	} else if (kind == ENTRY_NET) {
		(net.ip.family == 4 ? content->prefixes4 : content->prefixes6)[net.prefix] = true;
	}
	textset_add(&content->entries, key_slice(&key), 0);
	return 0;
}

static void key_of_login(char mark, struct slice login, struct key *key_r)
{
	struct key lower;

	key_r->n = 0;
	if (login.n == 0 || login.n > LIST_ENTRY_MAX)
		return;
	key_of_text(login, &lower);
	key_r->bytes[0] = mark;
	memcpy(key_r->bytes + 1, mark == MARK_LOGIN ? login.p : lower.bytes, login.n);
	key_r->n = login.n + 1;
}

/* The number of a login; a new one when it was not seen before. */
static uint32_t add_login(struct list_content *content, struct slice login)
{
	struct key exact, any_case;
	uint32_t number;

	key_of_login(MARK_LOGIN, login, &exact);
	if (textset_find(&content->entries, key_slice(&exact), &number))
		return number;
	number = ++content->logins;
	textset_add(&content->entries, key_slice(&exact), number);
	key_of_login(MARK_ANY_CASE, login, &any_case);
	if (!textset_add(&content->entries, key_slice(&any_case), number))
		textset_change(&content->entries, key_slice(&any_case), LOGIN_AMBIGUOUS);
	return number;
}

/* Takes the next entry off the line; a comment ends it. Commas separate as blanks do in a login map. */
static bool next_entry(struct slice *rest, bool commas, struct slice *entry_r)
{
	const char *end = rest->p + rest->n;

	while (slice_word(rest, entry_r)) {
		if (entry_r->p[0] == '#')
			return false;
		if (!commas)
			return true;
		while (entry_r->n && entry_r->p[0] == ',')
			*entry_r = slice_from(*entry_r, 1);
		if (entry_r->n == 0)
			continue;
		/* Up to the next comma; the rest of the word is read again. */
		for (size_t i = 0; i < entry_r->n; i++) {
			if (entry_r->p[i] != ',')
				continue;
			*rest = (struct slice){entry_r->p + i, (size_t)(end - (entry_r->p + i))};
			entry_r->n = i;
		}
		return true;
	}
	return false;
}

/* Takes "login", "login:" or the login of "login:entry" off the line; true when there was a colon. */
static bool take_login(struct slice *line, struct slice *login_r)
{
	struct slice word, rest = *line;
	ptrdiff_t colon;

	slice_word(&rest, &word);
	colon = slice_find(word, ':');
	*login_r = colon < 0 ? word : slice_head(word, (size_t)colon);
	*line = slice_from(*line, login_r->n + (colon >= 0));
	return colon >= 0;
}

static int read_owners(struct reader *reader, struct slice line)
{
	struct slice rest = slice_trim(line), login, entry;
	bool any;

	if (rest.n == 0 || rest.p[0] == '#')
		return 0;
	any = take_login(&rest, &login);
	if (slice_find(login, '*') >= 0 || (login.n && login.p[0] == '"'))
		return refuse(reader, "write the login as users enter it, without wildcards or quotes");
	if (login.n == 0 || login.n > LIST_ENTRY_MAX)
		return refuse(reader, "no login at the start of the line; write \"login: address @domain\"");
	reader->login = add_login(reader->content, login);
	while (next_entry(&rest, true, &entry)) {
		if (add_entry(reader, entry))
			return -1;
		any = true;
	}
	return any ? 0 : refuse(reader, "a login without addresses; write \"login: address @domain\"");
}

static int read_entry(struct reader *reader, struct slice line)
{
	struct slice rest = line, entry, more;

	if (!next_entry(&rest, false, &entry))
		return 0;
	if (add_entry(reader, entry))
		return -1;
	if (next_entry(&rest, false, &more))
		return refuse(reader, "two entries on one line; write one entry per line");
	return 0;
}

static int read_lines(struct reader *reader, struct slice text, bool owners)
{
	bool text_ends_early = text.n && text.p[text.n - 1] != '\n';
	struct slice line;

	while (reader->faults->count < LIST_FAULTS_MAX && slice_cut(&text, '\n', &line)) {
		reader->line++;
		if (slice_find(line, '\0') >= 0)
			return refuse(reader, "a NUL byte; a list must be plain text");
		if (slice_starts_nocase(line, SLICE(BYTE_ORDER_MARK))) {
			refuse(reader, "the file begins with a byte order mark; save it as UTF-8 without one");
			line = slice_from(line, sizeof(BYTE_ORDER_MARK) - 1);
		}
		(owners ? read_owners : read_entry)(reader, line);
		if (reader->entries > LIST_ENTRIES_MAX)
			break;
	}
	if (reader->faults->count)
		return -1;
	/* It is read all the same: many editors write such files. */
	if (text_ends_early)
		refuse(reader,
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

struct list_content *list_content_parse(struct slice text, const char *path, bool owners, struct list_faults *faults)
{
	struct list_content *content = xmalloc(sizeof(*content));
	struct reader reader = {.content = content, .path = path, .faults = faults};
	int result;

	content->holders = 1;
	textset_init(&content->entries, count_lines(text));
	reader.scratch = arena_new();
	result = read_lines(&reader, text, owners);
	arena_free(reader.scratch);
	if (result == 0)
		return content;
	list_content_release(content);
	return NULL;
}

/* ---- asking ---------------------------------------------------------------------- */

struct asked {
	const struct list_content *content;
	uint32_t login; /* whose property; 0: not a login map */
};

static enum truth has_key(void *context, const struct key *key)
{
	const struct asked *asked = context;
	struct key owned;
	bool found;

	if (!asked->login) {
		found = textset_find(&asked->content->entries, key_slice(key), NULL);
	} else {
		key_of_owned(asked->login, key, &owned);
		found = textset_find(&asked->content->entries, key_slice(&owned), NULL);
	}
	return found ? TRUTH_TRUE : TRUTH_FALSE;
}

bool list_content_has(const struct list_content *content, const struct list_key *key)
{
	struct asked asked = {content, 0};
	const struct look look = {has_key, &asked};

	if (key->kind == LIST_IP)
		return look_ip(&look, key->ip.family == 4 ? content->prefixes4 : content->prefixes6, key->ip) ==
		       TRUTH_TRUE;
	if (key->kind == LIST_ADDRESS)
		return look_address(&look, key->address) == TRUTH_TRUE;
	return look_text(&look, key->text) == TRUTH_TRUE;
}

bool list_content_owns(const struct list_content *content, struct slice login, const struct address *address)
{
	struct asked asked = {.content = content};
	struct key key;

	key_of_login(MARK_LOGIN, login, &key);
	if (key.n == 0)
		return false;
	if (!textset_find(&content->entries, key_slice(&key), &asked.login)) {
		key_of_login(MARK_ANY_CASE, login, &key);
		if (!textset_find(&content->entries, key_slice(&key), &asked.login))
			return false;
	}
	return look_address(&(struct look){has_key, &asked}, address) == TRUTH_TRUE;
}
