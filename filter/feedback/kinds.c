/*
 * kinds.c - the kinds of content, and how each begins.
 */
#include "feedback_private.h"

/* Without a byte order mark and blanks at the start. */
static struct slice after_blanks(struct slice text)
{
	if (slice_starts_nocase(text, SLICE(BYTE_ORDER_MARK)))
		text = slice_from(text, strlen(BYTE_ORDER_MARK));
	while (text.n > 0 && is_space(text.p[0]))
		text = slice_from(text, 1);
	return text;
}

static bool begins(struct slice text, struct slice beginning)
{
	return slice_equal(slice_head(text, beginning.n), beginning);
}

/* In mail, other XML and HTML is common. A report begins with its root element, or with an XML declaration; in a part
 * that calls itself text, its name must follow soon. */
static bool is_report_xml(struct slice text, enum content_place place)
{
	static const char name[] = "feedback";
	size_t n = 1;

	if (begins(text, SLICE("<?xml")))
		return place == CONTENT_PART || memmem(text.p, text.n, name, strlen(name));
	while (n < text.n && !is_space(text.p[n]) && text.p[n] != '>')
		n++;
	return slice_ends_nocase(slice_head(text, n), slice_of(name));
}

/* "Received: from ..." */
static bool is_field(struct slice text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] > ' ' && text.p[n] <= '~' && text.p[n] != ':')
		n++;
	return n > 0 && n < text.n && text.p[n] == ':';
}

const struct content_kind *content_kind_of(struct slice head, enum content_place place)
{
	struct slice text = after_blanks(head);

	if (begins(head, SLICE("PK\3\4")))
		return &content_zip;
	if (begins(head, SLICE("\x1f\x8b")))
		return &content_gzip;
	if (begins(head, SLICE("\xff\xfe")) || begins(head, SLICE("\xfe\xff"))) /* UTF-16 */
		return &content_xml;
	if (begins(text, SLICE("<")))
		return place == CONTENT_FILE || place == CONTENT_ARCHIVED || is_report_xml(text, place) ? &content_xml
													: NULL;
	if (begins(text, SLICE("{")))
		return place == CONTENT_TEXT_PART ? NULL : &content_json;
	if (place != CONTENT_FILE)
		return NULL;
	if (begins(head, SLICE("From ")))
		return &content_mailbox;
	return is_field(head) ? &content_message : NULL;
}
