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
