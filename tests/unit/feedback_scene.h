/*
 * feedback_scene.h - reports of others, packed in archives and mail, and what is told of them as a text.
 */
#ifndef SEKISHO_TEST_FEEDBACK_SCENE_H
#define SEKISHO_TEST_FEEDBACK_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "feedback.h"
#include <stdlib.h>
#include <zlib.h>

/* ---- what comes out, as a text --------------------------------------------------------- */

static const char *const result_names[] = {"none",    "pass",      "fail",      "softfail", "policy",
					   "neutral", "temperror", "permerror", "?"};
static const char *const disposition_names[] = {"none", "quarantine", "reject", "?"};

/* Records that are not followed by their report do not count: they are taken back. */
struct scene {
	struct text text;
	size_t counted;
};

static inline void told_auth(struct text *told, const char *what, const struct feedback_auth *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_printf(told, " %s=%.*s:%s", what, SLICE_ARGS(results[i].domain), result_names[results[i].result]);
}

static inline void told_record(void *context, const struct feedback_record *record)
{
	struct text *told = &((struct scene *)context)->text;
	char buffer[IP_TEXT];

	text_printf(told, "%.*s %llu %s %d %d %u %.*s", SLICE_ARGS(ip_print(record->source, buffer)),
		    (unsigned long long)record->count, disposition_names[record->disposition], record->dkim,
		    record->spf, record->reasons, SLICE_ARGS(record->header_from));
	told_auth(told, "dkim", record->dkim_results, record->dkim_count);
	told_auth(told, "spf", record->spf_results, record->spf_count);
	text_add_char(told, '\n');
}

static inline void told_report(void *context, const struct feedback_report *report)
{
	struct scene *scene = context;

	text_printf(&scene->text, "%.*s %.*s %lld-%lld %.*s p=%.*s %llu notes=%u\n", SLICE_ARGS(report->org),
		    SLICE_ARGS(report->id), (long long)report->begin_s, (long long)report->end_s,
		    SLICE_ARGS(report->domain), SLICE_ARGS(report->p), (unsigned long long)report->records,
		    report->notes);
	scene->counted = scene->text.n;
}

static inline void told_tls(void *context, const struct feedback_tls *report)
{
	struct scene *scene = context;

	text_printf(&scene->text, "tls %.*s %.*s %lld-%lld", SLICE_ARGS(report->org), SLICE_ARGS(report->id),
		    (long long)report->begin_s, (long long)report->end_s);
	for (size_t i = 0; i < report->policy_count; i++) {
		const struct feedback_tls_policy *policy = &report->policies[i];

		text_printf(&scene->text, " %.*s/%.*s %llu %llu", SLICE_ARGS(policy->domain), SLICE_ARGS(policy->type),
			    (unsigned long long)policy->good, (unsigned long long)policy->failed);
		for (size_t j = 0; j < policy->failure_count; j++)
			text_printf(&scene->text, " %.*s@%.*s:%llu", SLICE_ARGS(policy->failures[j].type),
				    SLICE_ARGS(policy->failures[j].mx),
				    (unsigned long long)policy->failures[j].sessions);
	}
	text_add_char(&scene->text, '\n');
	scene->counted = scene->text.n;
}

static inline void told_skipped(void *context, struct slice where, struct slice why)
{
	struct scene *scene = context;

	scene->text.n = scene->counted;
	text_printf(&scene->text, "skipped %.*s: %.*s\n", SLICE_ARGS(where), SLICE_ARGS(why));
	scene->counted = scene->text.n;
}

static inline void told_message(void *context, unsigned reports)
{
	struct scene *scene = context;

	text_printf(&scene->text, "message %u\n", reports);
	scene->counted = scene->text.n;
}

/* Read in pieces of `piece` bytes. */
static inline struct slice read_pieces(struct slice input, size_t piece, struct arena *arena)
{
	struct scene *scene = arena_alloc(arena, sizeof(*scene));
	struct feedback_take take = {scene, told_record, told_report, told_tls, told_skipped, told_message};
	struct error err;
	struct feedback *feedback = feedback_open(&take, &err);

	text_init(&scene->text, arena, 1 << 20);
	while (input.n > 0 && feedback_bytes(feedback, slice_head(input, piece)))
		input = slice_from(input, piece);
	feedback_end(feedback);
	return text_slice(&scene->text);
}

static inline void expect(const char *name, struct slice input, const char *wanted)
{
	static const size_t pieces[] = {65536, 7, 1};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct arena *arena = arena_new();
		struct slice told = read_pieces(input, pieces[i], arena);

		if (!slice_equal(told, slice_of(wanted)))
			fail_msg("%s, in pieces of %zu:\n%.*s, not\n%s", name, pieces[i], SLICE_ARGS(told), wanted);
		arena_free(arena);
	}
}

#define METADATA                                                                                                       \
	"<report_metadata><org_name>receiver.example</org_name><email>a@receiver.example</email>"                      \
	"<report_id>r1</report_id><date_range><begin>1795651200</begin><end>1795737599</end></date_range>"             \
	"</report_metadata>"
#define POLICY "<policy_published><domain>example.org</domain><p>none</p></policy_published>"
#define ROW(source, count, evaluated)                                                                                  \
	"<row><source_ip>" source "</source_ip><count>" count "</count><policy_evaluated>" evaluated                   \
	"</policy_evaluated></row>"
#define PASSES "<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>"
#define AUTHOR "<identifiers><header_from>example.org</header_from></identifiers>"
#define RESULTS                                                                                                        \
	"<auth_results><dkim><domain>example.org</domain><selector>s</selector><result>pass</result></dkim>"           \
	"<spf><domain>bounce.example</domain><result>softfail</result></spf></auth_results>"
#define RECORD "<record>" ROW("192.0.2.1", "3", PASSES) AUTHOR RESULTS "</record>"
#define REPORT "receiver.example r1 1795651200-1795737599 example.org p=none 1 notes="
#define TOLD   "192.0.2.1 3 none 1 0 0 example.org dkim=example.org:pass spf=bounce.example:softfail\n"
#define WITH(evaluated)                                                                                                \
	"<feedback>" METADATA POLICY "<record>" ROW("192.0.2.1", "3", evaluated) AUTHOR "</record></feedback>"
#define AUTHED(results)                                                                                                \
	"<feedback>" METADATA POLICY "<record>" ROW("192.0.2.1", "3", PASSES) AUTHOR                                   \
	    "<auth_results>" results "</auth_results></record></feedback>"
#define SOURCE(source, count)                                                                                          \
	"<feedback>" METADATA POLICY "<record>" ROW(source, count, PASSES) AUTHOR "</record></feedback>"
#define PERIOD(begin, end)                                                                                             \
	"<feedback><report_metadata><org_name>o</org_name><report_id>i</report_id><date_range><begin>" begin           \
	"</begin><end>" end "</end></date_range></report_metadata>" POLICY "</feedback>"

static const char plain[] = "<feedback>" METADATA POLICY RECORD "</feedback>";

/* ---- archives -------------------------------------------------------------------------------- */

static inline struct slice deflated(struct slice text, int window_bits, struct arena *arena)
{
	z_stream stream = {0};
	size_t room = text.n + 1000;
	unsigned char *out = arena_raw(arena, room);

	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)text.p;
	stream.avail_in = (uInt)text.n;
	stream.next_out = out;
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	return (struct slice){(char *)out, stream.total_out};
}

static inline struct slice gzipped(struct slice text, struct arena *arena)
{
	return deflated(text, 15 + 16, arena);
}

static inline void put_number(struct text *out, uint32_t number, unsigned bytes)
{
	for (; bytes-- > 0; number >>= 8)
		text_add_char(out, (char)number);
}

enum descriptor { KNOWN, DESCRIBED, UNSIGNED, DESCRIBED_64 };

static inline void put_entry(struct text *out, const char *name, struct slice data, struct slice packed,
			     unsigned method, unsigned flags, enum descriptor descriptor)
{
	uint32_t crc = (uint32_t)crc32(0, (const Bytef *)data.p, (uInt)data.n);
	bool known = descriptor == KNOWN;

	text_add(out, (struct slice){"PK\3\4\24\0", 6});
	put_number(out, flags | (known ? 0 : 8), 2);
	put_number(out, method, 2);
	put_number(out, 0, 4);
	put_number(out, known ? crc : 0, 4);
	put_number(out, known ? (uint32_t)packed.n : 0, 4);
	put_number(out, known ? (uint32_t)data.n : 0, 4);
	put_number(out, (uint32_t)strlen(name), 2);
	put_number(out, 3, 2);
	text_add(out, slice_of(name));
	text_add(out, SLICE("ext"));
	text_add(out, packed);
	if (known)
		return;
	if (descriptor != UNSIGNED)
		text_add(out, SLICE("PK\7\10"));
	put_number(out, crc, 4);
	put_number(out, (uint32_t)packed.n, 4);
	put_number(out, descriptor == DESCRIBED_64 ? 0 : (uint32_t)data.n, 4);
	if (descriptor == DESCRIBED_64) {
		put_number(out, (uint32_t)data.n, 4);
		put_number(out, 0, 4);
	}
}

/* ---- mail --------------------------------------------------------------------------------------- */

#define HEAD "From: a@receiver.example\nSubject: Report Domain: example.org\nMIME-Version: 1.0\n"

static inline struct slice mail_of(const char *type, const char *encoding, struct slice body, struct arena *arena)
{
	return arena_join(arena, SLICE(HEAD "Content-Type: "), slice_of(type), SLICE("\nContent-Transfer-Encoding: "),
			  slice_of(encoding), SLICE("\n\n"), body);
}

#endif
