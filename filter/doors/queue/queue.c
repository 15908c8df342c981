/*
 * queue.c - one message: read, judged, queued. Contract: queue.h.
 */
#include "queue_private.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* The changes that we can make: all. A message can be held only at another address. */
#define ACTIONS                                                                                                        \
	(CAN_ADD_FIELDS | CAN_CHANGE_BODY | CAN_ADD_RECIPIENT | CAN_DELETE_RECIPIENT | CAN_CHANGE_FIELDS |             \
	 CAN_CHANGE_SENDER | CAN_NAME_MACROS)

#define LIFE_S 86400 /* as qmail-queue: a sender that never comes to an end is not waited for longer */

struct run {
	const struct queue_settings *settings;
	struct arena *arena;
	int told_fd;
	struct sigaction pipe_signal; /* of our caller */
	struct letter letter;
	struct envelope envelope;
	struct answer answer;
};

static void say(const char *what, const char *why)
{
	dprintf(STDERR_FILENO, "sekisho queue: %s%s%s\n", what, *why ? ": " : "", why);
}

static int refuse(struct run *run, unsigned code, const char *enhanced, const char *text)
{
	const struct answer answer = {.code = code, .enhanced = slice_of(enhanced), .text = slice_of(text)};

	return told_refusal(run->settings->text, run->told_fd, &answer);
}

/* ---- what the daemon decided -------------------------------------------------------------------------- */

static int queue(struct run *run)
{
	struct slice envelope = envelope_print(&run->envelope, run->arena);
	struct error err;
	int code = hand_over(run->settings->program, &run->letter, envelope, &run->pipe_signal, &err);

	if (code != QUEUE_DONE)
		say(run->settings->program, err.text);
	return code;
}

/* qmail cannot hold a message. It goes to somebody who looks at it, and says why, and for whom it was. */
static void quarantine(struct run *run)
{
	struct slice *to = arena_alloc(run->arena, sizeof(*to));
	struct text text;

	text_init(&text, run->arena, 2 * ENVELOPE_MAX); /* nobody is left out */
	for (size_t i = 0; i < run->envelope.count; i++)
		text_printf(&text, "%s%.*s", i ? ", " : "", SLICE_ARGS(run->envelope.recipients[i]));
	letter_insert(&run->letter, SLICE("X-Sekisho-Recipients"), text_slice(&text), run->arena);
	letter_insert(&run->letter, SLICE("X-Sekisho-Quarantine"), run->answer.quarantine, run->arena);
	*to = slice_of(run->settings->quarantine);
	run->envelope.recipients = to;
	run->envelope.count = 1;
}

static void tell_dropped(const struct run *run)
{
	size_t dropped = 0;

	for (size_t i = 0; i < run->envelope.count; i++)
		dropped += run->answer.refused && run->answer.refused[i];
	if (dropped)
		dprintf(STDERR_FILENO,
			"sekisho queue: %zu of %zu recipients were refused; the message is queued for the others\n",
			dropped, run->envelope.count);
}

static int queue_changed(struct run *run)
{
	tell_dropped(run);
	for (size_t i = 0; i < run->answer.change_count; i++)
		letter_change(&run->letter, &run->answer.changes[i], run->arena);
	run->letter.new_body = run->answer.body;
	envelope_apply(&run->envelope, &run->answer, run->arena);
	if (run->envelope.count == 0)
		return QUEUE_DONE; /* the policy has deleted all: nobody is to get it */
	if (run->answer.quarantine.p && run->settings->quarantine)
		quarantine(run);
	return queue(run);
}

static int queue_unjudged(struct run *run, const char *why)
{
	if (!run->settings->accept_on_failure) {
		say("the message is deferred, because the daemon does not answer", why);
		return refuse(run, 451, "4.3.0", "The policy service is not available");
	}
	say("the message is queued unjudged, because the daemon does not answer", why);
	return queue(run);
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

/* What qmail-smtpd has put on top is not told, as with other mail servers, so that fields are counted alike. */
static void fields_tell(const struct letter *letter, struct arena *arena, struct question *question)
{
	struct header_field *fields = arena_alloc(arena, (letter->field_count + 1) * sizeof(*fields));
	size_t count = 0;

	for (const struct field *field = letter->fields; field; field = field->next)
		if (!field->stamp)
			fields[count++] = (struct header_field){.name = field->name, .value = field->value};
	question->fields = fields;
	question->field_count = count;
	question->body = letter->body;
}

/* The sender of a bounce that cannot be delivered, qmail-send(8), is the null sender for all others. */
static struct slice sender_path(struct slice sender, struct arena *arena)
{
	return slice_equal(sender, SLICE("#@[]")) ? SLICE("<>") : address_path(sender, arena);
}

static void envelope_tell(const struct envelope *envelope, struct arena *arena, struct question *question)
{
	struct slice *paths = arena_alloc(arena, (envelope->count + 1) * sizeof(*paths));

	question->smtputf8 = !slice_is_ascii(envelope->sender);
	for (size_t i = 0; i < envelope->count; i++) {
		paths[i] = address_path(envelope->recipients[i], arena);
		question->smtputf8 |= !slice_is_ascii(envelope->recipients[i]);
	}
	question->sender = sender_path(envelope->sender, arena);
	question->recipients = paths;
	question->recipient_count = envelope->count;
}

/* For messages, as --socket has it. */
static const char *listen_text(const struct listen_address *address, struct arena *arena)
{
	if (address->family == LISTEN_UNIX)
		return arena_printf(arena, "unix:%s", address->path).p;
	return arena_printf(arena, "%s:%u@%s", address->family == LISTEN_INET6 ? "inet6" : "inet", address->port,
			    address->host)
	    .p;
}

static int judge(struct run *run)
{
	const struct queue_settings *settings = run->settings;
	struct question question = {.actions = ACTIONS | (settings->quarantine ? CAN_QUARANTINE : 0),
				    .drop_refused = settings->drop_refused};
	struct error err, why;

	origin_tell(settings, &run->letter, run->arena, &question);
	fields_tell(&run->letter, run->arena, &question);
	envelope_tell(&run->envelope, run->arena, &question);
	switch (milter_ask(&settings->socket, &question, run->arena, &run->answer, &err)) {
	case ANSWERED_CONTINUE:
		return queue_changed(run);
	case ANSWERED_REFUSE:
		return told_refusal(settings->text, run->told_fd, &run->answer);
	case ANSWERED_DISCARD:
		return QUEUE_DONE;
	default:
		error_set(&why, "%s: %s", listen_text(&settings->socket, run->arena), err.text);
		return queue_unjudged(run, why.text);
	}
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

/* The message first, to its end; then the envelope. A client that gave up leaves no complete envelope. */
static int take(struct run *run, int message_fd, int envelope_fd)
{
	struct slice message, envelope;
	struct error err;
	int code = letter_read(message_fd, run->arena, &message, &err);

	if (code == 0)
		code = envelope_read(envelope_fd, run->arena, &envelope, &err);
	if (code == 0)
		code = envelope_parse(envelope, run->arena, &run->envelope, &err);
	if (code != 0) {
		say(err.text, "");
		return code;
	}
	if (letter_split(message, run->arena, &run->letter) != 0)
		return refuse(run, 552, "5.3.4", "The header of the message is too large");
	return run->envelope.count > 0 ? judge(run) : queue(run);
}

static void expire(int signal)
{
	(void)signal;
	_exit(QUEUE_TIMEOUT);
}

int queue_run(const struct queue_settings *settings, int message_fd, int envelope_fd)
{
	struct run run = {.settings = settings, .arena = arena_new(), .told_fd = told_open(settings->text)};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int code;

	sigaction(SIGPIPE, &ignore, &run.pipe_signal); /* who reads standard error may be gone: the mail goes on */
	signal(SIGALRM, expire);
	alarm(LIFE_S);
	code = take(&run, message_fd, envelope_fd);
	arena_free(run.arena);
	return code;
}
