/*
 * reader.c - one line of a list after the other: its faults, its words, and the keys of entries.
 */
#include "reader.h"

#define SCRATCH_MAX (64 * 1024) /* bytes after which the scratch arena begins anew */

int reader_refuse(struct list_reader *reader, const char *what)
{
	list_fault(reader->faults, "%s:%zu: %s", reader->path, reader->line, what);
	reader->faults->malformed = true;
	reader->wrong++;
	return -1;
}

void reader_warn(struct list_reader *reader, const char *what)
{
	list_fault(reader->faults, "%s:%zu: %s", reader->path, reader->line, what);
}

int reader_key(struct list_reader *reader, struct slice text, enum entry_kind *kind_r, struct key *key_r,
	       struct ip_net *net_r)
{
	struct error err;

	if (++reader->entries > LIST_ENTRIES_MAX)
		return reader_refuse(reader, "too many entries for one list; split it into several lists");
	if (entry_parse(text, reader->scratch, kind_r, key_r, net_r, &err))
		return reader_refuse(reader, err.text);
	if (arena_used(reader->scratch) > SCRATCH_MAX)
		arena_reset(reader->scratch);
	return 0;
}

bool reader_next(struct slice *rest, bool commas, struct slice *entry_r)
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
