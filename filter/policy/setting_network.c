/*
 * setting_network.c - listen, trusted, submission: where we stand and whom we
 * take for what.
 */
#include "setting.h"

#include <sys/un.h>

#define PORT_MAX        65535
#define MODE_MAX        0777
#define FD_MAX          1023
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

int port_parse(struct slice text, unsigned *port_r)
{
	uint64_t port;

	if (slice_number(text, PORT_MAX, &port) || port == 0)
		return -1;
	*port_r = (unsigned)port;
	return 0;
}

/* ---- listen ----------------------------------------------------------------------- */

/* "8891" or "8891@HOST"; in inet6 the host may stand in brackets. */
static bool is_inet(struct slice rest, uint8_t family)
{
	struct slice port;
	unsigned number;
	struct ip ip;
	bool valid;

	if (!slice_cut(&rest, '@', &port) || port_parse(port, &number))
		return false;
	if (!rest.p)
		return true;
	if (rest.n > 2 && rest.p[0] == '[' && rest.p[rest.n - 1] == ']')
		rest = slice_head(slice_from(rest, 1), rest.n - 2);
	if (ip_parse(rest, &ip) == 0)
		return ip.family == family;
	if (rest.n == 0 || slice_find(rest, ':') >= 0)
		return false;
	for (size_t i = 0; i < rest.n; i++) {
		valid = (rest.p[i] >= 'a' && rest.p[i] <= 'z') || (rest.p[i] >= 'A' && rest.p[i] <= 'Z') ||
			(rest.p[i] >= '0' && rest.p[i] <= '9') || rest.p[i] == '-' || rest.p[i] == '.';
		if (!valid)
			return false;
	}
	return true;
}

static bool is_inet4(struct slice rest)
{
	return is_inet(rest, 4);
}

static bool is_inet6(struct slice rest)
{
	return is_inet(rest, 6);
}

static bool is_unix(struct slice rest)
{
	return rest.n > 1 && rest.n <= SOCKET_PATH_MAX && rest.p[0] == '/';
}

static bool is_fd(struct slice rest)
{
	uint64_t fd;

	return slice_number(rest, FD_MAX, &fd) == 0;
}

static bool is_listen_address(struct slice text)
{
	static const struct {
		const char *prefix;
		bool (*is_valid)(struct slice);
	} forms[] = {{"inet", is_inet4}, {"inet6", is_inet6}, {"unix", is_unix}, {"fd", is_fd}};
	struct slice prefix;

	slice_cut(&text, ':', &prefix);
	for (size_t i = 0; text.p && i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (slice_equal(prefix, slice_of(forms[i].prefix)))
			return forms[i].is_valid(text);
	}
	return false;
}

/* mode 0660: octal, as chmod(1) has it. */
static int read_mode(struct setting_reader *reader, const struct word *word)
{
	int mode = 0;

	if (!word)
		return setting_wrong(reader, NULL, "mode has no value");
	for (size_t i = 0; i < word->text.n; i++) {
		if (word->text.p[i] < '0' || word->text.p[i] > '7' || mode > MODE_MAX)
			return setting_wrong(reader, word, "\"%s\" is no mode in octal", QUOTE(word->text));
		mode = mode * 8 + (word->text.p[i] - '0');
	}
	if (mode > MODE_MAX)
		return setting_wrong(reader, word, "\"%s\" is no mode in octal", QUOTE(word->text));
	reader->settings->listen.mode = mode;
	return 0;
}

static int read_group(struct setting_reader *reader, const struct word *word)
{
	if (!word)
		return setting_wrong(reader, NULL, "group has no name");
	reader->settings->listen.group = arena_copy(reader->arena, word_value(word, reader->arena));
	return 0;
}

/* Words behind the address, in pairs. */
static int read_listen_options(struct setting_reader *reader, const struct word *word)
{
	int result;

	while (word) {
		if (slice_equal(word->text, SLICE("mode")))
			result = read_mode(reader, word->next);
		else if (slice_equal(word->text, SLICE("group")))
			result = read_group(reader, word->next);
		else
			result = setting_wrong(reader, word, "listen knows no \"%s\"", QUOTE(word->text));
		if (result)
			return -1;
		word = word->next->next;
	}
	return 0;
}

int setting_read_listen(struct setting_reader *reader)
{
	struct listen_setting *listen = &reader->settings->listen;
	const struct word *address = reader->said->values.first;
	struct place place = reader->said->name.place;

	if (!address || reader->said->braces)
		return setting_wrong(reader, NULL, "listen has no address");
	if (!is_listen_address(word_value(address, reader->arena)))
		return setting_wrong(reader, address, "\"%s\" is no address to listen on", QUOTE(address->text));
	*listen = (struct listen_setting){.mode = -1, .group = SLICE("")};
	listen->address = arena_copy(reader->arena, word_value(address, reader->arena));
	listen->where = (struct position){reader->compiler->policy->file, place.line, place.column};
	if (address->next && !slice_starts_nocase(listen->address, SLICE("unix:")))
		return setting_wrong(reader, address->next, "only a unix: socket has mode and group");
	return read_listen_options(reader, address->next);
}

/* ---- trusted ------------------------------------------------------------------------ */

int setting_read_trusted(struct setting_reader *reader)
{
	struct check_settings *check = &reader->settings->check;
	struct ip_net *nets;
	size_t n = 0;

	if (reader->said->values.count || !reader->said->braces)
		return setting_wrong(reader, reader->said->values.first, "trusted wants its networks in { }");
	nets = arena_alloc(reader->arena, (reader->said->inside.count + 1) * sizeof(*nets));
	for (const struct word *word = reader->said->inside.first; word; word = word->next) {
		if (ip_net_parse(word_value(word, reader->arena), &nets[n++]))
			return setting_wrong(reader, word, "\"%s\" is no network", QUOTE(word->text));
	}
	check->trusted = nets;
	check->trusted_count = n;
	return 0;
}

/* ---- submission --------------------------------------------------------------------- */

enum submission_key { NO_KEY, KEY_PORT, KEY_DAEMON_NAME };

static enum submission_key submission_key(const struct word *word)
{
	if (word->kind != WORD_PLAIN)
		return NO_KEY;
	if (slice_equal(word->text, SLICE("port")))
		return KEY_PORT;
	return slice_equal(word->text, SLICE("daemon-name")) ? KEY_DAEMON_NAME : NO_KEY;
}

/* port N ... daemon-name NAME ...: what is said replaces the preset as a whole. */
int setting_read_submission(struct setting_reader *reader)
{
	struct check_settings *check = &reader->settings->check;
	const struct words *inside = &reader->said->inside;
	unsigned *ports = arena_alloc(reader->arena, (inside->count + 1) * sizeof(*ports));
	struct slice *names = arena_alloc(reader->arena, (inside->count + 1) * sizeof(*names));
	size_t port_count = 0, name_count = 0;
	enum submission_key key = NO_KEY;

	if (reader->said->values.count || inside->count == 0)
		return setting_wrong(reader, reader->said->values.first, "submission wants { }");
	for (const struct word *word = inside->first; word; word = word->next) {
		if (submission_key(word)) {
			key = submission_key(word);
			if (!word->next || submission_key(word->next))
				return setting_wrong(reader, word, "no value behind \"%s\"", QUOTE(word->text));
		} else if (key == KEY_DAEMON_NAME) {
			names[name_count++] = arena_copy(reader->arena, word_value(word, reader->arena));
		} else if (key == NO_KEY || port_parse(word->text, &ports[port_count++])) {
			return setting_wrong(reader, word, "\"%s\" is no port", QUOTE(word->text));
		}
	}
	check->submission_ports = ports;
	check->submission_port_count = port_count;
	check->submission_names = names;
	check->submission_name_count = name_count;
	return 0;
}
