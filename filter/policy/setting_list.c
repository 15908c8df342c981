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
	SETTING_ITEMS(struct slice) writers;
};

/* "dynamic:30m": its life is in *life_us_r. */
static bool is_dynamic(struct slice place, struct slice *life_r)
{
	*life_r = slice_from(place, strlen("dynamic:"));
	return slice_starts_nocase(place, SLICE("dynamic:"));
}

static int read_dynamic(struct list_setting *setting, struct slice life, struct error *err)
{
	if (duration_parse(life, &setting->life_us) || setting->life_us < LIST_LIFE_MIN_US ||
	    setting->life_us > STORE_LIFE_MAX_US) {
		error_set(err, "\"%s\" is not how long an entry lasts, from 1s to ten years", QUOTE(life));
		return -1;
	}
	if (setting->owners || setting->canonical || slice_equal(setting->name, SLICE("relays")) ||
	    slice_equal(setting->name, SLICE("trusted-forwarders"))) {
		error_set(err, "the list %s says whom to trust, so programs cannot change it", QUOTE(setting->name));
		return -1;
	}
	return 0;
}

/* Five names have a meaning of their own: owners, canonical, relays, trusted-forwarders and dynamic-names. */
static int read_list(struct setting_told *told, void *item, struct error *err)
{
	struct list_setting *setting = item;
	struct slice path = file_path(told->words[1]), life;

	setting->name = told->words[0];
	setting->place = told->words[1];
	setting->owners = slice_equal(setting->name, SLICE("owners"));
	setting->canonical = slice_equal(setting->name, SLICE("canonical"));
	if (path.n)
		setting->place =
		    arena_join(told->arena, SLICE("file:"), slice_of(path_beside(told->arena, told->file, path)));
	if (!name_valid(setting->name)) {
		error_set(err, "\"%s\" cannot be the name of a list", QUOTE(setting->name));
		return -1;
	}
	if (!is_dynamic(setting->place, &life))
		return 0;
	told->wrong = 1;
	return read_dynamic(setting, life, err);
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct list_said *said = block;
	struct slice life;

	said->setting.writers = said->writers.items;
	said->setting.writer_count = said->writers.count;
	if (is_dynamic(said->setting.place, &life) || !(setting_said(told, "at-most") || setting_said(told, "writers")))
		return 0;
	told->key = setting_said(told, "at-most") ? "at-most" : "writers";
	error_set(err, "only a dynamic: list has at-most and writers; remove them");
	return -1;
}

static const struct setting_key name_and_place = {.type = SETTING_OWN,
						  .takes = 2,
						  .read = read_list,
						  .usage = "list NAME file:/path, or list NAME dynamic:30m for "
							   "entries that programs add",
						  .example = "list relays file:/etc/sekisho/relays"};

static const struct setting_key keys[] = {
    {.name = "on-failure",
     .type = SETTING_WORD,
     .offset = offsetof(struct list_said, on_failure),
     .words = (const char *const[]){"defer", "skip", NULL},
     .example = "list relays file:/etc/sekisho/relays on-failure skip"},
    {.name = "at-most",
     .type = SETTING_NUMBER,
     .offset = offsetof(struct list_said, setting.at_most),
     .least = 1,
     .most = LIST_MEMBERS_MOST,
     .example = "list recent dynamic:30m at-most 1000"},
    {.name = "writers",
     .type = SETTING_NAME,
     .count = SETTING_MANY,
     .offset = offsetof(struct list_said, writers),
     .most_items = LIST_WRITERS_MAX,
     .usage = "groups as in writers dovecot",
     .example = "list recent dynamic:30m writers dovecot"},
};

const struct setting_block list_block = {.name = "list",
					 .size = sizeof(struct list_said),
					 .value = &name_and_place,
					 SETTING_KEYS(keys),
					 .line = true,
					 .repeats = true,
					 .finish = finish};

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
	if (said->setting.canonical)
		reader->compiler->policy->canonical = kept;
	if (slice_equal(said->setting.name, SLICE("relays")))
		reader->settings->check.relays = kept->list;
	if (slice_equal(said->setting.name, SLICE("trusted-forwarders")))
		reader->settings->check.forwarders = kept->list;
	if (slice_equal(said->setting.name, SLICE("dynamic-names")))
		reader->settings->check.dynamic_names = kept->list;
	return 0;
}
