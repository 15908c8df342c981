/*
 * setting_list.c - list NAME file:PATH [on-failure defer|skip].
 *
 * A path that does not begin at the root is beside the policy file.
 */
#include "setting.h"
#include "values.h"

#include <string.h>

#define LISTS_MAX 256 /* each is looked at every few seconds */

static const char *beside(struct setting_reader *reader, struct slice path)
{
	struct slice file = slice_of(reader->compiler->policy->file);
	ptrdiff_t slash = slice_find_last(file, '/');

	if (path.p[0] == '/' || slash < 0)
		return arena_cstring(reader->arena, path);
	return arena_cstring(reader->arena,
			     arena_printf(reader->arena, "%.*s/%.*s", (int)slash, file.p, SLICE_ARGS(path)));
}

static int read_on_failure(struct setting_reader *reader, const struct word *word, bool *skip_r)
{
	*skip_r = false;
	if (!word)
		return 0;
	if (!slice_equal(word->text, SLICE("on-failure")))
		return setting_wrong(reader, word, "list knows no \"%s\"", QUOTE(word->text));
	if (!word->next || word->next->next)
		return setting_wrong(reader, word, "on-failure is defer or skip");
	*skip_r = slice_equal(word->next->text, SLICE("skip"));
	if (!*skip_r && !slice_equal(word->next->text, SLICE("defer")))
		return setting_wrong(reader, word->next, "on-failure is never \"%s\"", QUOTE(word->next->text));
	return 0;
}

/* A list as checks may ask it. */
static enum relay has_client(void *list, struct ip client)
{
	struct value value = {.state = VALUE_SET, .type = TYPE_IP, .ip = client};

	switch (list_has(list, &value)) {
	case TRUTH_TRUE:
		return RELAY_YES;
	case TRUTH_FALSE:
		return RELAY_NO;
	case TRUTH_UNKNOWN:
		break;
	}
	return RELAY_UNKNOWN;
}

int setting_read_list(struct setting_reader *reader)
{
	const struct words *values = &reader->said->values;
	struct policy *policy = reader->compiler->policy;
	struct slice name, path;
	struct list *list;
	bool skip;

	if (values->count < 2 || reader->said->braces)
		return setting_wrong(reader, NULL, "a list has a name and a file");
	name = word_value(values->first, reader->arena);
	path = file_path(word_value(values->first->next, reader->arena));
	if (!name_valid(name))
		return setting_wrong(reader, values->first, "\"%s\" is no name of a list", QUOTE(name));
	if (path.n == 0)
		return setting_wrong(reader, values->first->next, "\"%s\" names no file",
				     QUOTE(values->first->next->text));
	if (read_on_failure(reader, values->first->next->next, &skip))
		return -1;
	list = policy_list(policy, name);
	if (list) {
		diagnostics_error(reader->compiler->diagnostics, values->first->place,
				  "list %s is defined already in line %u; give one of them another name", list->name,
				  list->line);
		return -1;
	}
	if (policy->list_count == LISTS_MAX)
		return setting_wrong(reader, NULL, "more than %d lists; put several into one", LISTS_MAX);
	list = list_new(name, beside(reader, path), slice_equal(name, SLICE(OWNERS)), skip);
	list->line = reader->said->name.place.line;
	list->column = reader->said->name.place.column;
	policy_add_list(policy, list);
	if (slice_equal(name, SLICE(RELAYS)))
		reader->settings->check.relays = (struct address_list){has_client, list};
	return 0;
}
