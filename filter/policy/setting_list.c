/*
 * setting_list.c - list NAME file:PATH [on-failure defer|skip].
 *
 * A path that does not begin at the root is beside the policy file.
 */
#include "setting_reader.h"
#include "values.h"

#include <string.h>

#define LISTS_MAX 256 /* each is looked at every few seconds */

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

/* Two names have a meaning of their own. */
static bool is_owners(struct slice name)
{
	return slice_equal(name, SLICE("owners"));
}

static void add_list(struct setting_reader *reader, struct slice name, struct policy_list said)
{
	const struct policy_list *added = policy_add_list(reader->compiler->policy, said);

	if (is_owners(name))
		reader->compiler->policy->owners = added;
	if (slice_equal(name, SLICE("relays")))
		reader->settings->check.relays = added->list;
}

/* "file:/path", with the path from the root; other places as they are. */
static struct slice place_of(struct setting_reader *reader, const struct word *word)
{
	struct slice place = word_value(word, reader->arena), path = file_path(place);

	return path.n ? arena_join(reader->arena, SLICE("file:"),
				   slice_of(path_beside(reader->arena, reader->compiler->policy->file, path)))
		      : place;
}

static int check_name(struct setting_reader *reader, const struct word *word, struct slice name)
{
	const struct policy_list *first = policy_list(reader->compiler->policy, name);

	if (!name_valid(name))
		return setting_wrong(reader, word, "\"%s\" is no name of a list", QUOTE(name));
	if (!first)
		return 0;
	diagnostics_error(reader->compiler->diagnostics, word->place,
			  "list %.*s is defined already in line %u; give one of them another name", SLICE_ARGS(name),
			  first->where.line);
	return -1;
}

int setting_read_list(struct setting_reader *reader)
{
	const struct words *values = &reader->said->values;
	struct place place = reader->said->name.place;
	struct policy_list said = {.where = {reader->compiler->policy->file, place.line, place.column}};
	struct list_setting setting;
	struct error err;

	if (values->count < 2 || reader->said->braces)
		return setting_wrong(reader, NULL, "a list has a name and a file");
	setting.name = word_value(values->first, reader->arena);
	setting.place = place_of(reader, values->first->next);
	setting.owners = is_owners(setting.name);
	if (check_name(reader, values->first, setting.name) ||
	    read_on_failure(reader, values->first->next->next, &said.skip))
		return -1;
	if (reader->compiler->policy->list_count == LISTS_MAX)
		return setting_wrong(reader, NULL, "more than %d lists; put several into one", LISTS_MAX);
	said.list = list_new(&setting, &err);
	if (!said.list)
		return setting_wrong(reader, values->first->next, "%s", err.text);
	add_list(reader, setting.name, said);
	return 0;
}
