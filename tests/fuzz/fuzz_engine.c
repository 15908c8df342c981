/*
 * fuzz_engine.c - the bytes choose a policy file, which always compiles, and what a mail server tells of one or two
 * messages. Whatever is chosen, the engine answers with what a mail server can use: replies that fit a line, changes
 * in their order and without line ends of strangers, and a record that fits its limit.
 */
#include "engine.h"
#include "written_policy.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what must be true ------------------------------------------------------------------ */

static void check_reply(const struct reply *reply)
{
	must(reply && reply->code >= 400 && reply->code <= 599);
	must(reply->enhanced.n > 0 && (unsigned)(reply->enhanced.p[0] - '0') == reply->code / 100);
	must(reply->line_count > 0 && reply->line_count <= REPLY_LINES_MAX);
	for (size_t i = 0; i < reply->line_count; i++) {
		must(reply->lines[i].n <= REPLY_LINE_MAX);
		for (size_t j = 0; j < reply->lines[i].n; j++)
			must(reply->lines[i].p[j] >= ' ' && reply->lines[i].p[j] <= '~');
	}
}

static void check_answer(const struct gate *gate, enum gate_answer answer)
{
	must(answer <= GATE_DISCARD);
	if (answer == GATE_REFUSE)
		check_reply(gate_reply(gate));
}

/* No line end but that of folding, and no line that a reader could take for the end of the header. */
static void check_value(struct slice value)
{
	struct slice line;
	bool first = true;

	while (slice_cut(&value, '\n', &line)) {
		must(slice_find(line, '\0') < 0 && slice_find(line, '\r') < 0);
		must(first || (slice_trim(line).n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')));
		first = false;
	}
}

static void check_name(struct slice name)
{
	must(name.n > 0);
	for (size_t i = 0; i < name.n; i++)
		must(name.p[i] > ' ' && name.p[i] <= '~' && name.p[i] != ':');
}

static void check_address(struct slice address)
{
	must(address.n >= 2 && address.p[0] == '<' && address.p[address.n - 1] == '>');
	for (size_t i = 1; i + 1 < address.n; i++)
		must((unsigned char)address.p[i] >= ' ' && address.p[i] != 0x7f);
}

static int change_rank(enum change_kind kind)
{
	return kind <= CHANGE_REPLACE ? 0 : kind == CHANGE_BODY ? 4 : kind >= CHANGE_SENDER ? 3 : (int)kind;
}

static void check_change(const struct change *change)
{
	if (change->kind == CHANGE_DELETE || change->kind == CHANGE_REPLACE)
		must(change->index > 0);
	if (change->kind == CHANGE_INSERT || change->kind == CHANGE_APPEND)
		check_name(change->name);
	if (change->kind >= CHANGE_REPLACE && change->kind <= CHANGE_APPEND)
		check_value(change->value);
	if (change->kind == CHANGE_SENDER || change->kind == CHANGE_ADD_RECIPIENT)
		check_address(change->value);
}

static void check_changes(const struct gate *gate, unsigned can, struct text *told)
{
	size_t count;
	const struct change *changes = gate_changes(gate, &count);
	const struct slice *quarantine = gate_quarantine(gate);

	for (size_t i = 0; i < count; i++) {
		must(changes[i].kind < CHANGE_COUNT && (can & (1u << changes[i].kind)));
		must(i == 0 || change_rank(changes[i - 1].kind) <= change_rank(changes[i].kind));
		check_change(&changes[i]);
		text_printf(told, "%s %.*s\n", change_names[changes[i].kind], SLICE_ARGS(changes[i].name));
		for (size_t j = 0; j < i && changes[i].kind <= CHANGE_REPLACE; j++)
			must(!slice_equal_nocase(changes[j].name, changes[i].name) ||
			     changes[j].index > changes[i].index);
	}
	for (size_t i = 0; quarantine && i < quarantine->n; i++)
		must((unsigned char)quarantine->p[i] >= ' ' && quarantine->p[i] != 0x7f);
}

static void check_record(const struct record *record, size_t limit, struct arena *arena)
{
	char *line;
	json_t *json;

	must(record && record->verdict.n > 0);
	line = record_line(record, limit, arena);
	must(strlen(line) <= limit && !strchr(line, '\n'));
	json = json_loads(line, 0, NULL);
	must(json_is_object(json));
	json_decref(json);
}

static void done(struct gate *gate, enum told_how how, struct bytes *bytes)
{
	const struct record *record;

	gate_done(gate, &(struct told){.how = how});
	record = gate_record(gate);
	check_record(record, RECORD_LINE_MAX, bytes->arena);
	check_record(record, RECORD_SYSLOG_MAX, bytes->arena);
	text_printf(bytes->told, "%.*s, %zu notes, score %" PRId64 "\n", SLICE_ARGS(record->verdict),
		    record->note_count, record->score);
}

/* ---- what the mail server says -------------------------------------------------------------- */

static const char zone[] =
    "example.org TXT \"v=spf1 ip4:203.0.113.0/24 exp=why.example.org -all\"\n"
    "why.example.org TXT \"%{s} is not from %{i}\"\n"
    "example.net TXT \"v=spf1 include:example.org ?all\"\nexample.net MX 10 mx.example.net\n"
    "mx.example.net A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR mx.example.net\n"
    "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n_dmarc.example.net TXT \"v=DMARC1; p=none\"\n"
    "slow.example TIMEOUT\nbad.example TXT SERVFAIL\n";

static const char *const paths[] = {
    "<a@example.org>",    "<b@example.net>",         "<>", "<c@slow.example>", "<d+x@bad.example>",
    "<@r:e@example.org>", "<\"q\\\"\"@example.net>", "f"};

static struct slice path(struct bytes *bytes)
{
	return pick(bytes, 4) == 3 ? raw(bytes, 40) : slice_of(PICK(bytes, paths));
}

static void say_session(struct gate *gate, struct bytes *bytes, enum written_head head)
{
	static const char *const clients[] = {"203.0.113.9", "192.0.2.1", "2001:db8::1", "127.0.0.1"};
	static const char *const helos[] = {"mx.example.net", "slow.example", "[192.0.2.1]", "mx.example.org"};
	struct connection connection = {.client_port = 40000};
	const char *client = head == FOR_LOCAL ? "127.0.0.1" : PICK(bytes, clients);

	must(ip_parse(slice_of(client), &connection.client) == 0);
	connection.daemon_port = head == FOR_SUBMISSION ? 587 : 25;
	connection.daemon_name = head == FOR_TENANT ? SLICE("acme") : SLICE("");
	connection.local_program = pick(bytes, 8) == 7;
	connection.client_name = pick(bytes, 2) ? raw(bytes, 30) : SLICE("");
	gate_connect(gate, &connection);
	gate_helo(gate, pick(bytes, 5) == 4 ? raw(bytes, 30) : slice_of(PICK(bytes, helos)));
	if (pick(bytes, 2))
		gate_tls(gate, SLICE("TLSv1.3"), raw(bytes, 10));
	if (pick(bytes, 6) == 5)
		gate_auth(gate, pick(bytes, 2) ? SLICE("a@example.org") : raw(bytes, 20), SLICE("PLAIN"));
}

static void say_header(struct gate *gate, struct bytes *bytes)
{
	static const struct {
		const char *name, *value;
	} fields[] = {
	    {"From", " Alice <a@example.org>"},
	    {"From", " \"x\" <a(c)@example.org> ; b@sub.example.org"},
	    {"Subject", " =?utf-8?q?h=C3=BC?= [t] hello"},
	    {"To", " a@example.org,B. C <@r:b@example.net>; (c) g: d ;"},
	    {"Cc", " =?utf-8?q?h=28?= <b@example.net>,=?utf-8?b?w7w=?= =?utf-8?b?w7w=?= <c@example.net>"},
	    {"Authentication-Results", " mx.example.org; spf=pass"},
	    {"DKIM-Signature", " v=1; a=rsa-sha256; d=example.org; s=s; h=from; bh=AA==; b=AA=="},
	    {"Received", " from x (mx.example.net [192.0.2.9]) by mx.example.net; Fri, 1 Jan 2027 00:00:00 +0000"},
	    {"Content-Type", " multipart/mixed; boundary=b"},
	    {"Content-Type", " text/html; charset=utf-8"},
	    {"Content-Transfer-Encoding", " base64"},
	    {"X-A", " new@example.org"},
	    {"Date", " Fri, 1 Jan 2027 00:00:00 +0000"},
	};

	for (unsigned i = pick(bytes, 16); i > 0; i--) {
		unsigned at = pick(bytes, COUNT(fields)), how = pick(bytes, 8);
		struct slice name = how == 7 ? raw(bytes, 20) : slice_of(fields[at].name);

		gate_header(gate, name, how >= 5 ? raw(bytes, 120) : slice_of(fields[at].value));
	}
}

static void say_body(struct gate *gate, struct bytes *bytes)
{
	static const char *const lines[] = {"--b\r\n",  "--b--\r\n",   "Content-Type: text/html\r\n\r\n",
					    "\r\n",     "</body>\r\n", "Content-Transfer-Encoding: base64\r\n\r\n",
					    "hello\r\n"};

	for (unsigned i = pick(bytes, 16); i > 0; i--)
		gate_body(gate, pick(bytes, 3) == 2 ? raw(bytes, 80) : slice_of(PICK(bytes, lines)));
}

static void say_message(struct gate *gate, struct bytes *bytes, unsigned can)
{
	enum gate_answer answer =
	    gate_mail(gate, path(bytes), pick(bytes, 4) ? MADE_UNKNOWN : path(bytes), pick(bytes, 2));

	check_answer(gate, answer);
	if (answer != GATE_CONTINUE) {
		done(gate, TOLD_AS_DECIDED, bytes);
		return;
	}
	for (unsigned i = pick(bytes, 6); i > 0; i--)
		check_answer(gate, gate_rcpt(gate, path(bytes), pick(bytes, 4) ? MADE_UNKNOWN : path(bytes)));
	if (pick(bytes, 10) == 9) {
		gate_abort(gate);
		check_record(gate_record(gate), RECORD_LINE_MAX, bytes->arena);
		return;
	}
	gate_queue_id(gate, pick(bytes, 2) ? SLICE("4Q1") : raw(bytes, 20));
	say_header(gate, bytes);
	say_body(gate, bytes);
	answer = gate_end(gate);
	check_answer(gate, answer);
	if (answer == GATE_CONTINUE)
		check_changes(gate, can, bytes->told);
	done(gate, (enum told_how)pick(bytes, TOLD_NOBODY + 1), bytes);
}

/* What a door can do, or less. */
static struct abilities pick_abilities(struct bytes *bytes)
{
	struct abilities abilities = abilities_all;
	unsigned less = pick(bytes, 8);

	abilities.reply_mail = !(less & 1);
	abilities.reply_rcpt = !(less & 2);
	abilities.quarantine = less < 4;
	if (less == 7)
		abilities.changes &= ~(1u << pick(bytes, CHANGE_COUNT));
	return abilities;
}

static void say_all(struct engine *engine, struct bytes *bytes, enum written_head head)
{
	struct abilities abilities = pick_abilities(bytes);
	struct gate *gate = gate_open(engine, &abilities);

	gate_time(gate, INT64_C(1800000000) * 1000000);
	say_session(gate, bytes, head);
	for (unsigned i = 1 + pick(bytes, 2); i > 0; i--)
		say_message(gate, bytes, abilities.changes);
	if (pick(bytes, 4) == 3)
		gate_mail(gate, SLICE("<left@example.org>"), MADE_UNKNOWN, false);
	gate_close(gate);
}

/* ---- the engine ------------------------------------------------------------------------------- */

static int file_of(struct slice text)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	must(fd >= 0 && fchmod(fd, 0600) == 0);
	must(write(fd, text.p, text.n) == (ssize_t)text.n);
	return fd;
}

static struct policy *load(struct slice text, enum policy_reader reader, struct arena *arena, struct slice *layout_r)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct slice before;
	struct policy *policy;
	char name[64];
	int fd = file_of(text);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	policy = policy_load_as(reader, name, diagnostics);
	if (!policy)
		fprintf(stderr, "%.*s\n%s", SLICE_ARGS(text), diagnostics_print(diagnostics));
	must(policy);
	must(policy_format(name, arena, diagnostics, &before, layout_r) == 0);
	diagnostics_free(diagnostics);
	close(fd);
	return policy;
}

static void run(struct policy *policy, struct bytes said, struct text *told, enum written_head head)
{
	struct error err;
	struct counters counters = {0};
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "fuzz", &err);
	struct store *store = engine_trial_store(policy);
	struct engine *engine;

	must(resolver);
	engine = engine_new(policy, resolver, NULL, &counters);
	engine_lend_store(engine, store);
	said.told = told;
	say_all(engine, &said, head);
	engine_release(engine);
	store_close(store);
	resolver_release(resolver);
	must(counters.sessions_open == 0 && counters.messages_open == 0);
}

/* In the layout of fmt the file has the same rules, and the same comes of them. */
static void check_layout(const struct policy *policy, struct slice layout, struct bytes said, const struct text *told,
			 enum written_head head)
{
	struct policy *again = load(layout, POLICY_DAEMON, said.arena, &layout);
	struct text told_again;

	must(policy_rules(again) == policy_rules(policy) && policy_needs(again) == policy_needs(policy));
	text_init(&told_again, said.arena, POLICY_MAX);
	run(again, said, &told_again, head);
	must(slice_equal(text_slice(&told_again), text_slice(told)));
	policy_release(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int lists[3], key;
	struct arena *arena = arena_new();
	/* The first half is for the policy, so that something is left to say. */
	struct bytes bytes = {data, size / 2, arena, NULL}, said = {data + size / 2, size - size / 2, arena, NULL};
	struct text text, told;
	struct slice layout;
	struct writer writer = {.bytes = &bytes, .out = &text};
	struct policy *policy;

	if (key == 0) {
		lists[0] = file_of(SLICE("a@example.org\n@example.net\n.example.org\n192.0.2.0/24\n"));
		lists[1] = file_of(SLICE("192.0.2.1\n2001:db8::/32\n"));
		lists[2] = file_of(SLICE("a@example.org: a@example.org @example.net\n"));
		key = file_of(SLICE("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"));
	}
	writer.lists[0] = (unsigned)lists[0];
	writer.lists[1] = (unsigned)lists[1];
	writer.lists[2] = (unsigned)lists[2];
	writer.key = (unsigned)key;
	text_init(&told, arena, POLICY_MAX);
	text_init(&text, arena, POLICY_MAX);
	write_policy(&writer);
	must(!text.cut);
	policy = load(text_slice(&text), pick(&bytes, 2) ? POLICY_CHECK : POLICY_DAEMON, arena, &layout);
	run(policy, said, &told, writer.head);
	if (pick(&bytes, 4) == 3)
		check_layout(policy, layout, said, &told, writer.head);
	policy_release(policy);
	arena_free(arena);
	return 0;
}
