/*
 * request.c - a request of Postfix's policy delegation protocol: lines of name=value and an empty line. Names may come
 * in any order; unknown ones are ignored, of equal ones the first counts.
 */
#include "policy_private.h"

static const struct {
	const char *name;
	size_t offset;
} attributes[] = {
#define ATTRIBUTE(name)                                                                                                \
	{                                                                                                              \
#name, offsetof(struct policy_request, name)                                                           \
	}
    ATTRIBUTE(request),           ATTRIBUTE(protocol_state),  ATTRIBUTE(instance),
    ATTRIBUTE(queue_id),          ATTRIBUTE(client_address),  ATTRIBUTE(client_name),
    ATTRIBUTE(client_port),       ATTRIBUTE(server_port),     ATTRIBUTE(policy_context),
    ATTRIBUTE(helo_name),         ATTRIBUTE(sender),          ATTRIBUTE(recipient),
    ATTRIBUTE(sasl_username),     ATTRIBUTE(sasl_method),     ATTRIBUTE(encryption_protocol),
    ATTRIBUTE(encryption_cipher), ATTRIBUTE(message_follows),
#undef ATTRIBUTE
};

size_t request_frame(struct slice bytes)
{
	const char *end;

	if (bytes.n > 0 && bytes.p[0] == '\n')
		return FRAME_INVALID;
	end = memmem(bytes.p, bytes.n, "\n\n", 2);
	return end ? (size_t)(end - bytes.p) + 2 : 0;
}

static void keep(struct policy_request *request, struct slice name, struct slice value)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		struct slice *kept = (void *)((char *)request + attributes[i].offset);

		if (!kept->p && slice_equal(name, slice_of(attributes[i].name)))
			*kept = value;
	}
}

int request_parse(struct slice text, struct policy_request *request_r)
{
	struct slice line;

	*request_r = (struct policy_request){{NULL, 0}};
	while (slice_cut(&text, '\n', &line)) {
		ptrdiff_t equals = slice_find(line, '=');

		if (line.n == 0)
			continue;
		if (equals <= 0 || slice_find(line, '\0') >= 0)
			return -1;
		keep(request_r, slice_head(line, (size_t)equals), slice_from(line, (size_t)equals + 1));
	}
	return slice_equal(request_r->request, SLICE("smtpd_access_policy")) ? 0 : -1;
}

/* ---- addresses -------------------------------------------------------------------------------- */

/* RFC 5321 4.1.2: a dot-string; UTF-8 as RFC 6531 allows. */
static bool is_dot_string(struct slice local)
{
	char before = '.';

	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		if (c == '.' ? before == '.'
			     : !is_letter(c) && !is_digit(c) && (unsigned char)c < 0x80 &&
				   !memchr("!#$%&'*+-/=?^_`{|}~", c, 19))
			return false;
		before = c;
	}
	return before != '.';
}

static bool is_quoted(struct slice local)
{
	return local.n >= 2 && local.p[0] == '"' && local.p[local.n - 1] == '"';
}

struct slice request_path(struct slice address, struct arena *arena)
{
	ptrdiff_t at = slice_find_last(address, '@');
	struct slice local = at < 0 ? address : slice_head(address, (size_t)at);
	struct text text;

	text_init(&text, arena, 2 * address.n + 8);
	text_add_char(&text, '<');
	if (local.n == 0 || is_quoted(local) || is_dot_string(local)) {
		text_add(&text, local);
	} else {
		text_add_char(&text, '"');
		for (size_t i = 0; i < local.n; i++) {
			if (local.p[i] == '"' || local.p[i] == '\\')
				text_add_char(&text, '\\');
			text_add_char(&text, local.p[i]);
		}
		text_add_char(&text, '"');
	}
	text_add(&text, slice_from(address, local.n));
	text_add_char(&text, '>');
	return text_slice(&text);
}
