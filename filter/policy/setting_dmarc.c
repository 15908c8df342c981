/*
 * setting_dmarc.c - how DMARC finds the organizational domain.
 *
 *	dmarc { organizational-domain tree-walk | psl }
 */
#include "setting.h"

int setting_read_dmarc(struct setting_reader *reader)
{
	static const char *const words[] = {[DMARC_TREE_WALK] = "tree-walk", [DMARC_PSL] = "psl"};
	const struct words *inside = &reader->said->inside;

	if (reader->said->values.count || inside->count != 2 ||
	    !slice_equal(inside->first->text, SLICE("organizational-domain")))
		return setting_wrong(reader, inside->first, "dmarc says how the organizational domain is found");
	for (int i = DMARC_TREE_WALK; i <= DMARC_PSL; i++) {
		if (!slice_equal(inside->last->text, slice_of(words[i])))
			continue;
		if (i == DMARC_PSL && !dmarc_has_psl())
			return setting_wrong(reader, inside->last,
					     "this program was built without the public suffix list");
		reader->settings->check.dmarc_discovery = (enum dmarc_discovery)i;
		return 0;
	}
	return setting_wrong(reader, inside->last, "organizational-domain is never \"%s\"", QUOTE(inside->last->text));
}
