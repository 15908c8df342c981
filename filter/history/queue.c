/*
 * queue.c - one record that waits to be written: one block of memory.
 */
#include "history_private.h"
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 320 /* of what is counted: an address, or a rule */

static size_t size_of_names(const struct history_entry *entry)
{
	size_t n = 0;

	for (size_t i = 0; i < entry->counted_count; i++)
		n += 1 + (entry->counted[i].name.n < NAME_MAX_BYTES ? entry->counted[i].name.n : NAME_MAX_BYTES);
	return n;
}

static void copy_counts(struct queued_count *counts, char *names, const struct history_entry *entry)
{
	for (size_t i = 0; i < entry->counted_count; i++) {
		struct slice name = slice_head(entry->counted[i].name, NAME_MAX_BYTES);

		counts[i] = (struct queued_count){entry->counted[i].kind, (unsigned)name.n, names};
		memcpy(names, name.p, name.n);
		names += name.n + 1;
	}
}

struct queued *queued_new(const struct history_entry *entry)
{
	size_t terms = entry->found_count < HISTORY_TERMS_MAX ? entry->found_count : HISTORY_TERMS_MAX;
	size_t bytes = sizeof(struct queued) + terms * sizeof(int64_t) +
		       entry->counted_count * sizeof(struct queued_count) + size_of_names(entry) + entry->line.n;
	struct queued *queued = xmalloc(bytes);
	int64_t *hashes = (int64_t *)(queued + 1);
	struct queued_count *counts = (struct queued_count *)(hashes + terms);
	char *names = (char *)(counts + entry->counted_count), *line = names + size_of_names(entry);

	*queued = (struct queued){.bytes = bytes,
				  .time_us = entry->time_us,
				  .line = line,
				  .line_n = entry->line.n,
				  .terms = hashes,
				  .term_count = terms,
				  .counts = counts,
				  .count_count = entry->counted_count};
	for (size_t i = 0; i < terms; i++)
		hashes[i] = term_hash(entry->found[i].term, entry->found[i].text);
	copy_counts(counts, names, entry);
	memcpy(line, entry->line.p, entry->line.n);
	return queued;
}
