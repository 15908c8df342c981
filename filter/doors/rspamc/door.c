/*
 * door.c - the rspamc door: the protocol that Exim's spam condition speaks with variant=rspamd. One request with a
 * message on a connection, one answer, and the connection is closed.
 *
 * A message whose envelope the policy door has judged goes on where it was (parked_take), by its queue id. Else all
 * stages run here, from what the head says, and every refusal is that of the message.
 */
#include "rspamc_private.h"
#include <stdlib.h>

/* Exim waits 120 s, or tmo=; the client waits ten minutes (RFC 5321 4.5.3.2.6). */
static const struct abilities abilities = {.wait_us = 8 * 1000 * 1000,
					   .end_us = 8 * 1000 * 1000,
					   .changes = 1u << CHANGE_DELETE | 1u << CHANGE_REPLACE | 1u << CHANGE_INSERT |
						      1u << CHANGE_APPEND,
					   .waiting = {.waits = server_waits}};

struct request {
	struct head head;
	uint64_t left; /* bytes of the message that have not arrived */
	struct incoming message;
	struct gate *gate; /* NULL: the head is not complete, or the message is over */
	bool unchanged;    /* the changes did not fit in the answer */
};

static struct request *request_new(struct server_peer *peer)
{
	struct request *request = xmalloc(sizeof(*request));

	request->head.arena = arena_new();
	peer->state = request;
	peer->until_us = clock_us() + REQUEST_US;
	return request;
}

static void request_over(struct door_host *host, struct request *request, const struct told *told)
{
	if (!request->gate)
		return;
	if (told)
		gate_done(request->gate, told);
	gate_close(request->gate);
	request->gate = NULL;
	host->messages_open--;
}

/* ---- the envelope ------------------------------------------------------------------------------- */

/* The address that Exim uses, without <>. */
static struct slice made_of(struct slice path)
{
	if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
		return (struct slice){path.p + 1, path.n - 2};
	return path.p ? path : SLICE("");
}

static struct gate *begin(struct door_host *host, const struct head *head)
{
	struct engine *engine = host->engine(host);
	struct gate *gate = gate_open(engine, &abilities);
	struct connection connection = {.client_name = head->hostname, .local_program = !head->ip.p};
	bool ascii = slice_is_ascii(head->from);

	engine_release(engine);
	if (ip_parse(head->ip, &connection.client) != 0)
		connection.client.family = 0;
	gate_connect(gate, &connection);
	if (head->helo.n > 0)
		gate_helo(gate, head->helo);
	gate_auth(gate, head->user, SLICE(""));
	for (size_t i = 0; i < head->rcpt_count; i++)
		ascii &= slice_is_ascii(head->rcpts[i]);
	gate_mail(gate, head->from.n > 0 ? head->from : SLICE("<>"), made_of(head->from), !ascii);
	return gate;
}

/* Recipients that the policy door was not asked about are judged now. */
static void request_begin(struct door_host *host, struct request *request)
{
	const struct head *head = &request->head;
	struct gate *gate = parked_take(host->parked, head->queue_id);
	bool parked = gate != NULL;

	host->messages_open++;
	if (parked)
		gate_continue(gate, &abilities);
	else
		gate = begin(host, head);
	gate_queue_id(gate, head->queue_id);
	for (size_t i = 0; i < head->rcpt_count; i++)
		if (!parked || !gate_has_recipient(gate, head->rcpts[i]))
			gate_rcpt(gate, head->rcpts[i], made_of(head->rcpts[i]));
	request->gate = gate;
	request->left = head->length;
	incoming_begin(&request->message, gate, request->head.arena);
}

/* ---- pieces --------------------------------------------------------------------------------------- */

static size_t rspamc_frame(const struct server_peer *peer, struct slice bytes)
{
	const struct request *request = peer->state;

	if (!request || !request->head.complete)
		return head_frame(request ? &request->head : NULL, bytes);
	return bytes.n < request->left ? bytes.n : request->left;
}

static bool rspamc_answer(void *door, struct server_peer *peer, struct slice piece, struct text *answer)
{
	struct door_host *host = ((struct rspamc *)door)->host;
	struct request *request = peer->state ? peer->state : request_new(peer);
	enum gate_answer said;

	if (!request->head.complete) {
		if (head_take(&request->head, piece) != 0)
			return false;
		if (request->head.complete)
			request_begin(host, request);
	} else {
		incoming_take(&request->message, piece);
		request->left -= piece.n;
	}
	if (!request->head.complete || request->left > 0)
		return true;
	incoming_end(&request->message);
	said = gate_end(request->gate);
	request->unchanged = !answer_print(request->gate, said, request->message.received, answer);
	return false;
}

static void rspamc_answered(void *door, struct server_peer *peer, bool sent)
{
	struct request *request = peer->state;
	enum told_how how = request->unchanged ? TOLD_EDITS_FAILED : TOLD_AS_DECIDED;

	request_over(((struct rspamc *)door)->host, request, &(struct told){.how = sent ? how : TOLD_NOBODY});
}

static void rspamc_closed(void *door, struct server_peer *peer)
{
	struct request *request = peer->state;

	if (!request)
		return;
	request_over(((struct rspamc *)door)->host, request, NULL);
	incoming_free(&request->message);
	arena_free(request->head.arena);
	free(request);
	peer->state = NULL;
}

/* ---- the door ------------------------------------------------------------------------------------- */

const struct server_protocol rspamc_protocol = {.name = "rspamc",
						.request_max = PIECE_MAX,
						.frame_next = rspamc_frame,
						.answer = rspamc_answer,
						.answered = rspamc_answered,
						.closed = rspamc_closed};

static void *rspamc_open(struct door_host *host, int fd, struct error *err)
{
	struct rspamc *rspamc = xmalloc(sizeof(*rspamc));

	rspamc->host = host;
	rspamc->server = server_open(host, fd, &rspamc_protocol, rspamc, err);
	if (rspamc->server)
		return rspamc;
	free(rspamc);
	return NULL;
}

static int rspamc_start(void *state, struct error *err)
{
	return server_start(((struct rspamc *)state)->server, err);
}

static void rspamc_progress(void *state)
{
	server_relieve(((struct rspamc *)state)->server);
}

static bool rspamc_stop(void *state, int64_t until_us)
{
	return server_stop(((struct rspamc *)state)->server, until_us);
}

static void rspamc_close(void *state)
{
	struct rspamc *rspamc = state;

	server_close(rspamc->server);
	free(rspamc);
}

const struct door rspamc_door = {
    .name = "rspamc",
    .abilities = &abilities,
    .open = rspamc_open,
    .start = rspamc_start,
    .progress = rspamc_progress,
    .stop = rspamc_stop,
    .close = rspamc_close,
};
