/*
 * redis_ask.c - a command and its answer.
 */
#include "redis_ask.h"

/* ---- errors of the server ------------------------------------------------------------------------- */

static const struct {
	const char *word;
	enum redis_fault fault;
	const char *what;
} faults[] = {
    {"NOSCRIPT", FAULT_SCRIPT, "it does not know a script that it was just given"},
    {"LOADING", FAULT_DOWN, "it is still loading its data"},
    {"BUSY", FAULT_DOWN, "it is busy with a script of somebody else"},
    {"MASTERDOWN", FAULT_DOWN, "it is a replica that has lost its master"},
    {"READONLY", FAULT_DOWN, "it is a read-only replica; name the master"},
    {"NOAUTH", FAULT_DOWN, "it wants a password; set password-file"},
    {"WRONGPASS", FAULT_DOWN, "it does not accept the user and the password in password-file"},
    {"NOPERM", FAULT_DOWN,
     "the user lacks a permission: it needs ~sekisho:* +@read +@write +@scripting +@connection +time +info"},
    {"MOVED", FAULT_DOWN, "it is part of a cluster, which is not supported; name a server that is not"},
    {"ASK", FAULT_DOWN, "it is part of a cluster, which is not supported; name a server that is not"},
    {"CLUSTERDOWN", FAULT_DOWN, "it is part of a cluster, which is not supported; name a server that is not"},
    {"CROSSSLOT", FAULT_DOWN, "it is part of a cluster, which is not supported; name a server that is not"},
    {"OOM", FAULT_ODD, "it has no memory for another key; raise its maxmemory"},
    {"MISCONF", FAULT_ODD, "it cannot write to its disk, and refuses changes until it can"},
    {"NOREPLICAS", FAULT_ODD, "it has fewer replicas than it wants, and refuses changes"},
    {"WRONGTYPE", FAULT_ODD, "a key belongs to another program"},
};

static size_t fault_find(const struct redis_reply *reply)
{
	size_t i = 0;

	while (i < sizeof(faults) / sizeof(faults[0]) &&
	       !slice_equal(redis_error_word(reply), slice_of(faults[i].word)))
		i++;
	return i;
}

enum redis_fault redis_fault_of(const struct redis_reply *reply)
{
	size_t i = fault_find(reply);

	if (reply->type != REDIS_ERROR)
		return FAULT_NONE;
	return i < sizeof(faults) / sizeof(faults[0]) ? faults[i].fault : FAULT_OTHER;
}

/* Their texts differ between versions, so only the first word is understood. */
void redis_fault_explain(const struct redis_reply *reply, struct error *err)
{
	size_t i = fault_find(reply), n = reply->text.n < 120 ? reply->text.n : 120;
	char said[121];

	for (size_t j = 0; j < n; j++)
		said[j] = is_control(reply->text.p[j]) || (reply->text.p[j] & 0x80) ? '.' : reply->text.p[j];
	said[n] = '\0';
	if (i < sizeof(faults) / sizeof(faults[0]))
		error_set(err, "%s (\"%s\")", faults[i].what, said);
	else
		error_set(err, "it answered \"%s\"", said);
}

/* ---- one round trip --------------------------------------------------------------------------------- */

void redis_add(struct redis_command *command, struct slice word)
{
	if (command->count == REDIS_ARGUMENTS)
		die("a command of Redis has too many words");
	command->words[command->count++] = word;
}

static void add_length(struct text *text, char sign, size_t n)
{
	char digits[NUMBER_TEXT];

	text_add_char(text, sign);
	text_add(text, number_print((int64_t)n, digits));
	text_add(text, SLICE("\r\n"));
}

/* The bytes of a command: how many words, then each with its length. That of the library spends more time on the
 * lengths than everything else here takes together. */
static struct slice command_bytes(const struct redis_command *command, struct arena *arena)
{
	size_t room = 1;
	struct text text;

	for (size_t i = 0; i <= command->count; i++)
		room += NUMBER_TEXT + 5 + (i < command->count ? command->words[i].n : 0);
	text_init(&text, arena, room);
	add_length(&text, '*', command->count);
	for (size_t i = 0; i < command->count; i++) {
		add_length(&text, '$', command->words[i].n);
		text_add(&text, command->words[i]);
		text_add(&text, SLICE("\r\n"));
	}
	return text_slice(&text);
}

static enum redis_wire receive_reply(struct redis_link *link, struct redis_reader *reader, int64_t deadline_us,
				     const struct redis_reply **reply_r, struct error *err)
{
	char bytes[16 * 1024];
	enum redis_wire wire;
	int whole = 0;
	size_t n;

	while (whole == 0) {
		wire = redis_link_receive(link, bytes, sizeof(bytes), &n, deadline_us);
		if (wire != WIRE_OK)
			return wire;
		whole = redis_reader_feed(reader, (struct slice){bytes, n}, reply_r, err);
	}
	return whole == 1 ? WIRE_OK : WIRE_CLOSED;
}

enum redis_wire redis_ask_link(struct redis_link *link, const struct redis_command *command, size_t limit,
			       int64_t deadline_us, struct arena *arena, const struct redis_reply **reply_r,
			       struct error *err)
{
	enum redis_wire wire = redis_link_send(link, command_bytes(command, arena), deadline_us);
	struct redis_reader *reader;

	err->text[0] = '\0';
	if (wire == WIRE_OK) {
		reader = redis_reader_new(arena, limit);
		wire = receive_reply(link, reader, deadline_us, reply_r, err);
		redis_reader_free(reader);
	}
	if (wire == WIRE_TIMEOUT)
		error_set(err, "it does not answer in time");
	else if (wire == WIRE_CLOSED && !err->text[0])
		error_set(err, "it closed the connection");
	return wire;
}

/* ---- questions ---------------------------------------------------------------------------------------- */

/* The reply, or an error that says that the script is not known; NULL: unavailable, and the link is gone. */
static const struct redis_reply *ask_with(struct redis_pool *pool, struct redis_link *link,
					  const struct redis_command *command, size_t limit, int64_t deadline_us,
					  struct arena *arena)
{
	const struct redis_reply *reply = NULL;
	struct error why;
	enum redis_wire wire = redis_ask_link(link, command, limit, deadline_us, arena, &reply, &why);
	enum redis_fault fault = wire == WIRE_OK ? redis_fault_of(reply) : FAULT_NONE;

	if (wire != WIRE_OK) {
		redis_pool_fail(pool, link, wire == WIRE_TIMEOUT, &why);
		return NULL;
	}
	if (fault == FAULT_NONE || fault == FAULT_SCRIPT)
		return reply;
	redis_fault_explain(reply, &why);
	if (fault == FAULT_ODD) {
		redis_pool_odd(pool, &why);
		redis_pool_give(pool, link);
	} else {
		redis_pool_fail(pool, link, fault == FAULT_DOWN, &why);
	}
	return NULL;
}

/* A script that is not known is sent; then it must be. */
static const struct redis_reply *ask_again(struct redis_pool *pool, struct redis_link *link,
					   struct redis_command *command, enum redis_script script, size_t limit,
					   int64_t deadline_us, struct arena *arena)
{
	const struct redis_reply *reply;
	struct error why;

	command->words[0] = SLICE("EVAL");
	command->words[1] = redis_script_text(script);
	reply = ask_with(pool, link, command, limit, deadline_us, arena);
	if (!reply || reply->type != REDIS_ERROR)
		return reply;
	redis_fault_explain(reply, &why);
	redis_pool_fail(pool, link, false, &why);
	return NULL;
}

const struct redis_reply *redis_ask(struct redis_pool *pool, const struct redis_command *command, size_t limit,
				    int64_t deadline_us, struct arena *arena)
{
	struct redis_link *link = redis_pool_take(pool, deadline_us);
	const struct redis_reply *reply = link ? ask_with(pool, link, command, limit, deadline_us, arena) : NULL;

	if (reply)
		redis_pool_give(pool, link);
	return reply && reply->type != REDIS_ERROR ? reply : NULL;
}

const struct redis_reply *redis_ask_script(struct redis_pool *pool, enum redis_script script,
					   const struct redis_command *question, size_t keys, size_t limit,
					   int64_t deadline_us, struct arena *arena)
{
	struct redis_link *link = redis_pool_take(pool, deadline_us);
	const struct redis_reply *reply;
	struct redis_command command = {.count = 0};
	char number[NUMBER_TEXT];

	if (!link)
		return NULL;
	redis_add(&command, SLICE("EVALSHA"));
	redis_add(&command, slice_of(redis_script_sha1(script)));
	redis_add(&command, number_print((int64_t)keys, number));
	for (size_t i = 0; i < question->count; i++)
		redis_add(&command,
			  i < keys ? arena_join(arena, SLICE(REDIS_PREFIX), question->words[i]) : question->words[i]);
	reply = ask_with(pool, link, &command, limit, deadline_us, arena);
	if (reply && reply->type == REDIS_ERROR)
		reply = ask_again(pool, link, &command, script, limit, deadline_us, arena);
	if (reply)
		redis_pool_give(pool, link);
	return reply;
}
