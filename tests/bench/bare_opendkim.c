/*
 * bare_opendkim.c - libopendkim as a milter would use it that knows all keys.
 */
#include "bare.h"
#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>

struct bare {
	DKIM_LIB *lib;
	char record[1000];
};

static DKIM_CBSTAT find_key(DKIM *dkim, DKIM_SIGINFO *info, u_char *buffer, size_t room)
{
	struct bare *bare = dkim_get_user_context(dkim);

	(void)info;
	snprintf((char *)buffer, room, "%s", bare->record);
	return DKIM_CBSTAT_CONTINUE;
}

struct bare *bare_open(struct slice key_record)
{
	struct bare *bare = xmalloc(sizeof(*bare));

	snprintf(bare->record, sizeof(bare->record), "%.*s", SLICE_ARGS(key_record));
	bare->lib = dkim_init(NULL, NULL);
	if (!bare->lib)
		die("libopendkim cannot be opened");
	dkim_set_key_lookup(bare->lib, find_key);
	return bare;
}

void bare_close(struct bare *bare)
{
	if (!bare)
		return;
	dkim_close(bare->lib);
	free(bare);
}

bool bare_verify(struct bare *bare, const struct slice *fields, size_t count, struct slice body)
{
	DKIM_STAT status;
	DKIM *dkim = dkim_verify(bare->lib, (const unsigned char *)"bench", NULL, &status);

	if (!dkim)
		die("libopendkim takes no message");
	dkim_set_user_context(dkim, bare);
	for (size_t i = 0; i < count; i++)
		dkim_header(dkim, (u_char *)fields[i].p, fields[i].n);
	dkim_eoh(dkim);
	dkim_body(dkim, (u_char *)body.p, body.n);
	status = dkim_eom(dkim, NULL);
	dkim_free(dkim);
	return status == DKIM_STAT_OK;
}
