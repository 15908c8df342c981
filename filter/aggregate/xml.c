/*
 * xml.c - a report as XML (RFC 9990 3.1.1), written row by row into one gzip member: memory does not grow with rows,
 * but with the compressed text.
 *
 * Elements are in the order of the tables of the RFC, in the default namespace without a prefix: many readers look for
 * bare names. What is not UTF-8, or not a character of XML 1.0, becomes U+FFFD.
 */
#include "aggregate_private.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define NAMESPACE "urn:ietf:params:xml:ns:dmarc-2.0"
#define GZIP      (15 + 16) /* the window of deflateInit2, and a gzip header */
#define HELD      65536     /* bytes that deflate may hold back */
#define ROOM      16384     /* of its output at a time */
#define TEXT_ROOM 4096      /* of a text, cleaned */
#define TAGS_MAX  500       /* bytes of the names of wrong tags */

struct piece { /* text that grows */
	char *p;
	size_t n, room;
};

struct sheet {
	const struct xml_library *xml2;
	z_stream z;
	struct piece gz, xml;
	size_t xml_n;
	bool keeps, failed;
	xmlTextWriterPtr writer;
	char text[TEXT_ROOM];
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static void piece_add(struct piece *piece, const void *bytes, size_t n)
{
	if (piece->n + n > piece->room) {
		piece->room = 2 * (piece->n + n);
		piece->p = xrealloc(piece->p, piece->room);
	}
	if (n > 0)
		memcpy(piece->p + piece->n, bytes, n);
	piece->n += n;
}

static void compress_more(struct sheet *sheet, const char *bytes, size_t n, int flush)
{
	unsigned char room[ROOM];
	int rc;

	sheet->z.next_in = (Bytef *)bytes;
	sheet->z.avail_in = (uInt)n;
	do {
		sheet->z.next_out = room;
		sheet->z.avail_out = sizeof(room);
		rc = deflate(&sheet->z, flush);
		piece_add(&sheet->gz, room, sizeof(room) - sheet->z.avail_out);
	} while (rc == Z_OK && sheet->z.avail_out == 0);
	sheet->failed |= rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR;
}

static int take(void *sheet_, const char *bytes, int n)
{
	struct sheet *sheet = sheet_;

	sheet->xml_n += (size_t)n;
	if (sheet->keeps)
		piece_add(&sheet->xml, bytes, (size_t)n);
	compress_more(sheet, bytes, (size_t)n, Z_NO_FLUSH);
	return n;
}

/* ---- texts ------------------------------------------------------------------------------------ */

/* The length of the character at the start, if it is one of XML 1.0; 0: it is not. */
static size_t character(struct slice text)
{
	unsigned char first = (unsigned char)text.p[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if (n == 1)
		return first >= ' ' && first != 0x7f;
	if (n > text.n || !slice_is_utf8(slice_head(text, n)))
		return 0;
	return !(n == 3 && memcmp(text.p, "\xef\xbf", 2) == 0 && (unsigned char)text.p[2] >= 0xbe) ? n : 0;
}

static const xmlChar *clean(struct sheet *sheet, struct slice text)
{
	size_t n = 0;

	while (text.n > 0 && n + 5 < sizeof(sheet->text)) {
		size_t length = character(text);

		memcpy(sheet->text + n, length ? text.p : "\xef\xbf\xbd", length ? length : 3);
		n += length ? length : 3;
		text = slice_from(text, length ? length : 1);
	}
	sheet->text[n] = '\0';
	return (const xmlChar *)sheet->text;
}

static void check(struct sheet *sheet, int rc)
{
	sheet->failed |= rc < 0;
}

static void begin(struct sheet *sheet, const char *name)
{
	check(sheet, sheet->xml2->xmlTextWriterStartElement(sheet->writer, (const xmlChar *)name));
}

static void end(struct sheet *sheet)
{
	check(sheet, sheet->xml2->xmlTextWriterEndElement(sheet->writer));
}

static void put(struct sheet *sheet, const char *name, struct slice text)
{
	check(sheet, sheet->xml2->xmlTextWriterWriteElement(sheet->writer, (const xmlChar *)name, clean(sheet, text)));
}

static void put_word(struct sheet *sheet, const char *name, const char *word)
{
	check(sheet,
	      sheet->xml2->xmlTextWriterWriteElement(sheet->writer, (const xmlChar *)name, (const xmlChar *)word));
}

static void put_number(struct sheet *sheet, const char *name, uint64_t number)
{
	char text[NUMBER_TEXT];

	put(sheet, name, number_print(number > INT64_MAX ? INT64_MAX : (int64_t)number, text));
}

/* A text for a person, if there is one. Without the attribute lang, which is "en" then: some readers take an element
 * with an attribute for something else than a text. */
static void put_said(struct sheet *sheet, const char *name, struct slice text)
{
	if (text.n > 0)
		put(sheet, name, text);
}

/* ---- the head ----------------------------------------------------------------------------------- */

/* What is wrong with the record (RFC 9990 3.1.5), tersely. */
static struct slice find_errors(const struct sheet_head *head, struct arena *arena)
{
	struct slice rest = head->record;
	struct dmarc_tag tag;
	struct text text;

	text_init(&text, arena, TAGS_MAX);
	text_add(&text, head->trouble);
	for (size_t found = 0; dmarc_tag_next(&rest, &tag);) {
		if (!tag.wrong || tag.historic)
			continue;
		text_add(&text, found++ ? SLICE(", ") : text.n ? SLICE("; bad tags: ") : SLICE("bad tags: "));
		text_add(&text, tag.name.n ? slice_head(tag.name, 20) : SLICE("(text without a name)"));
	}
	return text_slice(&text);
}

static void write_metadata(struct sheet *sheet, const struct sheet_head *head)
{
	struct arena *arena = arena_new();

	begin(sheet, "report_metadata");
	put(sheet, "org_name", head->organization);
	put(sheet, "email", head->email);
	put_said(sheet, "extra_contact_info", head->contact);
	put(sheet, "report_id", head->id);
	begin(sheet, "date_range");
	put_number(sheet, "begin", (uint64_t)head->begin);
	put_number(sheet, "end", (uint64_t)head->end);
	end(sheet);
	put_said(sheet, "error", find_errors(head, arena));
	put_word(sheet, "generator", PACKAGE_NAME " " PACKAGE_VERSION);
	end(sheet);
	arena_free(arena);
}

/* The values found, or their defaults (RFC 9990 3.1.1.5); those of an invalid policy are those that were used (RFC 9989
 * 4.10.1). */
static void write_policy(struct sheet *sheet, const struct sheet_head *head)
{
	struct dmarc_record record;
	enum dmarc_policy p, sp, np;

	dmarc_record_parse(head->record, &record);
	p = record.policy_wrong ? DMARC_POLICY_NONE : record.p;
	sp = record.policy_wrong || record.sp == DMARC_NO_POLICY ? p : record.sp;
	np = record.policy_wrong || record.np == DMARC_NO_POLICY ? sp : record.np;
	begin(sheet, "policy_published");
	put(sheet, "domain", head->domain);
	put_word(sheet, "discovery_method", head->discovery == DMARC_PSL ? "psl" : "treewalk");
	put_word(sheet, "p", dmarc_policy_name(p));
	put_word(sheet, "sp", dmarc_policy_name(sp));
	put_word(sheet, "np", dmarc_policy_name(np));
	put(sheet, "fo", record.fo.n > 0 ? record.fo : SLICE("0"));
	put_word(sheet, "adkim", record.strict_dkim ? "s" : "r");
	put_word(sheet, "aspf", record.strict_spf ? "s" : "r");
	put_word(sheet, "testing", record.testing ? "y" : "n");
	end(sheet);
}

static void sheet_free(struct sheet *sheet)
{
	if (sheet->writer)
		sheet->xml2->xmlFreeTextWriter(sheet->writer);
	deflateEnd(&sheet->z);
	free(sheet->gz.p);
	free(sheet->xml.p);
	free(sheet);
}

struct sheet *sheet_open(const struct sheet_head *head)
{
	struct sheet *sheet = xmalloc(sizeof(*sheet));
	xmlOutputBufferPtr out = NULL;

	sheet->xml2 = head->xml2;
	sheet->keeps = head->keep_xml;
	if (deflateInit2(&sheet->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) == Z_OK)
		out = sheet->xml2->xmlOutputBufferCreateIO(take, NULL, sheet, NULL);
	if (out)
		sheet->writer = sheet->xml2->xmlNewTextWriter(out);
	if (!sheet->writer)
		die("out of memory: a report");
	check(sheet, sheet->xml2->xmlTextWriterSetIndent(sheet->writer, 1));
	check(sheet, sheet->xml2->xmlTextWriterStartDocument(sheet->writer, "1.0", "UTF-8", NULL));
	begin(sheet, "feedback");
	check(sheet, sheet->xml2->xmlTextWriterWriteAttribute(sheet->writer, (const xmlChar *)"xmlns",
							      (const xmlChar *)NAMESPACE));
	put_word(sheet, "version", "1.0");
	write_metadata(sheet, head);
	write_policy(sheet, head);
	return sheet;
}

/* ---- rows ------------------------------------------------------------------------------------------ */

static void write_evaluated(struct sheet *sheet, const struct aggregate_message *message)
{
	begin(sheet, "policy_evaluated");
	put_word(sheet, "disposition", aggregate_disposition_names[message->disposition]);
	put_word(sheet, "dkim", message->dkim_aligned ? "pass" : "fail");
	put_word(sheet, "spf", message->spf_aligned ? "pass" : "fail");
	for (size_t i = 0; i < message->reason_count; i++) {
		begin(sheet, "reason");
		put_word(sheet, "type", aggregate_why_names[message->reasons[i].why]);
		put_said(sheet, "comment", message->reasons[i].comment);
		end(sheet);
	}
	end(sheet);
}

static void write_results(struct sheet *sheet, const struct aggregate_message *message)
{
	begin(sheet, "auth_results");
	for (size_t i = 0; i < message->dkim_count; i++) {
		const struct aggregate_signature *signature = &message->dkim[i];

		begin(sheet, "dkim");
		put(sheet, "domain", signature->domain);
		put(sheet, "selector", signature->selector);
		/* DKIM has no softfail. */
		put_word(sheet, "result",
			 aggregate_result_names[signature->result == AGGREGATE_SOFTFAIL ? AGGREGATE_FAIL
											: signature->result]);
		put_said(sheet, "human_result", signature->human);
		end(sheet);
	}
	if (message->spf_domain.n > 0) {
		begin(sheet, "spf");
		put(sheet, "domain", message->spf_domain);
		put_word(sheet, "scope", "mfrom");
		put_word(sheet, "result", aggregate_result_names[message->spf]);
		put_said(sheet, "human_result", message->spf_human);
		end(sheet);
	}
	end(sheet);
}

void sheet_row(struct sheet *sheet, const struct aggregate_message *message, uint64_t count)
{
	char ip[IP_TEXT];

	begin(sheet, "record");
	begin(sheet, "row");
	put(sheet, "source_ip", ip_print(message->client, ip));
	put_number(sheet, "count", count);
	write_evaluated(sheet, message);
	end(sheet);
	begin(sheet, "identifiers");
	put(sheet, "header_from", message->header_from);
	put(sheet, "envelope_from", message->envelope_from);
	end(sheet);
	write_results(sheet, message);
	end(sheet);
}

void sheet_size(const struct sheet *sheet, size_t *gz_r, size_t *xml_r)
{
	*gz_r = sheet->gz.n + HELD;
	*xml_r = sheet->xml_n;
}

bool sheet_close(struct sheet *sheet, struct arena *arena, struct slice *gz_r, struct slice *xml_r)
{
	bool failed;

	check(sheet, sheet->xml2->xmlTextWriterEndDocument(sheet->writer));
	sheet->xml2->xmlFreeTextWriter(sheet->writer); /* writes the rest */
	sheet->writer = NULL;
	compress_more(sheet, "", 0, Z_FINISH);
	*gz_r = arena_copy(arena, (struct slice){sheet->gz.p, sheet->gz.n});
	*xml_r = sheet->keeps ? arena_copy(arena, (struct slice){sheet->xml.p, sheet->xml.n}) : SLICE("");
	failed = sheet->failed;
	sheet_free(sheet);
	return !failed;
}
