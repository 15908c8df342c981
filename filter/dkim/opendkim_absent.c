/*
 * opendkim_absent.c - built without libopendkim: there is no second engine.
 */
#include "second.h"

struct dkim_library *dkim_library_open(struct error *err)
{
	error_set(err, "this program was built without libopendkim; the engine is native");
	return NULL;
}

void dkim_library_close(struct dkim_library *library)
{
	(void)library;
}

/* Not reachable: no library can be opened. */
struct second *second_begin(struct dkim_library *library, const struct headers *headers,
			    const struct signature *signatures, size_t count, struct arena *arena)
{
	(void)library, (void)headers, (void)signatures, (void)count, (void)arena;
	die("this program has no second engine for DKIM");
}

void second_body(struct second *second, struct slice chunk)
{
	(void)second, (void)chunk;
}

void second_end(struct second *second, const struct key *const *keys, enum second_word *words_r)
{
	(void)second, (void)keys, (void)words_r;
}

struct slice second_sign(const struct dkim_signing *signing, struct dkim_fields *fields, struct arena *arena,
			 struct error *err)
{
	(void)signing, (void)fields, (void)arena;
	error_set(err, "this program was built without libopendkim");
	return SLICE("");
}
