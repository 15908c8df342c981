/*
 * setting_network.c - listen: where the MTA finds us.
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
