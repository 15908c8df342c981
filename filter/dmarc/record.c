/*
 * record.c - DMARC records (RFC 9989 4.7, 4.8): a list of tags. A tag with an error is
 * ignored; the others still count.
 *
 * One pass over the text: the time is linear in its length.
 */
#include "dmarc.h"

const char *const dmarc_policy_names[4] = {"none", "quarantine", "reject", NULL};

const char *dmarc_policy_name(enum dmarc_policy policy)
{
	return policy == DMARC_NO_POLICY ? "" : dmarc_policy_names[policy - DMARC_POLICY_NONE];
}

static struct slice trim(struct slice text)
{
	while (text.n > 0 && is_blank(text.p[0]))
		text = slice_from(text, 1);
	while (text.n > 0 && is_blank(text.p[text.n - 1]))
		text.n--;
	return text;
}

/* "v", "=", "DMARC1" with blanks between; the value is case-sensitive (RFC 9989 4.7). */
bool dmarc_is_record(struct slice text)
{
	struct slice head;

	if (text.n == 0 || is_blank(text.p[0]))
		return false;
	slice_cut(&text, ';', &head);
	if (slice_find(head, '=') < 0 ||
	    !slice_equal(trim(slice_from(head, (size_t)slice_find(head, '=') + 1)), SLICE("DMARC1")))
		return false;
	return slice_equal_nocase(trim(slice_head(head, (size_t)slice_find(head, '='))), SLICE("v"));
}

/* ---- URIs (RFC 3986, RFC 9989 4.8) --------------------------------------------------- */

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A comma separates URIs and "!" begins a size, so a URI contains neither. */
static bool is_uri_char(char c)
{
	return is_letter(c) || is_digit(c) || (c != '\0' && slice_find(SLICE("-._~:/?#[]@$&'()*+;="), c) >= 0);
}

static bool is_uri(struct slice text)
{
	ptrdiff_t colon = slice_find(text, ':');

	if (colon < 1 || (size_t)colon + 1 == text.n || !is_letter(text.p[0]))
		return false;
	for (ptrdiff_t i = 1; i < colon; i++)
		if (!is_letter(text.p[i]) && !is_digit(text.p[i]) && slice_find(SLICE("+-."), text.p[i]) < 0)
			return false;
	for (size_t i = (size_t)colon + 1; i < text.n; i++) {
		if (is_uri_char(text.p[i]))
			continue;
		if (text.p[i] != '%' || i + 2 >= text.n || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2]))
			return false;
		i += 2;
	}
	return true;
}

/* Digits and an optional unit. */
static bool is_size(struct slice text)
{
	if (text.n > 0 && slice_find(SLICE("kmgtKMGT"), text.p[text.n - 1]) >= 0)
		text.n--;
	for (size_t i = 0; i < text.n; i++)
		if (!is_digit(text.p[i]))
			return false;
	return text.n > 0;
}

static struct slice without_size(struct slice part)
{
	ptrdiff_t mark = slice_find_last(part, '!');

	return mark >= 0 && is_size(slice_from(part, (size_t)mark + 1)) ? slice_head(part, (size_t)mark) : part;
}

bool dmarc_uri_next(struct slice *rest, struct slice *uri_r)
{
	struct slice part;

	while (slice_cut(rest, ',', &part)) {
		part = without_size(trim(part));
		if (!is_uri(part))
			continue;
		*uri_r = part;
		return true;
	}
	return false;
}

bool dmarc_uri_part(struct slice *rest, struct slice *part_r, const char **wrong_r)
{
	const struct slice mailto = SLICE("mailto:");
	struct slice address;

	do {
		if (!slice_cut(rest, ',', part_r))
			return false;
		*part_r = without_size(trim(*part_r));
	} while (part_r->n == 0);
	*wrong_r = NULL;
	address = slice_starts_nocase(*part_r, mailto) ? slice_from(*part_r, mailto.n) : SLICE("");
	if (slice_starts_nocase(address, SLICE("//")))
		*wrong_r = "has // after mailto:; the address must follow directly";
	else if (is_uri(*part_r) && address.n > 0 && slice_find(address, '@') < 0)
		*wrong_r = "has no @";
	else if (!is_uri(*part_r))
		*wrong_r = slice_find(*part_r, ':') < 0 ? "has no scheme: mailto: is missing before the address"
							: "is not a URI such as mailto:dmarc@example.org";
	return true;
}

/* ---- values: each returns NULL, or the error -------------------------------------------- */

static bool is_word(struct slice value, const char *word)
{
	return slice_equal_nocase(value, slice_of(word));
}

static enum dmarc_policy policy_of(struct slice value)
{
	for (int i = 0; dmarc_policy_names[i]; i++)
		if (is_word(value, dmarc_policy_names[i]))
			return (enum dmarc_policy)(i + DMARC_POLICY_NONE);
	return DMARC_NO_POLICY;
}

static const char *read_policy(struct slice value, void *member)
{
	*(enum dmarc_policy *)member = policy_of(value);
	return policy_of(value) == DMARC_NO_POLICY ? "must be none, quarantine or reject" : NULL;
}

/* One of two letters. */
static const char *read_letter(struct slice value, bool *member, const char *no, const char *yes, const char *wrong)
{
	bool is_yes = is_word(value, yes);

	*member = is_yes;
	return is_yes || is_word(value, no) ? NULL : wrong;
}

static const char *read_alignment(struct slice value, void *member)
{
	return read_letter(value, member, "r", "s", "must be r (relaxed) or s (strict)");
}

static const char *read_testing(struct slice value, void *member)
{
	return read_letter(value, member, "n", "y", "must be y or n");
}

static const char *read_psd(struct slice value, void *member)
{
	enum dmarc_psd psd = is_word(value, "y") ? DMARC_PSD_Y : is_word(value, "n") ? DMARC_PSD_N : DMARC_PSD_U;

	*(enum dmarc_psd *)member = psd;
	return psd == DMARC_PSD_U && !is_word(value, "u") ? "must be y, n or u" : NULL;
}

static const char *read_uris(struct slice value, void *member)
{
	struct slice rest = value, uri;

	*(struct slice *)member = dmarc_uri_next(&rest, &uri) ? value : SLICE("");
	return ((struct slice *)member)->n ? NULL : "holds no URI, as in mailto:dmarc@example.org";
}

/* RFC 9989 4.7: 0 and 1 exclude each other, each letter appears once. */
static const char *read_options(struct slice value, void *member)
{
	struct slice rest = value, option;
	const struct slice known = SLICE("01dsDS");
	unsigned seen = 0;

	*(struct slice *)member = SLICE("");
	while (slice_cut(&rest, ':', &option)) {
		ptrdiff_t at;

		option = trim(option);
		at = option.n == 1 ? slice_find(known, option.p[0]) : -1;
		at = at > 3 ? at - 2 : at; /* upper case */
		if (at < 0 || (seen & (1u << at)))
			return "must be a list of 0 or 1, d and s, separated by colons";
		seen |= 1u << at;
	}
	if ((seen & 3u) == 3u)
		return "cannot be both 0 and 1";
	*(struct slice *)member = value;
	return NULL;
}

static const char *read_version(struct slice value, void *member)
{
	(void)member;
	(void)value;
	return NULL; /* checked by dmarc_is_record() */
}

/* ---- tags -------------------------------------------------------------------------------- */

static const struct known_tag {
	const char *name;
	const char *(*read)(struct slice value, void *member); /* NULL: ignored by RFC 9989 */
	size_t offset;
	bool policy; /* an error in it affects the whole record (RFC 9989 4.10.1) */
	const char *about;
} known_tags[] = {
    {"v", read_version, 0, false, "the version of the record"},
    {"p", read_policy, offsetof(struct dmarc_record, p), true, "what to do with mail of this domain that fails DMARC"},
    {"sp", read_policy, offsetof(struct dmarc_record, sp), true, "the same for its subdomains without a record"},
    {"np", read_policy, offsetof(struct dmarc_record, np), true, "the same for subdomains that do not exist"},
    {"adkim", read_alignment, offsetof(struct dmarc_record, strict_dkim), false,
     "how closely the DKIM domain must match: r the same organization, s exactly this domain"},
    {"aspf", read_alignment, offsetof(struct dmarc_record, strict_spf), false,
     "how closely the SPF domain must match: r the same organization, s exactly this domain"},
    {"psd", read_psd, offsetof(struct dmarc_record, psd), false,
     "y a public suffix, n the top of an organization, u unknown (the tree walk decides)"},
    {"t", read_testing, offsetof(struct dmarc_record, testing), false,
     "y: test mode, the policy is applied one step weaker (reject as quarantine, quarantine as none)"},
    {"fo", read_options, offsetof(struct dmarc_record, fo), false, "when failure reports are wanted"},
    {"rua", read_uris, offsetof(struct dmarc_record, rua), false, "where aggregate reports go"},
    {"ruf", read_uris, offsetof(struct dmarc_record, ruf), false,
     "where reports of single failures would go; few receivers send them, Sekisho never does"},
    {"pct", NULL, 0, false, "was the percentage of mail that the policy applied to"},
    {"rf", NULL, 0, false, "was the format of failure reports"},
    {"ri", NULL, 0, false, "was the time between aggregate reports"},
};

#define KNOWN_COUNT (sizeof(known_tags) / sizeof(known_tags[0]))

static const struct known_tag *find_tag(struct slice name)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (slice_equal_nocase(name, slice_of(known_tags[i].name)))
			return &known_tags[i];
	return NULL;
}

/* One extra, missing or wrong letter, or two swapped letters. */
static bool is_slip(struct slice written, struct slice name)
{
	size_t same = 0, tail = 0;

	if (written.n + 1 < name.n || name.n + 1 < written.n)
		return false;
	while (same < written.n && same < name.n && (written.p[same] | 0x20) == name.p[same])
		same++;
	while (tail < written.n - same && tail < name.n - same &&
	       (written.p[written.n - tail - 1] | 0x20) == name.p[name.n - tail - 1])
		tail++;
	if (written.n == name.n && same + tail + 2 == name.n)
		return (written.p[same] | 0x20) == name.p[same + 1] && (written.p[same + 1] | 0x20) == name.p[same];
	return same + tail + 1 >= (written.n > name.n ? written.n : name.n);
}

/* A name of one letter is within one error of every other, so it gives no hint. */
static const char *meant_by(struct slice name)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		if (known_tags[i].read && known_tags[i].name[1] && name.n > 1 &&
		    is_slip(name, slice_of(known_tags[i].name)))
			return known_tags[i].name;
	return NULL;
}

/* RFC 9989 4.8: letters, "=", and printable ASCII. False when it is not a tag. */
static bool split_tag(struct slice text, struct slice *name_r, struct slice *value_r)
{
	ptrdiff_t equals = slice_find(text, '=');

	*value_r = text;
	*name_r = SLICE("");
	if (equals < 1)
		return false;
	*name_r = trim(slice_head(text, (size_t)equals));
	*value_r = trim(slice_from(text, (size_t)equals + 1));
	for (size_t i = 0; i < name_r->n; i++)
		if (!is_letter(name_r->p[i]))
			return false;
	for (size_t i = 0; i < value_r->n; i++)
		if (value_r->p[i] < ' ' || value_r->p[i] > '~')
			return false;
	return name_r->n > 0;
}

/* Reads a value into its record. */
static const char *read_value(const struct known_tag *known, struct slice value, struct dmarc_record *record)
{
	return known->read ? known->read(value, (char *)record + known->offset) : NULL;
}

bool dmarc_tag_next(struct slice *rest, struct dmarc_tag *tag_r)
{
	struct dmarc_record scratch = {.p = DMARC_NO_POLICY};
	const struct known_tag *known;
	struct slice text;

	do {
		if (!slice_cut(rest, ';', &text))
			return false;
		text = trim(text);
	} while (text.n == 0);
	*tag_r = (struct dmarc_tag){.about = ""};
	if (!split_tag(text, &tag_r->name, &tag_r->value)) {
		tag_r->name = SLICE("");
		tag_r->value = text;
		tag_r->wrong = "is not a tag: a tag is a name, =, and a value of printable ASCII";
		return true;
	}
	known = find_tag(tag_r->name);
	if (!known) {
		tag_r->meant = meant_by(tag_r->name);
		return true;
	}
	tag_r->about = known->about;
	tag_r->historic = !known->read;
	tag_r->wrong = read_value(known, tag_r->value, &scratch);
	return true;
}

#define UNKNOWN_MAX 32 /* unknown tags that are compared for each record; real records have far fewer */

/* Names seen so far. */
struct seen {
	unsigned known; /* one bit for each */
	struct slice unknown[UNKNOWN_MAX];
	size_t unknown_count;
};

/* Was it seen before? */
static bool see(struct seen *seen, const struct known_tag *known, struct slice name)
{
	unsigned bit = known ? 1u << (known - known_tags) : 0;
	bool again = seen->known & bit;

	seen->known |= bit;
	if (known)
		return again;
	for (size_t i = 0; i < seen->unknown_count; i++)
		if (slice_equal_nocase(seen->unknown[i], name))
			return true;
	if (seen->unknown_count < UNKNOWN_MAX)
		seen->unknown[seen->unknown_count++] = name;
	return false;
}

void dmarc_record_parse(struct slice text, struct dmarc_record *record_r)
{
	struct slice rest = text, part, name, value;
	struct seen seen = {.known = 1}; /* the version */
	unsigned wrong = 0;

	*record_r = (struct dmarc_record){.text = text};
	slice_cut(&rest, ';', &part); /* the version */
	while (slice_cut(&rest, ';', &part)) {
		bool whole = split_tag(trim(part), &name, &value);
		const struct known_tag *known = find_tag(name);
		unsigned bit = known ? 1u << (known - known_tags) : 0;

		/* RFC 9989 4.7, RFC 6376 3.2: the whole list is invalid. */
		if (name.n > 0 && see(&seen, known, name) && record_r->repeated.n == 0)
			record_r->repeated = name;
		if (!known || !known->read)
			continue;
		/* A value that is not allowed in a record is treated like any other error. */
		wrong &= ~bit;
		if (read_value(known, whole ? value : SLICE(""), record_r) && known->policy)
			wrong |= bit;
	}
	record_r->policy_wrong = wrong || record_r->p == DMARC_NO_POLICY;
}
