/*
 * path.c - which address an argument of MAIL or RCPT names.
 *
 * A plain address (user@domain) is judged as the client wrote it; what an MTA makes of it is the mapping of that MTA.
 * MTAs rewrite all other notations, `good.example!boss` and `boss%good.example` to boss@good.example, and deliver to
 * that address: there, the address from the MTA is judged. Postfix lower-cases it and adds its domain if it has none;
 * Sendmail gives only the local part for its own users.
 */
#include "gate_private.h"

static struct path refused(struct address said, const char *why)
{
	return (struct path){.address = said, .said = said.text, .refusal = why};
}

static const char several[] = "The address can be read in several ways; write it as <user@domain>";

/* The address that the MTA makes of it is not known. */
static struct path read_alone(struct address said, enum address_notation notation, bool recipient)
{
	if (notation == ADDRESS_UNCLEAR || (recipient && notation == ADDRESS_ROUTED))
		return refused(said, several);
	return (struct path){.address = said};
}

/* A plain address is kept; the record also shows the address from the MTA when that is another mailbox. */
static struct path read_plain(struct address said, const struct address *made)
{
	struct path path = {.address = said};

	if (made->domain.n > 0 && !address_equal(&said, made) && !slice_equal_nocase(said.text, made->text))
		path.made = made->text;
	return path;
}

static struct path read_made(struct address said, enum address_notation notation, const struct address *made)
{
	bool clear = notation != ADDRESS_UNCLEAR || said.domain.n == 0;

	/* Sendmail leaves bob@"example.org" unchanged, but delivers to that mailbox. */
	if (clear && slice_equal_nocase(said.text, made->text))
		return (struct path){.address = said};
	if (made->domain.n > 0 && address_notation(made) != ADDRESS_UNCLEAR)
		return (struct path){.address = *made, .said = said.text};
	if (notation != ADDRESS_UNCLEAR && made->domain.n == 0 && address_same_local(&said, made))
		return (struct path){.address = said};
	return refused(said, several);
}

struct path path_read(struct slice argument, struct slice made_text, bool recipient, struct arena *arena)
{
	struct address said = address_parse_path(argument, arena), made;
	enum address_notation notation = address_notation(&said);

	if (!made_text.p)
		return read_alone(said, notation, recipient);
	made = address_parse_path(made_text, arena);
	return notation == ADDRESS_PLAIN ? read_plain(said, &made) : read_made(said, notation, &made);
}

void path_note(struct gate *gate, const struct path *path, const char *what)
{
	static const struct position engine; /* not a rule */
	struct arena *arena = gate->message.arena;

	if (path->said.n > 0 && !path->refusal)
		decision_note(&gate->decision, NOTE_LOG,
			      arena_printf(arena, "the %s was written as %.*s; the mail server made %.*s of it", what,
					   SLICE_ARGS(path->said), SLICE_ARGS(path->address.text)),
			      engine);
	if (path->made.n > 0)
		decision_note(&gate->decision, NOTE_LOG,
			      arena_printf(arena, "the %s is %.*s; the mail server made %.*s of it", what,
					   SLICE_ARGS(path->address.text), SLICE_ARGS(path->made)),
			      engine);
}
