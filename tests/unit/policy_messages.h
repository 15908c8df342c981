/*
 * policy_messages.h - a policy that must be right, and what is said of texts that may be wrong.
 */
#ifndef SEKISHO_TEST_POLICY_MESSAGES_H
#define SEKISHO_TEST_POLICY_MESSAGES_H

#include "assert_slice.h"
#include "policy_text.h"

static inline struct policy *load(const char *text)
{
	char *messages;
	struct policy *policy = load_text(text, NULL, &messages);

	if (!policy || *messages)
		fail_msg("%s: %s", text, messages);
	free(messages);
	return policy;
}

struct said {
	const char *text, *messages; /* one a line; "": the policy is right */
};

/* Each text has just these messages, and is a policy when it has none. */
#define ASSERT_MESSAGES(cases) assert_messages(cases, sizeof(cases) / sizeof(cases[0]))

static inline void assert_messages(const struct said *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *messages;
		struct policy *policy = load_text(cases[i].text, NULL, &messages);

		if (strcmp(messages, cases[i].messages) != 0)
			fail_msg("of\n%s\nexpected\n%s\ngot\n%s", cases[i].text, cases[i].messages, messages);
		assert_int_equal(policy != NULL, *messages == '\0');
		policy_release(policy);
		free(messages);
	}
}

/* Each text is refused, and the messages have this part. */
#define ASSERT_REFUSED(cases) assert_refused(cases, sizeof(cases) / sizeof(cases[0]))

static inline void assert_refused(const struct said *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *messages;
		struct policy *policy = load_text(cases[i].text, NULL, &messages);

		if (policy || !strstr(messages, cases[i].messages))
			fail_msg("%s: expected %s, got %s", cases[i].text, cases[i].messages, messages);
		free(messages);
	}
}

#endif
