/*
 * fuzz_queue.c - any bytes as what `sekisho queue` reads: an envelope, a message, and what answers in the place of the
 * milter; a byte 0xff ends each of the first two. What is queued has the fields that the changes leave, and no other.
 */
#include "fuzz.h"
#include "../../filter/doors/client/client_private.h"
#include "../../filter/doors/queue/queue_private.h"

static struct slice cut(struct slice *rest)
{
	ptrdiff_t end = slice_find(*rest, (char)0xff);
	struct slice part = end < 0 ? *rest : slice_head(*rest, (size_t)end);

	*rest = slice_from(*rest, part.n + 1);
	return part;
}

/* ---- the envelope ------------------------------------------------------------------------------------ */

/* What was read is what is written, up to the NUL at its end. */
static void envelope_same(const struct envelope *envelope, struct slice bytes, struct arena *arena)
{
	struct slice printed = arena_join(arena, envelope_print(envelope, arena), ((struct slice){"", 1}));

	must(slice_equal(printed, slice_head(bytes, printed.n)));
}

static int envelope_look(struct slice bytes, struct arena *arena, struct envelope *envelope_r)
{
	struct error err;
	int code = envelope_parse(bytes, arena, envelope_r, &err);

	must(code == 0 || code == QUEUE_READ || code == QUEUE_ENVELOPE || code == QUEUE_ADDRESS_LONG);
	if (code == 0)
		envelope_same(envelope_r, bytes, arena);
	return code;
}

/* ---- the message --------------------------------------------------------------------------------------- */

static bool keep(void *text, struct slice bytes)
{
	text_add(text, bytes);
	return true;
}

static struct slice written(const struct letter *letter, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, 64 * 1024 * 1024);
	must(letter_write(letter, keep, &text));
	return text_slice(&text);
}

static size_t fields_of(const struct letter *letter)
{
	size_t count = 0;

	for (const struct field *field = letter->fields; field; field = field->next)
		count++;
	return count;
}

/* A message that was not changed is the same, but for an end of the header that it lacked. */
static void letter_same(const struct letter *letter, struct slice bytes, struct arena *arena)
{
	struct slice again = written(letter, arena);
	bool complete = letter->separated || (letter->body.n == 0 && (bytes.n == 0 || bytes.p[bytes.n - 1] == '\n'));

	if (complete)
		must(slice_equal(again, bytes));
	must(again.n >= bytes.n && again.n <= bytes.n + 2);
	must(slice_ends_nocase(again, letter->body));
}

/* ---- the answers ------------------------------------------------------------------------------------------ */

static void answers_take(struct slice rest, struct taking *taking)
{
	struct answer reply;
	struct error err;

	for (unsigned i = 0; i < 200 && rest.n >= PACKET_HEAD; i++) {
		uint32_t length = packet_number_at(rest, 0);
		struct slice data;

		if (length == 0 || length > rest.n - 4)
			return;
		data = (struct slice){rest.p + PACKET_HEAD, length - 1};
		if (rest.p[4] == 'y' && take_reply(data, taking->arena, &reply) == 0)
			must(reply.code >= 400 && reply.code <= 599 && reply.enhanced.n <= 9);
		else if (take_request(taking, rest.p[4], data, &err) != 0)
			must(err.text[0]);
		rest = slice_from(rest, 4 + length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, envelope_bytes = cut(&rest), bytes = cut(&rest);
	struct arena *arena = arena_new();
	struct taking taking = {.arena = arena};
	struct envelope envelope;
	struct letter letter, again;
	int code = envelope_look(envelope_bytes, arena, &envelope);

	if (letter_split(bytes, arena, &letter) == 0) {
		letter_same(&letter, bytes, arena);
		answers_take(rest, &taking);
		for (size_t i = 0; i < taking.count; i++)
			letter_change(&letter, &taking.changes[i], arena);
		letter.new_body = taking.body;
		must(letter_split(written(&letter, arena), arena, &again) == 0);
		must(fields_of(&again) == fields_of(&letter));
	}
	if (code == 0) {
		const struct answer answer = {.changes = taking.changes, .change_count = taking.count};

		envelope_apply(&envelope, &answer, arena);
		envelope_look(arena_join(arena, envelope_print(&envelope, arena), ((struct slice){"", 1})), arena,
			      &envelope);
	}
	arena_free(arena);
	return 0;
}
