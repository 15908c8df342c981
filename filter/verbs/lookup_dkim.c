/*
 * lookup_dkim.c - `sekisho lookup dkim`: a published key (RFC 6376 3.6.1), whether it
 * can be used, and whether it belongs to a private key.
 */
#include "lookup_dkim.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_FILE_MAX (64 * 1024)
#define ADVISED_BITS 2048 /* RFC 8301 3.2 */

/* ---- advice ---------------------------------------------------------------------------- */

struct adviser {
	struct lookup *lookup;
	json_t *array; /* NULL: printed as text */
	bool any;
};

static void tell(void *context, const char *code, struct slice text)
{
	struct adviser *adviser = context;
	struct slice safe = lookup_safe(adviser->lookup, text);

	if (adviser->array)
		json_array_append_new(adviser->array,
				      json_pack("{s:s, s:o}", "code", code, "text", json_stringn(safe.p, safe.n)));
	else
		printf("%s  %s:  %.*s\n", adviser->any ? "" : "\nAdvice:\n", code, SLICE_ARGS(safe));
	adviser->any = true;
}

/* Tag names are case-sensitive (RFC 6376 3.2): P= is not p=. */
static bool has_tag_in_capitals(struct slice text)
{
	struct slice tag;

	while (slice_cut(&text, ';', &tag)) {
		tag = slice_trim(tag);
		if (tag.n > 1 && tag.p[1] == '=' && tag.p[0] >= 'A' && tag.p[0] <= 'Z')
			return true;
	}
	return false;
}

void lookup_dkim_advise(struct lookup *lookup, const struct dkim_published *published, struct slice selector,
			struct slice domain, lookup_tell *told, void *context)
{
	struct arena *arena = lookup->arena;
	unsigned usable = 0, foreign = 0, near = 0;

	for (size_t i = 0; i < published->count; i++) {
		const struct dkim_record *record = &published->records[i];

		usable += record->result == DKIM_PASS;
		if (record->result == DKIM_PASS && record->algorithm == DKIM_RSA && record->bits < ADVISED_BITS)
			told(context, "short-key",
			     arena_printf(arena,
					  "the key has %u bits: RFC 8301 advises %d, and some verifiers ask for it",
					  record->bits, ADVISED_BITS));
		if (record->result == DKIM_PASS)
			continue;
		near += lookup_near(lookup, published->name, record->text, "DKIM1", told, context);
		foreign += record->result == DKIM_NONE;
		if (record->result != DKIM_NONE && has_tag_in_capitals(record->text))
			told(context, "tag-case", SLICE("names of tags are lower case, as p="));
	}
	if (usable > 1)
		told(context, "several-keys",
		     arena_printf(arena,
				  "%.*s has %u keys: a verifier may try any one of them (RFC 6376 3.6.2.2); leave one",
				  SLICE_ARGS(published->name), usable));
	if (usable > 0 && foreign > 0)
		told(context, "other-records",
		     arena_printf(arena,
				  "%.*s has other TXT records beside the key: some verifiers fail then; remove them",
				  SLICE_ARGS(published->name)));
	if (usable == 0 && near == 0 && published->chosen.result != DKIM_TEMPERROR)
		lookup_near_names(lookup, arena_join(arena, selector, SLICE("._domainkey")), domain, "DKIM1", told,
				  context);
}

/* ---- output ---------------------------------------------------------------------------- */

static const char *kind_of_key(const struct dkim_record *record)
{
	return record->algorithm == DKIM_RSA ? "rsa" : "ed25519";
}

static json_t *json_record(struct lookup *lookup, const struct dkim_record *record)
{
	json_t *object = json_object();

	json_object_set_new(object, "result", json_string(dkim_result_names[record->result]));
	json_object_set_new(object, "record", lookup_string(lookup, record->text));
	json_object_set_new(object, "reason", lookup_string(lookup, record->reason));
	if (record->bits > 0) {
		json_object_set_new(object, "type", json_string(kind_of_key(record)));
		json_object_set_new(object, "bits", json_integer(record->bits));
	}
	json_object_set_new(object, "testing", json_boolean(record->testing));
	json_object_set_new(object, "strict", json_boolean(record->strict));
	if (lookup->key)
		json_object_set_new(object, "matches", json_boolean(record->matches));
	return object;
}

static void print_json(struct lookup *lookup, const struct dkim_published *published, json_t *advice)
{
	json_t *object = json_record(lookup, &published->chosen), *records = json_array();

	for (size_t i = 0; i < published->count; i++)
		json_array_append_new(records, json_record(lookup, &published->records[i]));
	json_object_set_new(object, "name", lookup_string(lookup, published->name));
	json_object_set_new(object, "records", records);
	json_object_set_new(object, "advice", advice);
	lookup_print_json(object);
}

static void print_result(const struct dkim_record *record)
{
	if (record->result == DKIM_PASS)
		printf("result      usable\n");
	else
		printf("result      %s: %.*s\n", dkim_result_names[record->result], SLICE_ARGS(record->reason));
}

static void print_record(struct lookup *lookup, const struct dkim_published *published,
			 const struct dkim_record *record)
{
	struct slice name = lookup_safe(lookup, published->name), text = lookup_safe(lookup, record->text);

	printf("%.*s: %.*s\n", SLICE_ARGS(name), SLICE_ARGS(text));
	if (record->bits > 0)
		printf("key         %s, %u bits\n", kind_of_key(record), record->bits);
	if (record->testing)
		printf("testing     t=y: verifiers should treat a failed signature as if it were not there\n");
	if (record->strict)
		printf("strict      t=s: i= must have the domain of d= itself\n");
	print_result(record);
	if (lookup->key && record->bits > 0)
		printf("private     %s: %s\n", lookup->key,
		       record->matches ? "belongs to it" : "does NOT belong to it: its signatures would fail");
}

static void print_text(struct lookup *lookup, const struct dkim_published *published)
{
	struct slice name = lookup_safe(lookup, published->name);

	for (size_t i = 0; i < published->count; i++)
		print_record(lookup, published, &published->records[i]);
	if (published->chosen.text.n > 0)
		return;
	printf("%.*s: no key record\n", SLICE_ARGS(name));
	print_result(&published->chosen);
}

/* NULL and the exit code, after an error message, when the file is not a key. */
static struct dkim_private *read_private(const char *path, int *status_r)
{
	struct dkim_private *private = NULL;
	struct slice text;
	struct error err;

	*status_r = VERB_NOINPUT;
	if (file_read(path, KEY_FILE_MAX, &text, &err) < 0) {
		fprintf(stderr, "sekisho lookup: %s\n", err.text);
		return NULL;
	}
	private = dkim_private_read(text, &err);
	free((char *)text.p);
	if (!private)
		fprintf(stderr, "sekisho lookup: %s: %s\n", path, err.text);
	return private;
}

static void show(struct lookup *lookup, const struct dkim_published *published, struct slice selector,
		 struct slice domain)
{
	struct adviser adviser = {.lookup = lookup, .array = lookup->json ? json_array() : NULL};

	if (!lookup->json)
		print_text(lookup, published);
	lookup_dkim_advise(lookup, published, selector, domain, tell, &adviser);
	if (lookup->json)
		print_json(lookup, published, adviser.array);
}

int lookup_dkim(struct lookup *lookup)
{
	const struct dkim_rules rules = {.minimum_bits = DKIM_RSA_BITS_MIN};
	struct slice domain, selector;
	struct dkim_private *private = NULL;
	struct dkim_published published;
	bool domain_valid, selector_valid;
	int status = VERB_OK;

	domain = domain_normalise(slice_of(lookup->operands[0]), lookup->arena, &domain_valid);
	selector = domain_normalise(slice_of(lookup->operands[1]), lookup->arena, &selector_valid);
	if (!domain_valid)
		return lookup_usage("\"%.100s\" is not a domain", lookup->operands[0]);
	if (!selector_valid)
		return lookup_usage("\"%.100s\" is not a selector", lookup->operands[1]);
	if (lookup->key)
	private = read_private(lookup->key, &status);
	if (lookup->key && !private)
		return status;
	status = lookup_open(lookup);
	if (status == VERB_OK) {
		dkim_published_find(lookup->budget, selector, domain, &rules, private, lookup->arena, &published);
		show(lookup, &published, selector, domain);
		status =
		    published.chosen.result == DKIM_PASS && (!private || published.chosen.matches) ? VERB_OK : VERB_NO;
	}
	dkim_private_free(private);
	return status;
}
