/*
 * libraries.c - the libraries that settings of the policy need beside the program.
 */
#include "aggregate.h"
#include "daemon_private.h"
#include "history.h"
#include "mailer.h"

int daemon_libraries(const struct policy *policy, struct error *err)
{
	const struct settings *settings = policy_settings(policy);
	const struct {
		bool said;
		const char *setting;
		int (*open)(struct error *);
	} needs[] = {{settings->history.path, "history", history_library},
		     {settings->mailer.text.n > 0, "mailer", mailer_library},
		     {settings->reports.said, "dmarc-reports", aggregate_library},
		     {settings->web.text.n > 0, "web", web_library}};
	struct error why;

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (!needs[i].said || needs[i].open(&why) == 0)
			continue;
		error_set(err, "%s: %s: %s", policy_file(policy), needs[i].setting, why.text);
		return -1;
	}
	return 0;
}
