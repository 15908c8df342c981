/*
 * setting_network.c - listen, trusted, submission: where we stand and whom we
 * take for what.
 */
#include "setting.h"

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

/* ---- listen ----------------------------------------------------------------------- */

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
	struct error why;

	if (!address || reader->said->braces)
		return setting_wrong(reader, NULL, "listen has no address");
	*listen = (struct listen_setting){.mode = -1, .group = SLICE("")};
	listen->text = arena_copy(reader->arena, word_value(address, reader->arena));
	if (listen_parse(listen->text, &listen->address, &why) != 0)
		return setting_wrong(reader, address, "\"%s\" is not an address to listen on (%s)",
				     QUOTE(address->text), why.text);
	listen->where = (struct position){reader->compiler->policy->file, place.line, place.column};
	if (address->next && listen->address.family != LISTEN_UNIX)
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
