/*
 * setting_control.c - control PATH [readers GROUP ...]: the socket of `sekisho status` and others, and who may ask for
 * the status there. What is not preset is read by control.c too, which needs the path alone.
 */
#include "setting_reader.h"
#include "values.h"

#define CONTROL(member) .offset = offsetof(struct control_setting, member)

static int read_path(struct setting_told *told, void *item, struct error *err)
{
	struct control_setting *control = item;

	(void)err;
	control->said = true;
	return control_parse(told->words[0], &control->path);
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct control_setting *control = block;

	if (!control->said)
		control->path = SLICE(CONTROL_DEFAULT);
	if (control->path.n > 0 || !setting_said(told, "readers"))
		return 0;
	told->key = "readers";
	error_set(err, "nobody can ask a daemon without a control socket; remove the readers, or write its path");
	return -1;
}

static const struct setting_key path = {.name = "control",
					.type = SETTING_OWN,
					.read = read_path,
					.preset = CONTROL_DEFAULT,
					.usage = "a path as in /run/sekisho/control.sock, or off",
					.example = "control /run/sekisho/control.sock"};

static const struct setting_key keys[] = {
    {.name = "readers",
     .type = SETTING_NAME,
     .count = SETTING_MANY,
     CONTROL(readers),
     .most_items = CONTROL_READERS_MAX,
     .usage = "groups as in readers monitoring",
     .example = "control /run/sekisho/control.sock readers monitoring"},
};

const struct setting_block control_setting_block = {.name = "control",
						    .size = sizeof(struct control_setting),
						    .value = &path,
						    SETTING_KEYS(keys),
						    .line = true,
						    .finish = finish};
