/*
 * setting_history.c - history sqlite:PATH [keep 30d] [at-most 2G] [addresses plain|hashed|off]: the records of past
 * messages.
 */
#include "setting_reader.h"

#define SCHEME       "sqlite:"
#define AT_MOST_MOST (INT64_C(1) << 42) /* a mistake in a unit is noticed */
#define KEEP_MOST    (3653 * HISTORY_DAY_US)
#define KEEP(member) .offset = offsetof(struct history_setting, member)

static int read_url(struct setting_told *told, void *item, struct error *err)
{
	struct history_setting *history = item;
	struct slice said = told->words[0];

	(void)err;
	if (!slice_starts_nocase(said, SLICE(SCHEME "/")) || slice_find(said, '\0') >= 0)
		return -1;
	history->path = arena_cstring(told->arena, slice_from(said, sizeof(SCHEME) - 1));
	return 0;
}

static const struct setting_key url = {.name = "history",
				       .type = SETTING_OWN,
				       .read = read_url,
				       .usage = "sqlite:/path",
				       .example = "history sqlite:/var/lib/sekisho/history.db"};

static const struct setting_key keys[] = {
    {.name = "keep",
     .type = SETTING_DURATION,
     KEEP(keep_us),
     .least = INT64_C(3600) * 1000 * 1000,
     .most = KEEP_MOST,
     .preset = "30d",
     .example = "history sqlite:/var/lib/sekisho/history.db keep 90d"},
    {.name = "at-most",
     .type = SETTING_SIZE,
     KEEP(at_most),
     .least = HISTORY_AT_MOST_MIN,
     .most = AT_MOST_MOST,
     .preset = "2G",
     .example = "history sqlite:/var/lib/sekisho/history.db at-most 500M"},
    {.name = "addresses",
     .type = SETTING_WORD,
     KEEP(addresses),
     .words =
	 (const char *const[]){[HISTORY_PLAIN] = "plain", [HISTORY_HASHED] = "hashed", [HISTORY_OFF] = "off", NULL},
     .preset = "plain",
     .example = "history sqlite:/var/lib/sekisho/history.db addresses hashed"},
};

const struct setting_block history_block = {
    .name = "history", .size = sizeof(struct history_setting), .value = &url, SETTING_KEYS(keys), .line = true};
