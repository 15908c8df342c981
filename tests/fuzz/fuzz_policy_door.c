/*
 * fuzz_policy_door.c - any bytes as what a mail server sends to the policy door: each request gets one line with an
 * action that it knows.
 */
#include "fuzz.h"
#include "door_host.h"
#include "../../filter/doors/policy/policy_private.h"

static const char config[] = "list recent dynamic:30m\n"
			     "submission { port 587  clients recent }\n"
			     "policy inbound {\n"
			     "  on mail { reject 550 5.7.1 \"no %{sender} %{helo}\" if sender is @bad.example\n"
			     "            discard if sender is null\n"
			     "            quarantine \"%{helo}\" if helo is example.net }\n"
			     "  on rcpt { defer 451 4.7.1 \"later %{recipient}\" if recipient is @example.org } }\n"
			     "policy submission { on rcpt { accept if auth } }\n";

static void check_action(struct slice action)
{
	static const char *const words[] = {"DUNNO", "OK", "DISCARD", "HOLD ", "4", "5"};
	bool known = false;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		known |= slice_starts_nocase(action, slice_of(words[i]));
	must(known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sessions *sessions = sessions_new(door_host_with(config));
	struct slice rest = {(const char *)data, size};
	struct arena *arena = arena_new();
	struct policy_request request;
	uintptr_t last = 0;
	size_t n;

	for (unsigned i = 0; i < 50 && (n = request_frame(rest)) > 0 && n != FRAME_INVALID; i++) {
		struct text action;

		must(n <= rest.n);
		text_init(&action, arena, SERVER_ANSWER_MAX);
		if (request_parse(slice_head(rest, n), &request) == 0) {
			sessions_answer(sessions, &request, &last, &action);
			check_action(text_slice(&action));
		}
		rest = slice_from(rest, n);
	}
	arena_free(arena);
	sessions_free(sessions);
	return 0;
}
