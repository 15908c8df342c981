/*
 * fuzz_rspamc.c - any bytes as what Exim sends to the rspamc door, in pieces of a size that the input says: no answer,
 * or one that Exim's spam condition and the ACL of conf/exim.conf can read, and the same one in any pieces.
 */
#include "fuzz.h"
#include "../unit/rspamc_scene.h"

static const char config[] =
    "authserv-id mx.example.org\n"
    "authentication-results { auth }\n"
    "policy inbound {\n"
    "  on mail { reject 550 5.7.1 \"no %{sender} %{helo}\" if sender is @bad.example }\n"
    "  on rcpt { defer 451 4.7.1 \"later %{recipient}\" if recipient is later@example.org }\n"
    "  on message {\n"
    "    reject 550 5.7.1 \"no %{header(Subject)}\" \"%{message-id}\" if header(X-Refuse) is not \"\"\n"
    "    discard if header(X-Drop) is \"yes\"\n"
    "    delete-header Received X-A matching \"x\"\n"
    "    replace-header X-R \"%{header(Subject)}\" if header(X-R) is not \"\"\n"
    "    add-header X-End \"%{header(Subject)}\" bottom if header(X-End) is \"\"\n"
    "    add-header X-Size \"%{size} %{recipients}\" } }\n";

/* Lines that end in CRLF: the two that Exim reads, the action, then what the ACL knows. */
static void check_answer(struct slice answer)
{
	static const char *const words[] = {"Reply: ", "Size: ", "Remove: ", "Append: ", "Add: ", "\t"};
	const size_t count = sizeof(words) / sizeof(words[0]);
	struct slice line;
	size_t number = 0, last = 0;

	must(answer.n <= ANSWER_MAX && memchr(answer.p, '\0', answer.n) == NULL);
	must(slice_ends_nocase(answer, SLICE("\r\n")));
	while (slice_cut(&answer, '\n', &line) && (line.n > 0 || answer.p)) {
		must(slice_ends_nocase(line, SLICE("\r")) && slice_find(slice_head(line, line.n - 1), '\r') < 0);
		if (number == 0)
			must(slice_equal(line, SLICE("RSPAMD/1.3 0 EX_OK\r")));
		if (number == 1)
			must(slice_starts_nocase(line, SLICE("Metric: default; ")));
		if (number == 2)
			must(slice_starts_nocase(line, SLICE("Action: ")) && line.n <= 31);
		if (number++ < 3)
			continue;
		for (size_t i = 0; i < count; i++)
			if (slice_starts_nocase(line, slice_of(words[i]))) {
				must(i == count - 1 || i >= last); /* in this order */
				last = i == count - 1 ? last : i;
				line.n = 0;
			}
		must(line.n == 0);
	}
	must(number >= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct served served, whole;
	struct door_host *host = door_host_with(config);
	struct slice bytes = {(const char *)data, size};
	size_t piece = 1 + size % 97;

	serve(host, bytes, piece, true, &served);
	serve(host, bytes, SIZE_MAX, false, &whole);
	must(host->messages_open == 0);
	must(served.answered == whole.answered && served.n == whole.n &&
	     memcmp(served.answer, whole.answer, whole.n) == 0);
	if (whole.answered)
		check_answer((struct slice){whole.answer, whole.n});
	return 0;
}
