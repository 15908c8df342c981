/*
 * mail.c - a report as a message: MIME (RFC 2046 5.1.3), a text for a person, the report attached (RFC 9990 3.5.2).
 */
#include "mail.h"
#include "send.h"

#define LINE_BYTES   57 /* of base64 in a line of 76 columns (RFC 2045 6.8) */
#define HEADER_MAX   8192
#define TEXT_MAX     4096
#define TOKEN_LENGTH 16

static void add_field(struct text *text, const char *name, struct slice value, struct arena *arena)
{
	struct slice safe = header_safe(value, strlen(name), arena);

	text_printf(text, "%s: ", name);
	for (size_t i = 0; i < safe.n; i++) {
		if (safe.p[i] == '\n')
			text_add_char(text, '\r');
		if (safe.p[i] != '\r')
			text_add_char(text, safe.p[i]);
	}
	text_add(text, SLICE("\r\n"));
}

static void add_base64(struct text *text, struct slice bytes, struct arena *arena)
{
	struct slice code = base64_encode(bytes, arena);

	text_reserve(text, code.n + code.n / 76 * 2 + 4);
	for (size_t i = 0; i < code.n; i += LINE_BYTES / 3 * 4) {
		text_add(text, slice_head(slice_from(code, i), LINE_BYTES / 3 * 4));
		text_add(text, SLICE("\r\n"));
	}
}

static struct slice day_print(unsigned day, struct arena *arena)
{
	return slice_head(clock_print((int64_t)day * STORE_DAY_US, arena), sizeof("2026-11-27") - 1);
}

static void add_header(struct text *text, const struct report_mail *mail, struct arena *arena)
{
	const struct report_sender *sender = mail->sender;
	struct slice name = sender->organization;
	ptrdiff_t at = slice_find_last(sender->from, '@');

	add_field(text, "From",
		  name.n ? arena_join(arena, header_phrase(name, sizeof("From") - 1, arena), SLICE(" <"), sender->from,
				      SLICE(">"))
			 : sender->from,
		  arena);
	add_field(text, "To", mail->recipient, arena);
	add_field(text, "Subject", mail->report->subject, arena);
	add_field(text, "Date", date_print(mail->now_us, arena), arena);
	text_printf(text, "Message-ID: <%.*s.%.*s@%.*s>\r\n", SLICE_ARGS(mail->report->id), SLICE_ARGS(mail->token),
		    SLICE_ARGS(slice_from(sender->from, (size_t)(at + 1))));
	text_add(text, SLICE("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"));
	text_printf(text, "Content-Type: multipart/mixed; boundary=\"=_%.*s\"\r\n\r\n", SLICE_ARGS(mail->report->id));
}

static void add_text(struct text *text, const struct report_mail *mail, struct arena *arena)
{
	const struct aggregate_report *report = mail->report;

	text_printf(text, "--=_%.*s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", SLICE_ARGS(report->id));
	text_printf(text,
		    "This is a DMARC aggregate report (RFC 9990) about\r\n%.*s\r\n"
		    "for %.*s (UTC). It was asked for by the DMARC record of that domain.\r\n\r\n",
		    SLICE_ARGS(mail->domain), SLICE_ARGS(day_print(mail->day, arena)));
	text_printf(text, "Messages: %llu, in %llu row%s\r\nReport-ID: %.*s\r\n\r\n",
		    (unsigned long long)report->messages, (unsigned long long)report->rows,
		    report->rows == 1 ? "" : "s", SLICE_ARGS(report->id));
	text_add(text, SLICE("The report itself is attached: XML, compressed by gzip.\r\n"));
}

static void add_attachment(struct text *text, const struct report_mail *mail, struct arena *arena)
{
	const struct aggregate_report *report = mail->report;

	/* the name in both fields: some readers look only at the first */
	text_printf(text, "--=_%.*s\r\nContent-Type: application/gzip;\r\n name=\"%.*s\"\r\n", SLICE_ARGS(report->id),
		    SLICE_ARGS(report->file));
	text_printf(text,
		    "Content-Disposition: attachment;\r\n filename=\"%.*s\"\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n",
		    SLICE_ARGS(report->file));
	add_base64(text, report->gz, arena);
	text_printf(text, "--=_%.*s--\r\n", SLICE_ARGS(report->id));
}

struct slice report_mail_print(const struct report_mail *mail, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, HEADER_MAX + TEXT_MAX + mail->report->gz.n / LINE_BYTES * 78 + 1024);
	add_header(&text, mail, arena);
	add_text(&text, mail, arena);
	add_attachment(&text, mail, arena);
	return text_slice(&text);
}
