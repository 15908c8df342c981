/*
 * sign_find.c - which keys sign for a domain.
 */
#include "compiled.h"
#include "sign_keys.h"

#include <stdlib.h>
#include <string.h>

int sign_compare(const void *a, const void *b)
{
	const struct sign_setting *first = a, *second = b;
	size_t n = first->domain.n < second->domain.n ? first->domain.n : second->domain.n;
	int order = memcmp(first->domain.p, second->domain.p, n);

	return order ? order : (first->domain.n > second->domain.n) - (first->domain.n < second->domain.n);
}

const struct sign_setting *policy_sign_at(const struct policy *policy, size_t number)
{
	return number < policy->sign_count ? &policy->signs[number] : NULL;
}

const struct sign_setting *policy_sign(const struct policy *policy, struct slice domain)
{
	struct sign_setting wanted = {.domain = domain};
	const struct sign_setting *found;
	ptrdiff_t dot;

	/* Its own keys, then those of the nearest parent that signs for its subdomains. */
	while (policy->sign_count > 0 && wanted.domain.n > 0) {
		found = bsearch(&wanted, policy->signs, policy->sign_count, sizeof(*policy->signs), sign_compare);
		if (found && (found->subdomains || wanted.domain.n == domain.n))
			return found;
		dot = slice_find(wanted.domain, '.');
		wanted.domain = slice_from(wanted.domain, dot < 0 ? wanted.domain.n : (size_t)dot + 1);
	}
	return NULL;
}
