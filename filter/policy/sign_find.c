/*
 * sign_find.c - which keys sign for a domain.
 */
#include "compiled.h"
#include "keys.h"
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

size_t policy_sign_count(const struct policy *policy)
{
	return policy->sign_count;
}

const struct sign_setting *policy_sign_at(const struct policy *policy, size_t number)
{
	return number < policy->sign_count ? &policy->signs[number] : NULL;
}

struct key_rules policy_key_rules(const struct sign_setting *sign)
{
	struct key_rules rules = {
	    .rotate_s = sign->rotate_us / 1000000,
	    .keep_s = sign->lifetime_us > 0 ? sign->lifetime_us / 1000000 : KEYS_KEEP_S,
	    .check_s = sign->check_us > 0 ? sign->check_us / 1000000 : KEYS_CHECK_S,
	};

	for (size_t i = 0; i < sign->types.count; i++)
		rules.types |= 1u << sign->types.items[i];
	if (!rules.types)
		rules.types = 1u << DKIM_RSA;
	return rules;
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
