/*
 * setting_tenant.c - tenant NAME { }: a part of the traffic, told apart by the name of the service that it came to.
 *
 * Its policies are "policy KIND for NAME { }", and it has a name of its own in Authentication-Results.
 */
#include "setting_reader.h"

#include <string.h>

#define TENANTS_MAX      256 /* each is looked at once for a session */
#define DAEMON_NAMES_MAX 16  /* services of one tenant: port 25, 465 and 587, for IPv4 and IPv6, and some more */

#define TENANT(member) .offset = offsetof(struct tenant, member)

#define EXAMPLE(more) .example = "tenant customer-1 { daemon-name \"customer-1\"" more " }"

static const struct setting_key name = {.type = SETTING_NAME, TENANT(name), EXAMPLE("")};

static const struct setting_key keys[] = {
    {.name = "daemon-name",
     .type = SETTING_TEXT,
     .count = SETTING_MANY,
     TENANT(daemon_names),
     .most_items = DAEMON_NAMES_MAX,
     .required = true,
     .usage = "the name that the MTA gives to the service, as in daemon-name \"customer-1\"",
     EXAMPLE("")},
    {.name = "authserv-id",
     .type = SETTING_OWN,
     TENANT(authserv_id),
     .read = setting_read_authserv_id,
     .usage = "a name as in mx.example.org",
     EXAMPLE(" authserv-id mx.customer-1.example")},
};

const struct setting_block tenant_block = {
    .name = "tenant", .size = sizeof(struct tenant), .value = &name, SETTING_KEYS(keys), .repeats = true};

static int defined_already(struct setting_reader *reader, const char *what, struct slice which,
			   const struct tenant *first)
{
	struct place place = reader->said->name.place;

	diagnostics_error(reader->compiler->diagnostics, place,
			  "%s %s is that of the tenant in %s; give it to one of them", what, QUOTE(which),
			  line_said(reader->compiler, place, place_of(reader->compiler, first->where)).text);
	return -1;
}

/* The same name, or a service that both would have. */
static int check_tenant(struct setting_reader *reader, const struct tenant *tenant)
{
	const struct policy *policy = reader->compiler->policy;

	for (size_t i = 0; i < policy->tenant_count; i++)
		if (slice_equal(policy->tenants[i].name, tenant->name))
			return defined_already(reader, "the name", tenant->name, &policy->tenants[i]);
	for (size_t i = 0; i < tenant->daemon_names.count; i++) {
		const struct tenant *other = policy_tenant(policy, tenant->daemon_names.items[i]);

		if (other)
			return defined_already(reader, "daemon-name", tenant->daemon_names.items[i], other);
	}
	return 0;
}

int setting_keep_tenant(struct setting_reader *reader, const void *block)
{
	struct policy *policy = reader->compiler->policy;
	struct tenant tenant = *(const struct tenant *)block;

	tenant.where = position_of(reader->compiler, reader->said->name.place);
	if (check_tenant(reader, &tenant))
		return -1;
	if (policy->tenant_count == TENANTS_MAX) {
		diagnostics_error(reader->compiler->diagnostics, reader->said->name.place,
				  "there are more than %d tenants; remove some", TENANTS_MAX);
		return -1;
	}
	if (!policy->tenants)
		policy->tenants = arena_alloc(policy->arena, TENANTS_MAX * sizeof(*policy->tenants));
	policy->tenants[policy->tenant_count++] = tenant;
	return 0;
}

void tenants_finish(struct policy *policy)
{
	for (size_t i = 0; i < policy->tenant_count; i++) {
		struct tenant *tenant = &policy->tenants[i];

		tenant->settings = policy->settings.check;
		if (tenant->authserv_id.n > 0)
			tenant->settings.authserv_id = tenant->authserv_id;
	}
}
