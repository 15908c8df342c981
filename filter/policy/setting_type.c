/*
 * setting_type.c - the types of values in settings: how each is read, and how it is written.
 *
 * A reader gets one word and fills one item. What is wrong with a value is nearly always said by how it is
 * written, so that most readers only say that it is wrong.
 */
#include "setting_reader.h"
#include "values.h"

/* The word that is read. */
struct typed {
	const struct setting_key *key;
	const struct policy *policy;
	struct slice value;
	struct setting_told *told;
	struct error *err;
};

/* ---- one function for each type ------------------------------------------------------------------ */

static bool is_within(const struct setting_key *key, int64_t value)
{
	return value >= key->least && (key->most == 0 || value <= key->most);
}

static int read_number(const struct typed *word, void *item)
{
	uint64_t number;

	if (slice_number(word->value, UINT32_MAX, &number) || !is_within(word->key, (int64_t)number))
		return -1;
	*(unsigned *)item = (unsigned)number;
	return 0;
}

static int read_integer(const struct typed *word, void *item)
{
	bool negative = word->value.n > 1 && word->value.p[0] == '-';
	uint64_t number;

	if (slice_number(slice_from(word->value, negative), INT32_MAX, &number))
		return -1;
	*(int *)item = negative ? -(int)number : (int)number;
	return is_within(word->key, *(int *)item) ? 0 : -1;
}

static int read_size(const struct typed *word, void *item)
{
	return size_parse(word->value, item) || !is_within(word->key, *(int64_t *)item) ? -1 : 0;
}

static int read_duration(const struct typed *word, void *item)
{
	return duration_parse(word->value, item) || !is_within(word->key, *(int64_t *)item) ? -1 : 0;
}

static int read_port(const struct typed *word, void *item)
{
	return port_parse(word->value, item);
}

/* The place of the value in the words; -1: it is none of them. A word "" has its place and cannot be said. */
static int find_word(const char *const *words, struct slice value)
{
	for (int i = 0; words[i]; i++) {
		if (value.n > 0 && slice_equal(value, slice_of(words[i])))
			return i;
	}
	return -1;
}

static const char *const no_yes[] = {"no", "yes", NULL};

static int read_bool(const struct typed *word, void *item)
{
	int place = find_word(word->key->words ? word->key->words : no_yes, word->value);

	*(bool *)item = place == 1;
	return place < 0 ? -1 : 0;
}

static int read_word(const struct typed *word, void *item)
{
	int place = find_word(word->key->words, word->value);

	*(int *)item = place < 0 ? 0 : place; /* rules are compiled all the same, and may read it */
	return place < 0 ? -1 : 0;
}

static int read_text(const struct typed *word, void *item)
{
	*(struct slice *)item = word->value;
	return 0;
}

static int read_name(const struct typed *word, void *item)
{
	*(struct slice *)item = word->value;
	return name_valid(word->value) ? 0 : -1;
}

static int read_path(const struct typed *word, void *item)
{
	*(const char **)item = path_beside(word->told->arena, word->told->file, word->value);
	return word->value.n > 0 ? 0 : -1;
}

static int read_domain(const struct typed *word, void *item)
{
	bool valid;

	*(struct slice *)item = domain_normalise(word->value, word->told->arena, &valid);
	return valid ? 0 : -1;
}

static int read_header(const struct typed *word, void *item)
{
	*(struct slice *)item = word->value;
	return header_name_valid(word->value) ? 0 : -1;
}

static int read_address(const struct typed *word, void *item)
{
	struct address *address = item;

	*address = address_parse_path(word->value, word->told->arena);
	return address->valid && address->domain.n > 0 ? 0 : -1;
}

static int read_network(const struct typed *word, void *item)
{
	return ip_net_parse(word->value, item);
}

static int read_fact(const struct typed *word, void *item)
{
	const struct fact *fact = fact_find(word->value);
	const char *names[FACT_MAX + 1] = {NULL};

	*(const struct fact **)item = fact ? fact : fact_at(0); /* of a wrong name, too, since rules may read it */
	if (fact && fact->argument == ARGUMENT_NONE)
		return 0;
	for (unsigned i = 0; i < FACT_MAX && fact_at(i); i++)
		names[i] = fact_at(i)->name;
	if (fact)
		error_set(word->err, "%s takes an argument and cannot be used here", fact->name);
	else
		error_set(word->err, "no fact is named \"%s\"%s", QUOTE(word->value),
			  suggestion_aside(word->value, names).text);
	return -1;
}

static int read_list(const struct typed *word, void *item)
{
	const struct policy *policy = word->policy;
	const struct policy_list *found = policy_list(policy, word->value);
	const char **names = arena_alloc(policy->arena, (policy->list_count + 1) * sizeof(*names));

	if (found && !list_is_owners(found->list)) {
		*(struct list **)item = found->list;
		return 0;
	}
	for (size_t i = 0; i < policy->list_count; i++)
		names[i] = list_name(policy->lists[i]->list);
	if (found)
		error_set(word->err, "the list owners says which login owns which address");
	else
		error_set(word->err, "no list is named \"%s\"%s", QUOTE(word->value),
			  suggestion_aside(word->value, names).text);
	return -1;
}

/* ---- how they are written ---------------------------------------------------------------------------- */

static void write_words(const struct setting_key *key, struct text *text)
{
	const char *const *words = key->words ? key->words : no_yes;
	bool first = true;

	for (size_t i = 0; words[i]; i++) {
		if (!*words[i])
			continue;
		text_printf(text, "%s%s", first ? "" : words[i + 1] ? ", " : " or ", words[i]);
		first = false;
	}
}

static void write_number(const struct setting_key *key, struct text *text)
{
	if (key->most)
		text_printf(text, "a number from %lld to %lld", (long long)key->least, (long long)key->most);
	else
		text_printf(text, "a number of at least %lld", (long long)key->least);
}

static void write_size(const struct setting_key *key, struct text *text)
{
	struct printed least = size_print(key->least), most = size_print(key->most);

	if (key->most)
		text_printf(text, "a size from %s to %s", least.text, most.text);
	else
		text_printf(text, "a size of at least %s", least.text);
}

static void write_duration(const struct setting_key *key, struct text *text)
{
	struct printed least = duration_print(key->least), most = duration_print(key->most);

	if (key->most)
		text_printf(text, "a time from %s to %s", least.text, most.text);
	else
		text_printf(text, "a time of at least %s", least.text);
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static const struct {
	size_t size;
	int (*read)(const struct typed *, void *item);
	const char *usage; /* NULL: `write` says it */
	void (*write)(const struct setting_key *, struct text *);
} types[] = {
    [SETTING_NUMBER] = {sizeof(unsigned), read_number, NULL, write_number},
    [SETTING_INTEGER] = {sizeof(int), read_integer, NULL, write_number},
    [SETTING_SIZE] = {sizeof(int64_t), read_size, NULL, write_size},
    [SETTING_DURATION] = {sizeof(int64_t), read_duration, NULL, write_duration},
    [SETTING_PORT] = {sizeof(unsigned), read_port, "a port from 1 to 65535", NULL},
    [SETTING_BOOL] = {sizeof(bool), read_bool, NULL, write_words},
    [SETTING_WORD] = {sizeof(int), read_word, NULL, write_words},
    [SETTING_CHOICE] = {sizeof(int), NULL, "the key alone", NULL},
    [SETTING_TEXT] = {sizeof(struct slice), read_text, "a text", NULL},
    [SETTING_NAME] = {sizeof(struct slice), read_name,
		      "a name of letters, digits, \"-\", \"_\" and \".\" that begins with a letter", NULL},
    [SETTING_PATH] = {sizeof(const char *), read_path, "the path of a file", NULL},
    [SETTING_DOMAIN] = {sizeof(struct slice), read_domain, "a domain as in example.org", NULL},
    [SETTING_HEADER] = {sizeof(struct slice), read_header, "the name of a header field as in Subject", NULL},
    [SETTING_ADDRESS] = {sizeof(struct address), read_address, "an address as in postmaster@example.org", NULL},
    [SETTING_NETWORK] = {sizeof(struct ip_net), read_network, "a network as in 10.0.0.0/8", NULL},
    [SETTING_FACT] = {sizeof(const struct fact *), read_fact, "a fact as in auth.user", NULL},
    [SETTING_LIST] = {sizeof(struct list *), read_list, "the name of a list", NULL},
};

size_t setting_item_size(const struct setting_key *key)
{
	return key->type == SETTING_OWN ? key->size : types[key->type].size;
}

int setting_read_item(const struct setting_key *key, const struct policy *policy, struct setting_told *told, void *item,
		      struct error *err)
{
	err->text[0] = '\0';
	told->wrong = 0;
	if (key->type == SETTING_OWN)
		return key->read(told, item, err);
	return types[key->type].read(&(struct typed){key, policy, told->words[0], told, err}, item);
}

struct slice setting_usage(const struct setting_key *key, struct arena *arena)
{
	struct text text;

	if (key->usage)
		return slice_of(key->usage);
	if (types[key->type].usage)
		return slice_of(types[key->type].usage);
	text_init(&text, arena, DIAGNOSTIC_TEXT_MAX / 2);
	types[key->type].write(key, &text);
	return text_slice(&text);
}
