/*
 * received.c - the value of a Received-SPF field (RFC 7208 9.1).
 *
 * Local part, HELO name and domain are a stranger's: what is not printable ASCII
 * becomes "?", quotes are escaped, lengths are bounded. In the comment even parentheses
 * are replaced, so that nothing can end it early.
 */
#include "spf_private.h"

#define VALUE_MAX 320  /* of one value: a path of RFC 5321 4.5.3.1.3 fits */
#define FIELD_MAX 4000 /* of all: seven values, every byte escaped, fit well */

static char printable(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

/* "=?" could begin an RFC 2047 word, which some readers decode wherever it stands. */
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

/* key="value": always quoted, so that no value has to be looked at. */
static void add_pair(struct text *out, const char *key, struct slice value)
{
	if (value.n == 0)
		return;
	text_printf(out, "\n\t%s=\"", key);
	for (size_t i = 0; i < value.n && i < VALUE_MAX; i++) {
		char c = printable(value.p[i]);

		if (c == '"' || c == '\\' || (c == '?' && ends_with_equals(out)))
			text_add_char(out, '\\');
		text_add_char(out, c);
	}
	text_add(out, SLICE("\";"));
}

static const char *const sentences[] = {
    [SPF_NONE] = "domain of %s has no SPF record",
    [SPF_NEUTRAL] = "domain of %s says nothing of %s",
    [SPF_PASS] = "domain of %s designates %s as permitted sender",
    [SPF_FAIL] = "domain of %s does not designate %s as permitted sender",
    [SPF_SOFTFAIL] = "domain of %s discourages use of %s as sender",
    [SPF_TEMPERROR] = "temporary error in processing domain of %s",
    [SPF_PERMERROR] = "permanent error in processing domain of %s",
};

/* RFC 7208 9.1: a comment in words of one's own. */
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
	add_pair(&out, "envelope-from", sender.n ? sender : SLICE("<>"));
	add_pair(&out, "helo", request->helo);
	add_pair(&out, "receiver", request->receiver);
	add_pair(&out, "mechanism", outcome->mechanism);
	add_pair(&out, "problem", error ? outcome->reason : SLICE(""));
	text_printf(&out, "\n\tidentity=%s", request->identity_helo ? "helo" : "mailfrom");
	return text_slice(&out);
}
