/*
 * The packets of the native milter door: what an MTA sends is answered the same however the bytes arrive, and what no
 * MTA sends ends the session before it costs anything.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "native_scene.h"
#include "policy_text.h"
#include <malloc.h>

#define ROOM 65536

static const char POLICY[] = "authserv-id mx.example.org\n"
			     "policy inbound {\n"
			     "  on mail { reject 550 5.7.1 \"No\" \"never\"  if sender.domain is bad.example }\n"
			     "  on rcpt { defer 451 4.7.1 \"Later\"  if recipient.domain is later.example }\n"
			     "  on message {\n"
			     "    add-header X-Login \"%{auth.user}\"  if auth\n"
			     "    prefix-subject \"[x] \"\n"
			     "    quarantine \"held\"  if header(\"Subject\") is \"odd\"\n"
			     "  }\n"
			     "}\n"
			     "policy submission { on message { add-header X-Login \"%{auth.user}\" } }\n";

struct script {
	char bytes[ROOM];
	size_t n;
};

static void say(struct script *script, char letter, const void *data, size_t n)
{
	assert_true(script->n + n + 5 <= ROOM);
	script->n += packet_put(script->bytes + script->n, letter, data, n);
}

#define SAY(script, letter, literal) say(script, letter, literal, sizeof(literal) - 1)

/* Everything is offered. */
#define OFFER "\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"

static void say_greeting(struct script *script)
{
	SAY(script, 'O', OFFER);
	SAY(script, 'D', "Cj\0mx.example.org\0{daemon_name}\0MX\0{daemon_port}\00025\0");
	SAY(script, 'C',
	    "mail.example.net\0004\x10\xe1"
	    "203.0.113.5\0");
	SAY(script, 'D', "H");
	SAY(script, 'H', "mail.example.net\0");
}

static void say_content(struct script *script)
{
	SAY(script, 'D', "Li\0id1\0");
	SAY(script, 'L', "From\0 a@good.example\0");
	SAY(script, 'L', "Subject\0 hello\0");
	SAY(script, 'N', "");
	SAY(script, 'B', "Hello.\r\n");
	SAY(script, 'E', "");
}

/* The answers to the script when the bytes come in pieces of that size, and what the session returned at last. */
static int play(const struct script *script, size_t piece, struct out *out)
{
	struct dialog dialog;
	int result = 0;

	*out = (struct out){NULL};
	dialog_init(&dialog, &native_scene.host, &scene_mta);
	for (size_t at = 0; at < script->n && result == 0; at += piece)
		result =
		    dialog_take(&dialog, slice_head((struct slice){script->bytes + at, script->n - at}, piece), out);
	dialog_free(&dialog);
	assert_int_equal(native_scene.host.messages_open, 0);
	return result;
}

static void assert_letters(const struct script *script, const char *expected)
{
	char letters[64];
	struct out out;

	assert_int_equal(play(script, ROOM, &out), 0);
	assert_true(packet_letters((struct slice){out.p, out.n}, letters, sizeof(letters)));
	assert_string_equal(letters, expected);
	out_free(&out);
}

static struct script script;

static void begin(void)
{
	memset(&script, 0, sizeof(script));
	say_greeting(&script);
}

static void answers_are_the_same_however_the_bytes_arrive(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 4, 5, 6, 7, 11, 64, 1000};
	struct out whole, out;

	(void)state;
	begin();
	for (int i = 0; i < 2; i++) {
		SAY(&script, 'D', "M{auth_authen}\0alice\0{mail_addr}\0a@good.example\0");
		SAY(&script, 'M', "<a@good.example>\0SIZE=100\0");
		SAY(&script, 'R', "<b@later.example>\0");
		SAY(&script, 'R', "<b@example.org>\0");
		say_content(&script);
		SAY(&script, 'A', "");
	}
	SAY(&script, 'M', "<a@bad.example>\0");
	assert_int_equal(play(&script, ROOM, &whole), 0);
	assert_true(whole.n > 100);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		assert_int_equal(play(&script, pieces[i], &out), 0);
		assert_int_equal(out.n, whole.n);
		assert_memory_equal(out.p, whole.p, whole.n);
		out_free(&out);
	}
	out_free(&whole);
}

static void each_step_has_its_answer(void **state)
{
	(void)state;
	begin();
	SAY(&script, 'M', "<a@good.example>\0");
	SAY(&script, 'R', "<b@example.org>\0");
	say_content(&script);
	assert_letters(&script, "Occmic");
	begin();
	SAY(&script, 'M', "<a@bad.example>\0");
	SAY(&script, 'A', "");
	SAY(&script, 'M', "<a@good.example>\0");
	SAY(&script, 'R', "<b@later.example>\0");
	SAY(&script, 'R', "<b@example.org>\0");
	SAY(&script, 'L', "Subject\0 odd\0");
	SAY(&script, 'E', "the last piece");
	assert_letters(&script, "Oycycmiqc");
	begin();
	SAY(&script, 'E', ""); /* no message is open */
	assert_letters(&script, "Ot");
}

static void a_reply_has_all_its_lines(void **state)
{
	static const char reply[] = "550-5.7.1 No\r\n550 5.7.1 never";
	struct out out;

	(void)state;
	begin();
	SAY(&script, 'M', "<a@bad.example>\0");
	assert_int_equal(play(&script, ROOM, &out), 0);
	assert_true(out.n > sizeof(reply));
	assert_memory_equal(out.p + out.n - sizeof(reply), reply, sizeof(reply));
	out_free(&out);
}

static void an_mta_that_knows_no_silence_gets_an_answer_to_each_command(void **state)
{
	(void)state;
	memset(&script, 0, sizeof(script));
	SAY(&script, 'O', "\0\0\0\2\0\0\0\x3f\0\0\0\x7f");
	SAY(&script, 'C', "mail.example.net\0U");
	SAY(&script, 'H', "mail.example.net\0");
	SAY(&script, 'M', "<a@good.example>\0");
	SAY(&script, 'R', "<b@example.org>\0");
	SAY(&script, 'L', "From\0a@good.example\0");
	SAY(&script, 'N', "");
	SAY(&script, 'B', "Hello.\r\n");
	SAY(&script, 'E', "");
	assert_letters(&script, "Occccccciic");
}

/* A macro of one command is not taken for that of the next. */
static void macros_live_as_long_as_they_are_true(void **state)
{
	struct macros macros = {{NULL}};

	(void)state;
	macros_take(&macros, SLICE("C{daemon_name}\0MX\0{client_name}\0c\0"), true);
	macros_take(&macros, SLICE("H{tls_version}\0TLSv1.3\0unread\0x\0"), true);
	macros_take(&macros, SLICE("Mi\0id\0{auth_authen}\0alice\0"), true);
	assert_string_equal(macros_find(&macros, "{daemon_name}"), "MX");
	assert_string_equal(macros_find(&macros, "{tls_version}"), "TLSv1.3");
	assert_string_equal(macros_find(&macros, "i"), "id");
	assert_null(macros_find(&macros, "unread"));
	macros_take(&macros, SLICE("H"), true); /* STARTTLS did not happen after all */
	assert_null(macros_find(&macros, "{tls_version}"));
	assert_null(macros_find(&macros, "{auth_authen}"));
	assert_string_equal(macros_find(&macros, "{daemon_name}"), "MX");
	macros_take(&macros, SLICE("Ei\0late\0"), false);
	assert_null(macros_find(&macros, "i"));
	macros_take(&macros, SLICE("E{i}\0late\0"), true);
	assert_string_equal(macros_find(&macros, "i"), "late");
	macros_take(&macros, SLICE("C{daemon_name}\0cut"), true);
	assert_string_equal(macros_find(&macros, "{daemon_name}"), "cut");
	macros_take(&macros, SLICE("Ci\0"), true);
	assert_string_equal(macros_find(&macros, "i"), "");
	macros_take(&macros, SLICE("C{daemon_nama}\0x\0\0y\0i"), true); /* nearly a name, no name, no value */
	assert_null(macros_find(&macros, "{daemon_name}"));
	assert_null(macros_find(&macros, "i"));
	macros_drop(&macros, SET_CONNECT);
}

/* What one packet may keep is bounded. */
static void macros_that_are_repeated_do_not_take_all_memory(void **state)
{
	static char packet[64 * 1024] = "C";
	size_t n = 1;
	struct macros macros = {{NULL}};

	(void)state;
	while (n + 2 + MACRO_MAX < sizeof(packet)) {
		memcpy(packet + n, "i", 2);
		memset(packet + n + 2, 'x', MACRO_MAX - 1);
		n += 2 + MACRO_MAX;
	}
	macros_take(&macros, (struct slice){packet, n}, true);
	assert_int_equal(strlen(macros_find(&macros, "i")), MACRO_MAX - 1);
	assert_true(malloc_usable_size(macros.sets[SET_CONNECT]) < 2 * 16 * 1024);
	macros_drop(&macros, SET_CONNECT);
}

/* Every macro that the steps ask for is kept. */
static void every_macro_that_is_asked_for_is_kept(void **state)
{
	char packet[128] = "C";
	struct slice rest, name;

	(void)state;
	for (unsigned i = 0; i < MACRO_STEPS; i++) {
		rest = slice_of(macros_asked[i]);
		while (slice_word(&rest, &name)) {
			struct macros macros = {{NULL}};
			char text[64];

			snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(name));
			snprintf(packet + 1, sizeof(packet) - 1, "%s%cvalue", text, '\0');
			macros_take(&macros, (struct slice){packet, 1 + name.n + 1 + 6}, true);
			assert_non_null(macros_find(&macros, text));
			macros_drop(&macros, SET_CONNECT);
		}
	}
}

static void what_no_mta_sends_ends_the_session(void **state)
{
	static const struct slice packets[] = {
	    SLICE("\0\0\0\0"),      SLICE("\xff\xff\xff\xffL"), SLICE("\x7f\xff\xff\xff"), SLICE("\0\0\0\1?"),
	    SLICE("\0\0\0\1\xff"),  SLICE("\0\0\0\1C"),         SLICE("\0\0\0\1M"),        SLICE("\0\0\0\4L\0\0\0"),
	    SLICE("\0\0\0\4Lab\0"), SLICE("\0\0\0\3Hab"),       SLICE("\0\0\0\1Q"),        SLICE("\0\0\0\4Ca\0?"),
	};
	struct out out;

	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		for (size_t piece = 1; piece < 8; piece += 6) {
			begin();
			memcpy(script.bytes + script.n, packets[i].p, packets[i].n);
			script.n += packets[i].n;
			assert_int_equal(play(&script, piece, &out), -1);
			out_free(&out);
		}
	memset(&script, 0, sizeof(script)); /* before the negotiation */
	SAY(&script, 'H', "mail.example.net\0");
	assert_int_equal(play(&script, ROOM, &out), -1);
	out_free(&out);
}

static void memory_follows_what_arrives_and_not_what_is_announced(void **state)
{
	struct dialog dialog;
	struct out out = {NULL};

	(void)state;
	begin();
	dialog_init(&dialog, &native_scene.host, &scene_mta);
	assert_int_equal(dialog_take(&dialog, (struct slice){script.bytes, script.n}, &out), 0);
	assert_int_equal(dialog_take(&dialog, SLICE("\0\x0f\xff\xffLname"), &out), 0); /* a field of a megabyte */
	assert_true(dialog.partial_room < 64);
	assert_false(dialog_is_idle(&dialog));
	dialog_free(&dialog);
	dialog_init(&dialog, &native_scene.host, &scene_mta);
	assert_int_equal(dialog_take(&dialog, (struct slice){script.bytes, script.n}, &out), 0);
	assert_int_equal(dialog_take(&dialog,
				     SLICE("\0\0\xff\xff"
					   "Babc"),
				     &out),
			 0); /* a body is passed on */
	assert_int_equal(dialog.partial_room, 0);
	assert_int_equal(dialog.body_left, 0xfffe - 3);
	dialog_free(&dialog);
	out_free(&out);
}

static void one_connection_serves_several_sessions(void **state)
{
	(void)state;
	native_scene.engines = 0;
	begin();
	SAY(&script, 'M', "<a@good.example>\0");
	SAY(&script, 'K', "");
	SAY(&script, 'C', "mail.example.net\0L\0\0/path\0");
	SAY(&script, 'H', "mail.example.net\0");
	SAY(&script, 'M', "<a@good.example>\0");
	SAY(&script, 'R', "<b@example.org>\0");
	say_content(&script);
	assert_letters(&script, "Occcc");
	assert_int_equal(native_scene.engines, 1); /* a new policy could want what was not negotiated */
}

static void an_mta_that_has_gone_was_told_nothing(void **state)
{
	(void)state;
	assert_int_equal(native_scene.counters.messages_open, 0);
	assert_int_equal(native_scene.counters.sessions_open, 0);
}

static int set_up(void **state)
{
	if (enter_directory(state) != 0)
		return -1;
	write_text("t", POLICY);
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy = policy_load("t", NULL, diagnostics);
	if (!policy)
		die("%s", diagnostics_print(diagnostics));
	diagnostics_free(diagnostics);
	native_scene_begin(policy, SLICE(""));
	return 0;
}

static int tear_down(void **state)
{
	native_scene_end();
	return leave_directory(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_are_the_same_however_the_bytes_arrive),
	    cmocka_unit_test(each_step_has_its_answer),
	    cmocka_unit_test(a_reply_has_all_its_lines),
	    cmocka_unit_test(an_mta_that_knows_no_silence_gets_an_answer_to_each_command),
	    cmocka_unit_test(macros_live_as_long_as_they_are_true),
	    cmocka_unit_test(macros_that_are_repeated_do_not_take_all_memory),
	    cmocka_unit_test(every_macro_that_is_asked_for_is_kept),
	    cmocka_unit_test(what_no_mta_sends_ends_the_session),
	    cmocka_unit_test(memory_follows_what_arrives_and_not_what_is_announced),
	    cmocka_unit_test(one_connection_serves_several_sessions),
	    cmocka_unit_test(an_mta_that_has_gone_was_told_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
