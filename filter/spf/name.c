/*
 * name.c - domain names of a check: which names can be queried, and in which form.
 */
#include "mail.h"
#include "spf_private.h"

struct slice spf_identity_domain(struct slice domain, struct arena *arena)
{
	bool ascii = true, valid;

	for (size_t i = 0; i < domain.n; i++) {
		unsigned char c = (unsigned char)domain.p[i];

		if (c <= ' ' || c == 0x7f)
			return SLICE("");
		ascii = ascii && c < 0x80;
	}
	if (domain.n > 4 * SPF_NAME_MAX) /* a name in U-labels has at most this many bytes in UTF-8 */
		return SLICE("");
	if (!ascii) {
		domain = domain_normalise(domain, arena, &valid);
		return valid ? domain : SLICE("");
	}
	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	return arena_copy(arena, domain);
}

bool spf_name_valid(struct slice name)
{
	size_t label = 0; /* its length so far */

	if (name.n > SPF_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '.' ? ++label > SPF_LABEL_MAX : label == 0)
			return false;
		if (name.p[i] == '.')
			label = 0;
	}
	return label > 0;
}

bool spf_name_is_full(struct slice domain)
{
	return spf_name_valid(domain) && slice_find(domain, '.') >= 0;
}

/* Is the dot at `at` between two labels? An escaped dot is part of a label. */
static bool is_border(struct slice name, size_t at)
{
	size_t backslashes = 0;

	while (backslashes < at && name.p[at - 1 - backslashes] == '\\')
		backslashes++;
	return name.p[at] == '.' && backslashes % 2 == 0;
}

bool spf_name_is_in(struct slice name, struct slice domain)
{
	if (domain.n == 0 || !slice_ends_nocase(name, domain))
		return false;
	return name.n == domain.n || is_border(name, name.n - domain.n - 1);
}
