/*
 * setting_network.c - listen: the sockets where mail servers find us.
 */
#include "setting_reader.h"

#define PORT_MAX 65535
#define MODE_MAX 0777

int port_parse(struct slice text, unsigned *port_r)
{
	uint64_t port;

	if (slice_number(text, PORT_MAX, &port) || port == 0)
		return -1;
	*port_r = (unsigned)port;
	return 0;
}

/* ---- listen DOOR ADDRESS engine ENGINE mode 0660 group NAME
 * ------------------------------------------------------------ */

static int read_address(struct setting_told *told, void *item, struct error *err)
{
	struct listen_setting *listen = item;

	listen->text = told->words[0];
	listen->mode = -1;
	listen->group = SLICE("");
	return setting_read_listen(told, &listen->address, err);
}

int setting_read_listen(struct setting_told *told, struct listen_address *address_r, struct error *err)
{
	struct error why;

	if (listen_parse(told->words[0], address_r, &why) == 0)
		return 0;
	error_set(err, "\"%s\" is not an address to listen on (%s)", QUOTE(told->words[0]), why.text);
	return -1;
}

int setting_read_mode(struct setting_told *told, void *item, struct error *err)
{
	struct slice text = told->words[0];
	int mode = 0;

	(void)err;
	for (size_t i = 0; i < text.n && mode <= MODE_MAX; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return -1;
		mode = mode * 8 + (text.p[i] - '0');
	}
	*(int *)item = mode;
	return mode <= MODE_MAX ? 0 : -1;
}

/* Its requests hold whole messages and what they say is believed, so it is for this host. */
static bool is_local(const struct listen_address *address)
{
	static const struct ip_net loopback = {{4, {127}}, 8};
	struct ip ip;

	if (address->family == LISTEN_UNIX)
		return true;
	if (address->family == LISTEN_FD || address->host[0] == '\0')
		return false;
	if (strcmp(address->host, "localhost") == 0)
		return true;
	return ip_parse(slice_of(address->host), &ip) == 0 &&
	       (ip_net_contains(&loopback, ip) || ip_equal(ip, (struct ip){6, {[15] = 1}}));
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct listen_setting *listen = block;

	if (listen->door == LISTEN_RSPAMC && !is_local(&listen->address)) {
		error_set(
		    err,
		    "listen rspamc serves mail servers of this host only; write unix:/path, or inet:PORT@127.0.0.1");
		return -1;
	}
	if (!told->said)
		return 0;
	if (listen->door != LISTEN_MILTER && setting_said(told, "engine")) {
		told->key = "engine";
		error_set(err, "only the milter door has engines; remove it");
		return -1;
	}
	if (listen->address.family == LISTEN_UNIX) {
		if (!setting_said(told, "user"))
			return 0;
		told->key = "user";
		error_set(err, "a unix: socket has mode and group instead; remove it");
		return -1;
	}
	if (!setting_said(told, "mode") && !setting_said(told, "group"))
		return 0;
	told->key = setting_said(told, "mode") ? "mode" : "group";
	error_set(err, "only a unix: socket has mode and group; remove them, or listen on unix:/path");
	return -1;
}

#define LISTEN(member) .offset = offsetof(struct listen_setting, member)

const char *const listen_doors[] = {[LISTEN_MILTER] = "milter",
				    [LISTEN_POLICY] = "policy",
				    [LISTEN_SOCKETMAP] = "socketmap",
				    [LISTEN_SRS_FORWARD] = "srs-forward",
				    [LISTEN_SRS_REVERSE] = "srs-reverse",
				    [LISTEN_RSPAMC] = "rspamc",
				    NULL};

const char *const listen_engines[] = {[ENGINE_LIBMILTER] = "libmilter", [ENGINE_NATIVE] = "native", NULL};

static const struct setting_key door = {
    .type = SETTING_WORD, LISTEN(door), .words = listen_doors, .example = "listen milter inet:8891@127.0.0.1"};

static const struct setting_key address = {
    .type = SETTING_OWN,
    .read = read_address,
    .preset = "inet:8891@127.0.0.1", /* the shipped file says a unix socket; older files that say nothing stay where
					they are */
    .usage = "unix:/path [mode 0660] [group NAME], inet:PORT@HOST or inet6:PORT@[ADDRESS] [user NAME ...], or fd:N",
    .example = "listen unix:/run/sekisho/milter.sock mode 0660 group postfix"};

static const struct setting_key keys[] = {
    {.name = "engine",
     .of_kind = "milter",
     .type = SETTING_WORD,
     LISTEN(engine),
     .words = listen_engines,
     .preset = "libmilter",
     .example = "listen milter unix:/run/sekisho/milter.sock engine native"},
    {.name = "mode",
     .type = SETTING_OWN,
     LISTEN(mode),
     .read = setting_read_mode,
     .usage = "a mode in octal as in 0660",
     .example = "listen unix:/run/sekisho/milter.sock mode 0660"},
    {.name = "group",
     .type = SETTING_NAME,
     LISTEN(group),
     .example = "listen unix:/run/sekisho/milter.sock group postfix"},
    {.name = "user",
     .type = SETTING_NAME,
     .count = SETTING_MANY,
     LISTEN(users),
     .most_items = LISTEN_USERS_MAX,
     .example = "listen inet:8891@127.0.0.1 user postfix"},
};

const struct setting_block listen_block = {.name = "listen",
					   .size = sizeof(struct listen_setting),
					   .kind = &door,
					   .value = &address,
					   SETTING_KEYS(keys),
					   .line = true,
					   .repeats = true,
					   .finish = finish};

static bool is_libmilters(const struct listen_setting *listen)
{
	return listen->door == LISTEN_MILTER && listen->engine == ENGINE_LIBMILTER;
}

/* What contradicts the statements before: one address twice, or two sockets of libmilter, which serves one in a
 * process.
 */
static int check_others(struct setting_reader *reader, const struct listen_setting *listen)
{
	const struct settings *settings = reader->settings;
	struct diagnostics *found = reader->compiler->diagnostics;
	struct place place = reader->said->name.place;

	for (size_t i = 0; i < settings->listen_count; i++) {
		const struct listen_setting *other = &settings->listens[i];

		if (slice_equal(other->text, listen->text))
			diagnostics_error(found, place, "%s is listened on already in line %u; remove one of them",
					  QUOTE(listen->text), other->where.line);
		else if (is_libmilters(listen) && is_libmilters(other))
			diagnostics_error(found, place,
					  "libmilter serves one socket, that of line %u; remove one of them, or add "
					  "\"engine native\" to one",
					  other->where.line);
		else
			continue;
		return -1;
	}
	return 0;
}

int setting_keep_listen(struct setting_reader *reader, const void *block)
{
	struct settings *settings = reader->settings;
	struct listen_setting *listen;
	struct place place = reader->said->name.place;
	int result;

	if (settings->listen_count == LISTEN_MAX) {
		diagnostics_error(reader->compiler->diagnostics, place, "there are more than %d sockets to listen on",
				  LISTEN_MAX);
		return -1;
	}
	listen = &settings->listens[settings->listen_count];
	*listen = *(const struct listen_setting *)block;
	listen->where = position_of(reader->compiler, place);
	result = check_others(reader, listen);
	settings->listen_count++;
	return result;
}
