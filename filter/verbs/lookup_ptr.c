/*
 * lookup_ptr.c - `sekisho lookup ptr`: the names of an address, and which of them
 * lead back to it (RFC 8601 2.7.3, iprev).
 */
#include "lookup.h"
#include "verbs.h"

#include <stdio.h>

/* The names that are checked, and the results. */
struct names {
	const struct dns_answer *ptr;
	size_t count;
	enum dns_status status[DNS_PTR_NAMES_MAX];
	struct slice first; /* that leads back, or "" */
	const char *result;
};

static void ask(struct lookup *lookup, struct ip ip, struct names *names)
{
	*names = (struct names){.ptr = dns_ask(lookup->budget, dns_reverse_name(ip, lookup->arena), DNS_PTR)};
	names->result = names->ptr->status == DNS_TEMPFAIL ? "temperror" : "none";
	for (size_t i = 0; i < names->ptr->count && i < DNS_PTR_NAMES_MAX; i++) {
		struct slice name = names->ptr->records[i].name;

		names->status[i] = dns_name_has_address(lookup->budget, name, ip);
		names->count++;
		if (names->status[i] == DNS_TEMPFAIL && !names->first.n)
			names->result = "temperror";
		if (names->status[i] != DNS_OK || names->first.n)
			continue;
		names->first = name;
		names->result = "ok";
	}
}

static void print_json(struct lookup *lookup, const char *address, const struct names *names)
{
	json_t *object = json_object(), *array = json_array();

	json_object_set_new(object, "ip", json_string(address));
	json_object_set_new(object, "result", json_string(names->result));
	json_object_set_new(object, "name", names->first.n ? lookup_string(lookup, names->first) : json_null());
	for (size_t i = 0; i < names->count; i++) {
		json_t *name = json_object();

		json_object_set_new(name, "name", lookup_string(lookup, names->ptr->records[i].name));
		json_object_set_new(name, "confirmed", json_boolean(names->status[i] == DNS_OK));
		json_array_append_new(array, name);
	}
	json_object_set_new(object, "names", array);
	lookup_print_json(object);
}

static void print_text(struct lookup *lookup, const char *address, const struct names *names)
{
	static const char *const sentences[] = {
	    [DNS_OK] = "leads back to the address",
	    [DNS_NODATA] = "does not lead back to the address",
	    [DNS_NXDOMAIN] = "does not exist",
	    [DNS_TEMPFAIL] = "temporary DNS failure",
	};

	if (names->ptr->status == DNS_TEMPFAIL)
		printf("%s: temperror: the DNS does not answer now; try again later\n", address);
	else if (names->count == 0)
		printf("%s: none: the address has no name\n", address);
	else
		printf("%s: %s\n", address, names->result);
	for (size_t i = 0; i < names->count; i++) {
		struct slice name = lookup_safe(lookup, names->ptr->records[i].name);

		printf("  %.*s  %s\n", SLICE_ARGS(name), sentences[names->status[i]]);
	}
	if (names->ptr->count > names->count)
		printf("  and %zu more, which are not checked\n", names->ptr->count - names->count);
}

int lookup_ptr(struct lookup *lookup)
{
	char address[IP_TEXT];
	struct names names;
	struct ip ip;
	int status;

	if (ip_parse(slice_of(lookup->operands[0]), &ip) < 0)
		return lookup_usage("\"%.100s\" is not an IP address", lookup->operands[0]);
	status = lookup_open(lookup);
	if (status != VERB_OK)
		return status;
	ip_print(ip, address);
	ask(lookup, ip, &names);
	if (lookup->json)
		print_json(lookup, address, &names);
	else
		print_text(lookup, address, &names);
	return names.first.n ? VERB_OK : VERB_NO;
}
