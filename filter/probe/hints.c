/*
 * hints.c - where the root servers are.
 */
#include "trace_private.h"

#include <stdlib.h>

#define HINTS_BYTES_MAX (1024 * 1024)

/* As IANA's root.hints has them; one that moved costs a time-out. */
static const char well_known[] = "a.root-servers.net A 198.41.0.4\nb.root-servers.net A 170.247.170.2\n"
				 "c.root-servers.net A 192.33.4.12\nd.root-servers.net A 199.7.91.13\n"
				 "e.root-servers.net A 192.203.230.10\nf.root-servers.net A 192.5.5.241\n"
				 "g.root-servers.net A 192.112.36.4\nh.root-servers.net A 198.97.190.53\n"
				 "i.root-servers.net A 192.36.148.17\nj.root-servers.net A 192.58.128.30\n"
				 "k.root-servers.net A 193.0.14.129\nl.root-servers.net A 199.7.83.42\n"
				 "m.root-servers.net A 202.12.27.33\nk.root-servers.net AAAA 2001:7fd::1\n";

/* "NAME [TTL] [IN] A ADDRESS"; other lines are not needed. */
static void line_read(struct slice line, struct arena *arena, struct zone *zone)
{
	struct slice name, word, last = SLICE(""), before = SLICE("");
	struct ip ip;
	ptrdiff_t comment = slice_find(line, ';');

	line = comment < 0 ? line : slice_head(line, (size_t)comment);
	if (!slice_word(&line, &name))
		return;
	while (slice_word(&line, &word)) {
		before = last;
		last = word;
	}
	if ((!slice_equal_nocase(before, SLICE("A")) && !slice_equal_nocase(before, SLICE("AAAA"))) ||
	    ip_parse(last, &ip) < 0 || zone->count == SERVERS_MAX)
		return;
	name = slice_ends_nocase(name, SLICE(".")) ? slice_head(name, name.n - 1) : name;
	zone->servers[zone->count++] = (struct server){arena_lower(arena, name), ip};
}

int hints_read(const char *path, struct arena *arena, struct zone *zone_r, struct error *err)
{
	struct slice text = slice_of(well_known), rest, line;

	zone_r->count = 0;
	if (path && file_read(path, HINTS_BYTES_MAX, &text, err) < 0)
		return -1;
	rest = text;
	while (slice_cut(&rest, '\n', &line))
		line_read(line, arena, zone_r);
	if (path)
		free((char *)text.p);
	zone_r->name = zone_r->count > 0 ? ldns_dname_new_frm_str(".") : NULL;
	if (zone_r->name)
		return 0;
	error_set(err, "%s: no line with the address of a root server, as in \"a.root-servers.net. A 198.41.0.4\"",
		  path ? path : "root servers");
	return -1;
}
