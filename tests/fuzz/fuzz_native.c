/*
 * fuzz_native.c - all that an MTA says on a connection of the native milter door. The first byte says how the rest
 * arrives, and whether the rest is the bytes themselves or packets whose lengths are made right, so that more than the
 * lengths is tried. Whatever arrives, and however it is cut, the answers are packets, the same ones, and only those
 * that an MTA can expect; and nothing stays open.
 */
#include "fuzz.h"
#include "../unit/native_scene.h"

#include <sys/mman.h>
#include <unistd.h>

#define STREAM_MAX (256 * 1024)

static const char POLICY[] = "authserv-id mx.example.org\ncheck-tests no\n"
			     "policy inbound {\n"
			     "  on mail { reject 550 5.7.1 \"No\" \"%{sender}\"  if sender.domain is example.net }\n"
			     "  on rcpt { defer 451 4.7.1 \"Later\"  if recipient.domain is example.net }\n"
			     "  on message {\n"
			     "    quarantine \"%{header(Subject)}\"  if header(X-A) is \"a\"\n"
			     "    add-recipient \"c@example.org\"  if header(X-A) is \"b\"\n"
			     "    footer \"A footer\"  if header(X-A) is \"c\"\n"
			     "    prefix-subject \"[x] \"\n"
			     "  }\n"
			     "}\n"
			     "policy submission { on message { add-header X-Login \"%{auth.user}\" } }\n";

static const char ZONE[] = "pass.example.net TXT \"v=spf1 ip4:203.0.113.0/24 -all\"\nslow.example TIMEOUT\n";

static void begin(void)
{
	struct diagnostics *diagnostics = diagnostics_new();
	int fd = memfd_create("policy", 0);
	struct policy *policy;
	char path[64];

	must(fd >= 0 && write(fd, POLICY, sizeof(POLICY) - 1) == (ssize_t)sizeof(POLICY) - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	policy = policy_load(path, NULL, diagnostics);
	if (!policy)
		fputs(diagnostics_print(diagnostics), stderr);
	must(policy);
	diagnostics_free(diagnostics);
	native_scene_begin(policy, slice_of(ZONE));
}

/* LETTER LENGTH-BYTE DATA ... becomes packets. */
static size_t frame(const uint8_t *data, size_t size, char *stream)
{
	size_t n = 0, length;

	for (; size >= 2 && n + 300 < STREAM_MAX; data += 2 + length, size -= 2 + length) {
		length = data[1] < size - 2 ? data[1] : size - 2;
		n += packet_put(stream + n, (char)data[0], data + 2, length);
	}
	return n;
}

static int play(struct slice stream, size_t piece, struct out *out)
{
	struct dialog dialog;
	int result = 0;

	dialog_init(&dialog, &native_scene.host, &scene_mta);
	for (; stream.n > 0 && result == 0; stream = slice_from(stream, piece)) {
		result = dialog_take(&dialog, slice_head(stream, piece), out);
		must(dialog.partial_n <= PACKET_MAX + 4 && dialog.partial_room <= 2 * (size_t)PACKET_MAX + 16);
	}
	dialog_free(&dialog);
	must(native_scene.host.messages_open == 0 && native_scene.counters.sessions_open == 0);
	must(native_scene.counters.messages_open == 0);
	return result;
}

static void check_answers(struct slice answers)
{
	uint32_t length;

	for (; answers.n > 0; answers = slice_from(answers, 4 + length)) {
		must(answers.n >= 5);
		memcpy(&length, answers.p, 4);
		length = ntohl(length);
		must(length > 0 && length <= answers.n - 4 && answers.p[4] && strchr("Ocdstyime+-bq", answers.p[4]));
		if (answers.p[4] == 'y')
			must(length > 5 && (answers.p[5] == '4' || answers.p[5] == '5') &&
			     answers.p[3 + length] == '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char stream[STREAM_MAX];
	struct out whole = {NULL}, cut = {NULL};
	size_t n, piece;
	int result;

	if (!native_scene.engine)
		begin();
	if (size < 1 || size > STREAM_MAX)
		return 0;
	piece = 1 + (data[0] >> 1);
	if (data[0] & 1) {
		n = frame(data + 1, size - 1, stream);
	} else {
		n = size - 1;
		memcpy(stream, data + 1, n);
	}
	native_scene.gone = false;
	result = play((struct slice){stream, n}, STREAM_MAX, &whole);
	must(play((struct slice){stream, n}, piece, &cut) == result);
	must(slice_equal((struct slice){whole.p, whole.n}, (struct slice){cut.p, cut.n}));
	check_answers((struct slice){whole.p, whole.n});
	out_free(&whole);
	out_free(&cut);
	return 0;
}
