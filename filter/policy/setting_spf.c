/*
 * setting_spf.c - how SPF is evaluated.
 *
 *	spf { engine native | libspf2 | compare }
 */
#include "setting.h"

int setting_read_spf(struct setting_reader *reader)
{
	const struct words *inside = &reader->said->inside;
	const struct word *engine = inside->count == 2 ? inside->first->next : NULL;

	if (reader->said->values.count || !engine || !slice_equal(inside->first->text, SLICE("engine")))
		return setting_wrong(reader, inside->first, "spf says which engine evaluates it");
	for (unsigned i = 0; spf_engine_names[i]; i++) {
		if (!slice_equal(engine->text, slice_of(spf_engine_names[i])))
			continue;
		if (!spf_engine_built((enum spf_engine)i))
			return setting_wrong(reader, engine, "this program was built without libspf2");
		reader->settings->check.spf_engine = (enum spf_engine)i;
		return 0;
	}
	return setting_wrong(reader, engine, "engine is never \"%s\"", QUOTE(engine->text));
}
