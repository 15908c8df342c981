/*
 * told.c - the questions of a message with their answers, for who wants to know what its results rest on.
 */
#include "budget.h"

#include <string.h>

const char *dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_CNAME:
		return "CNAME";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_TLSA:
		return "TLSA";
	case DNS_AAAA:
		return "AAAA";
	}
	return "?";
}

static struct slice name_of(const struct asked *asked, struct arena *arena)
{
	char buffer[NAME_TEXT_MAX];
	struct name name;

	if (asked->question)
		return arena_copy(arena, name_print(&asked->question->name, buffer));
	if (!asked->held || asked->held->name_n > sizeof(name.wire))
		return SLICE("");
	name.n = asked->held->name_n;
	memcpy(name.wire, asked->held->name, name.n);
	return arena_copy(arena, name_print(&name, buffer));
}

struct dns_told *dns_budget_told(const struct dns_budget *budget, struct arena *arena, size_t *count_r)
{
	struct dns_told *told = arena_alloc(arena, (budget->asked + 1) * sizeof(*told));
	size_t at = budget->asked, count = 0;

	/* the latest comes first: filled from the end */
	for (const struct asked *asked = budget->latest; asked && at > 0; asked = asked->before) {
		if (!asked->given)
			continue;
		told[--at] = (struct dns_told){
		    .name = name_of(asked, arena),
		    .type = asked->question ? asked->question->type
			    : asked->held   ? asked->held->type
					    : 0,
		    .answer = asked->given,
		};
		count++;
	}
	*count_r = count;
	return told + at;
}
