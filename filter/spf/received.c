/*
 * received.c - the value of a Received-SPF field (RFC 7208 9.1).
 *
 * Local part, HELO name and domain are untrusted: quotes are escaped, lengths are bounded, and bytes that are not
 * printable ASCII become "?". Letters of an internationalized address (RFC 6531) are written in the ASCII form of
 * RFC 6533 3: \x{F6}. In the comment parentheses are replaced, too, so that nothing can end it early.
 */
#include "spf_private.h"

#define VALUE_MAX 320  /* of one value: a path of RFC 5321 4.5.3.1.3 fits */
#define FIELD_MAX 8000 /* of the field: enough for seven values with every byte escaped */

static char printable(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

/* "=?" could begin an RFC 2047 word, which some readers decode in any position. */
static bool ends_with_equals(const struct text *out)
{
	struct slice text = text_slice(out);

	return text.n > 0 && text.p[text.n - 1] == '=';
}

/* In a comment (RFC 5322 3.2.2). */
static void add_comment_text(struct text *out, struct slice text)
{
	for (size_t i = 0; i < text.n && i < VALUE_MAX; i++) {
		char c = printable(text.p[i]);

		if (c == '(' || c == ')' || c == '\\')
			c = '?';
		text_add_char(out, c == '?' && ends_with_equals(out) ? '.' : c);
	}
}

/* Decodes a sequence that slice_utf8 found well formed. */
static uint32_t code_point(struct slice letter)
{
	static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)letter.p[0] & first[letter.n];

	for (size_t i = 1; i < letter.n; i++)
		c = c << 6 | ((unsigned char)letter.p[i] & 0x3f);
	return c;
}

/* Inside quotes, where a backslash is doubled. */
static size_t add_letter(struct text *out, struct slice rest)
{
	struct slice letter = slice_head(rest, slice_utf8(rest));
	char c = printable(rest.p[0]);

	if (letter.n > 1) {
		text_printf(out, "\\\\x{%X}", (unsigned)code_point(letter));
		return letter.n;
	}
	if (c == '"' || c == '\\' || (c == '?' && ends_with_equals(out)))
		text_add_char(out, '\\');
	text_add_char(out, c);
	return 1;
}

/* key="value": always quoted, so no value needs a check. */
static void add_pair(struct text *out, const char *key, struct slice value)
{
	if (value.n == 0)
		return;
	text_printf(out, "\n\t%s=\"", key);
	for (size_t i = 0; i < value.n && i < VALUE_MAX;)
		i += add_letter(out, slice_from(value, i));
	text_add(out, SLICE("\";"));
}

static const char *const sentences[] = {
    [SPF_NONE] = "domain of %s has no SPF record",
    [SPF_NEUTRAL] = "domain of %s says nothing about %s",
    [SPF_PASS] = "domain of %s designates %s as permitted sender",
    [SPF_FAIL] = "domain of %s does not designate %s as permitted sender",
    [SPF_SOFTFAIL] = "domain of %s discourages use of %s as sender",
    [SPF_TEMPERROR] = "temporary error in processing domain of %s",
    [SPF_PERMERROR] = "permanent error in processing domain of %s",
};

/* RFC 7208 9.1: a comment for people. */
static void add_comment(struct text *out, const struct spf_request *request, const struct spf_outcome *outcome,
			struct slice client)
{
	const char *sentence = sentences[outcome->result];
	struct slice words[2] = {outcome->domain, client};
	size_t next = 0;

	text_add(out, SLICE(" ("));
	add_comment_text(out, request->receiver);
	text_add(out, request->receiver.n ? SLICE(": ") : SLICE(""));
	for (; *sentence; sentence++) {
		if (*sentence != '%') {
			text_add_char(out, *sentence);
			continue;
		}
		add_comment_text(out, words[next++]);
		sentence++;
	}
	text_add_char(out, ')');
}

static bool is_ascii(struct slice text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return false;
	return true;
}

/* A domain with U-labels in the form that was queried: A-labels (RFC 5891). */
static struct slice sender_shown(const struct spf_request *request, struct slice sender, struct arena *arena)
{
	ptrdiff_t at = slice_find_last(sender, '@');

	if (at < 0 || request->identity_helo || is_ascii(slice_from(sender, (size_t)at)))
		return sender;
	return arena_join(arena, slice_head(sender, (size_t)at + 1), request->domain);
}

struct slice spf_received(const struct spf_request *request, const struct spf_outcome *outcome, struct slice sender,
			  struct arena *arena)
{
	bool error = outcome->result == SPF_PERMERROR || outcome->result == SPF_TEMPERROR;
	char buffer[IP_TEXT];
	struct slice client = ip_print(request->client, buffer);
	struct text out;

	text_init(&out, arena, FIELD_MAX);
	text_add(&out, slice_of(spf_result_names[outcome->result]));
	add_comment(&out, request, outcome, client);
	add_pair(&out, "client-ip", client);
	add_pair(&out, "envelope-from", sender.n ? sender_shown(request, sender, arena) : SLICE("<>"));
	add_pair(&out, "helo", request->helo);
	add_pair(&out, "receiver", request->receiver);
	add_pair(&out, "mechanism", outcome->mechanism);
	add_pair(&out, "problem", error ? outcome->reason : SLICE(""));
	text_printf(&out, "\n\tidentity=%s", request->identity_helo ? "helo" : "mailfrom");
	return text_slice(&out);
}
