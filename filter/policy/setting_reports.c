/*
 * setting_reports.c - dmarc-reports { }: reports about mail of others, for the owners of their domains (RFC 9990).
 */
#include "setting_reader.h"

#define REPORTS(member) .offset = offsetof(struct reports_setting, member)
#define EXAMPLE         "dmarc-reports { from dmarc@example.org"
#define TEXT_MAX        200 /* bytes; it is in each report */

static int check_text(struct slice text, const char *key, struct setting_told *told, struct error *err)
{
	told->key = key;
	if (text.n <= TEXT_MAX)
		return 0;
	error_set(err, "a text in a report has at most %d bytes; write a shorter one", TEXT_MAX);
	return -1;
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct reports_setting *reports = block;

	if (!told->said)
		return 0;
	reports->said = true;
	if (!address_usable(&reports->from)) {
		told->key = "from";
		error_set(err, "this is not an address that mail can come from");
		return -1;
	}
	if (reports->every_us != STORE_DAY_US) {
		told->key = "every";
		error_set(err, "a report is about one day, from midnight to midnight (UTC); write every 1d");
		return -1;
	}
	if (reports->organization.n == 0)
		reports->organization = reports->from.domain;
	return check_text(reports->organization, "organization", told, err) ||
		       check_text(reports->contact, "contact", told, err)
		   ? -1
		   : 0;
}

enum truth reports_excluded(const struct reports_setting *reports, struct store *store, struct slice domain)
{
	enum truth found = TRUTH_FALSE;

	while (reports->exclude && found == TRUTH_FALSE && domain.n > 0) {
		ptrdiff_t dot = slice_find(domain, '.');

		found = list_has(reports->exclude, store, &(struct list_key){.kind = LIST_TEXT, .text = domain});
		domain = dot < 0 ? SLICE("") : slice_from(domain, (size_t)dot + 1);
	}
	return found;
}

static const struct setting_key keys[] = {
    {.name = "from", .type = SETTING_ADDRESS, REPORTS(from), .required = true, .example = EXAMPLE " }"},
    {.name = "organization",
     .type = SETTING_TEXT,
     REPORTS(organization),
     .example = EXAMPLE "  organization \"Example Ltd\" }"},
    {.name = "contact",
     .type = SETTING_TEXT,
     REPORTS(contact),
     .example = EXAMPLE "  contact \"https://example.org/dmarc\" }"},
    {.name = "every",
     .type = SETTING_DURATION,
     REPORTS(every_us),
     .preset = "1d",
     .usage = "1d",
     .example = EXAMPLE "  every 1d }"},
    {.name = "exclude", .type = SETTING_LIST, REPORTS(exclude), .example = EXAMPLE "  exclude friends }"},
};

const struct setting_block reports_block = {
    .name = "dmarc-reports", .size = sizeof(struct reports_setting), SETTING_KEYS(keys), .finish = finish};
