/*
 * setting_list.c - list NAME PLACE: what the file declares as a list.
 *
 * A path that does not begin at the root is beside the policy file.
 */
#include "setting_reader.h"
#include "values.h"

#define LISTS_MAX 256 /* each is looked at every few seconds */

/* As it is said. */
struct list_said {
	struct list_setting setting;
	int on_failure; /* 0: defer, 1: skip */
};

/* Two names have a meaning of their own: owners and relays. */
static int read_list(struct setting_told *told, void *item, struct error *err)
{
	struct list_setting *setting = item;
	struct slice path = file_path(told->words[1]);

	setting->name = told->words[0];
	setting->place = told->words[1];
	setting->owners = slice_equal(setting->name, SLICE("owners"));
	if (path.n)
		setting->place =
		    arena_join(told->arena, SLICE("file:"), slice_of(path_beside(told->arena, told->file, path)));
	if (name_valid(setting->name))
		return 0;
	error_set(err, "\"%s\" cannot be the name of a list", QUOTE(setting->name));
	return -1;
}

static const struct setting_key name_and_place = {.type = SETTING_OWN,
						  .takes = 2,
						  .read = read_list,
						  .usage = "list NAME file:/path [on-failure defer|skip]",
						  .example = "list relays file:/etc/sekisho/relays"};

static const struct setting_key keys[] = {
    {.name = "on-failure",
     .type = SETTING_WORD,
     .offset = offsetof(struct list_said, on_failure),
     .words = (const char *const[]){"defer", "skip", NULL},
     .example = "list relays file:/etc/sekisho/relays on-failure skip"},
};

const struct setting_block list_block = {.name = "list",
					 .size = sizeof(struct list_said),
					 .value = &name_and_place,
					 SETTING_KEYS(keys),
					 .line = true,
					 .repeats = true};

static int wrong(struct setting_reader *reader, struct place place, const char *what)
{
	diagnostics_error(reader->compiler->diagnostics, place, "%s", what);
	return -1;
}

static int check_place(struct setting_reader *reader, struct slice name)
{
	const struct policy_list *first = policy_list(reader->compiler->policy, name);
	const struct words *values = &reader->said->values;

	if (reader->compiler->policy->list_count == LISTS_MAX)
		return wrong(reader, reader->said->name.place, "there are more than 256 lists; put several into one");
	if (!first)
		return 0;
	diagnostics_error(
	    reader->compiler->diagnostics, values->first->place,
	    "list %.*s is defined already in %s; give one of them another name", SLICE_ARGS(name),
	    line_said(reader->compiler, values->first->place, place_of(reader->compiler, first->where)).text);
	return -1;
}

int setting_keep_list(struct setting_reader *reader, const void *block)
{
	const struct list_said *said = block;
	struct place place = reader->said->name.place;
	struct policy_list list = {.skip = said->on_failure == 1, .where = position_of(reader->compiler, place)};
	const struct policy_list *kept;
	struct error err;

	if (check_place(reader, said->setting.name))
		return -1;
	list.list = list_new(&said->setting, &err);
	if (!list.list) {
		diagnostics_error(reader->compiler->diagnostics, reader->said->values.first->next->place,
				  "%s; write %s", err.text, name_and_place.usage);
		return -1;
	}
	kept = policy_add_list(reader->compiler->policy, list);
	if (said->setting.owners)
		reader->compiler->policy->owners = kept;
	if (slice_equal(said->setting.name, SLICE("relays")))
		reader->settings->check.relays = kept->list;
	return 0;
}
