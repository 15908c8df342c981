/*
 * setting_web.c - web { }: where the page and the metrics are served, and to whom.
 */
#include "setting_reader.h"

#define WEB(member) .offset = offsetof(struct web_setting, member)
#define EXAMPLE     "web { listen inet:9891@127.0.0.1  password-file /etc/sekisho/web-password"

static int read_address(struct setting_told *told, void *item, struct error *err)
{
	struct web_setting *web = item;

	web->text = told->words[0];
	return setting_read_listen(told, &web->address, err);
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct web_setting *web = block;
	bool is_unix = web->address.family == LISTEN_UNIX;

	if (!setting_said(told, "mode"))
		web->mode = -1;
	if (!told->said)
		return 0;
	if (!is_unix && (setting_said(told, "mode") || setting_said(told, "group"))) {
		told->key = setting_said(told, "mode") ? "mode" : "group";
		error_set(err, "only a unix: socket has mode and group; remove them, or listen on unix:/path");
		return -1;
	}
	if (is_unix || web->password_file)
		return 0;
	told->key = "listen";
	error_set(err, "every user of this host could read the page at a network address; add \"password-file /path\" "
		       "(sekisho web-password makes it), or listen on unix:/path");
	return -1;
}

static const struct setting_key keys[] = {
    {.name = "listen",
     .type = SETTING_OWN,
     .read = read_address,
     .required = true,
     .usage = "unix:/path, inet:PORT@HOST, inet6:PORT@[ADDRESS] or fd:N",
     .example = EXAMPLE " }"},
    {.name = "mode",
     .type = SETTING_OWN,
     WEB(mode),
     .read = setting_read_mode,
     .usage = "a mode in octal as in 0660",
     .example = "web { listen unix:/run/sekisho/web.sock  mode 0660 }"},
    {.name = "group",
     .type = SETTING_NAME,
     WEB(group),
     .example = "web { listen unix:/run/sekisho/web.sock  group adm }"},
    {.name = "password-file", .type = SETTING_PATH, WEB(password_file), .example = EXAMPLE " }"},
    {.name = "host",
     .type = SETTING_NAME,
     .count = SETTING_MANY,
     WEB(hosts),
     .most_items = WEB_HOSTS_MAX,
     .usage = "names of this host as browsers call it",
     .example = EXAMPLE "  host mx.example.org }"},
};

const struct setting_block web_block = {
    .name = "web", .size = sizeof(struct web_setting), SETTING_KEYS(keys), .finish = finish};
