/*
 * signature.c - reading a DKIM-Signature field (RFC 6376 3.5, 6.1.1).
 *
 * A syntax error is `neutral` (RFC 8601 2.7.1: syntax errors, or not able to be
 * processed); a permanent violation of a rule is `permerror`; what
 * we could accept but do not is `policy`.
 */
#include "dkim_private.h"
#include <string.h>

#define B_SHOWN 8 /* RFC 6008 4: characters of b= that tell signatures apart */

void signature_judge(struct signature *signature, enum dkim_result result, const char *reason)
{
	if (signature->seen->result != DKIM_NONE)
		return;
	signature->seen->result = result;
	signature->seen->reason = slice_of(reason);
}

static struct slice value_of(const struct tags *tags, const char *name)
{
	const struct tag *tag = tags_find(tags, name);

	return tag ? tag->value : SLICE("");
}

/* RFC 8616: U-labels in the header, A-labels in the DNS. A selector is a name of the same form. */
static bool read_name(struct slice text, struct arena *arena, struct slice *name_r)
{
	bool valid = false;
	struct slice name = text.n <= MAIL_PATH_MAX ? domain_normalise(text, arena, &valid) : SLICE("");

	*name_r = valid ? name : SLICE("");
	return valid;
}

bool signature_key_name(struct slice value, struct arena *arena, struct slice *name_r)
{
	struct slice domain, selector;

	if (value.n > DKIM_FIELD_MAX)
		return false;
	if (!read_name(tags_glance(value, 'd'), arena, &domain) ||
	    !read_name(tags_glance(value, 's'), arena, &selector))
		return false;
	*name_r = key_name(selector, domain, arena);
	return true;
}

/* ---- the tags, one by one. Each returns NULL or what is wrong --------------------------- */

static int hex_of(char c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 6376 2.11 dkim-quoted-printable; blanks are not part of it. */
static struct slice unquoted(struct slice text, struct arena *arena)
{
	char *out = arena_alloc(arena, text.n);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (strchr(" \t\r\n", text.p[i]) && text.p[i])
			continue;
		if (text.p[i] == '=' && i + 2 < text.n && hex_of(text.p[i + 1]) >= 0 && hex_of(text.p[i + 2]) >= 0) {
			out[n++] = (char)(hex_of(text.p[i + 1]) << 4 | hex_of(text.p[i + 2]));
			i += 2;
		} else {
			out[n++] = text.p[i];
		}
	}
	return (struct slice){out, n};
}

/* RFC 6376 3.5: the domain of i= is d= or below it. */
static const char *read_identity(struct signature *signature, const struct tags *tags, struct arena *arena)
{
	const struct tag *tag = tags_find(tags, "i");
	struct slice identity, domain = signature->seen->domain;
	ptrdiff_t at;

	signature->identity_domain = domain;
	if (!tag || signature->arc)
		return NULL;
	signature->seen->identity = identity = unquoted(tag->value, arena);
	at = slice_find_last(identity, '@');
	if (at < 0 || !read_name(slice_from(identity, (size_t)at + 1), arena, &signature->identity_domain))
		return "i= is not an identity";
	if (!slice_equal(signature->identity_domain, domain) && !domain_is_below(signature->identity_domain, domain))
		return "i= is outside the domain of d=";
	return NULL;
}

static const char *read_algorithm(struct signature *signature, struct arena *arena)
{
	signature->seen->algorithm = arena_lower(arena, signature->seen->algorithm);
	signature->historic = slice_equal(signature->seen->algorithm, SLICE("rsa-sha1"));
	if (signature->historic)
		return NULL;
	for (int i = 0; dkim_algorithm_names[i]; i++) {
		if (!slice_equal(signature->seen->algorithm, slice_of(dkim_algorithm_names[i])))
			continue;
		signature->algorithm = (enum dkim_algorithm)i;
		return NULL;
	}
	return "a= is unknown";
}

static bool read_canon(struct slice word, enum dkim_canon *canon_r)
{
	*canon_r = slice_equal_nocase(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return *canon_r == DKIM_RELAXED || slice_equal_nocase(word, SLICE("simple"));
}

/* RFC 6376 3.5: simple/simple by default, the second word simple by default. */
static const char *read_canons(struct signature *signature, const struct tags *tags)
{
	const struct tag *tag = tags_find(tags, "c");
	struct slice rest = tag ? tag->value : SLICE("simple"), header, body = SLICE("simple");

	slice_cut(&rest, '/', &header);
	if (rest.p)
		body = rest;
	if (!read_canon(header, &signature->header_canon) || !read_canon(body, &signature->body_canon))
		return "c= is unknown";
	return NULL;
}

static const char *read_length(struct signature *signature, const struct tags *tags)
{
	const struct tag *tag = tags_find(tags, "l");

	signature->length = DKIM_WHOLE;
	if (tag && slice_number(tag->value, DKIM_WHOLE - 1, &signature->length) < 0)
		return "l= is not a number";
	return NULL;
}

static const char *read_b(struct signature *signature, const struct tags *tags, struct arena *arena)
{
	const struct tag *b = tags_find(tags, "b");

	signature->b_raw = b->raw;
	if (base64_decode(b->value, arena, &signature->b) < 0 || signature->b.n == 0)
		return "b= is not base64";
	signature->seen->bytes = signature->b;
	signature->seen->b = slice_head(base64_encode(slice_head(signature->b, B_SHOWN / 4 * 3), arena), B_SHOWN);
	return NULL;
}

static const char *read_body_hash(struct signature *signature, const struct tags *tags, struct arena *arena)
{
	if (base64_decode(value_of(tags, "bh"), arena, &signature->bh) < 0)
		return "bh= is not base64";
	if (signature->bh.n != DKIM_SHA256_SIZE && !signature->historic)
		return "bh= is not a SHA-256 hash";
	return NULL;
}

/* RFC 6376 5.4.2, 3.5: h= names header fields, From among them. RFC 8617 4.1.2: and not the seal of the set, which is
 * made after it. */
static void judge_names(struct signature *signature)
{
	struct slice rest = signature->names, item;
	unsigned count = 0;
	bool from = false;

	while (items_next(&rest, &item)) {
		if (item.n == 0 && !signature->arc) /* those who seal do write it, and it names nothing */
			signature_judge(signature, DKIM_NEUTRAL, "h= has an empty name");
		if (++count > DKIM_NAMES_MAX) {
			signature_judge(signature, DKIM_NEUTRAL, "h= has too many names");
			return;
		}
		from = from || slice_equal_nocase(item, SLICE("from"));
		if (signature->arc && slice_equal_nocase(item, SLICE("arc-seal")))
			signature_judge(signature, DKIM_PERMERROR, "ARC-Seal is signed");
	}
	if (!from)
		signature_judge(signature, DKIM_PERMERROR, "From is not signed");
}

/* -1: it is not there */
static const char *read_time(const struct tags *tags, const char *name, int64_t *time_r)
{
	const struct tag *tag = tags_find(tags, name);
	uint64_t number;

	*time_r = -1;
	if (!tag)
		return NULL;
	if (tag->value.n == 0)
		return "t= or x= is not a number";
	for (size_t i = 0; i < tag->value.n; i++)
		if (tag->value.p[i] < '0' || tag->value.p[i] > '9')
			return "t= or x= is not a number";
	/* RFC 6376 3.5: values far in the future must be accepted. */
	*time_r = slice_number(tag->value, INT64_MAX, &number) == 0 ? (int64_t)number : INT64_MAX;
	return NULL;
}

static void judge_times(struct signature *signature, const struct tags *tags, int64_t now_s)
{
	int64_t made, expires;
	const char *wrong = read_time(tags, "t", &made);

	signature->made_s = made;
	if (!wrong)
		wrong = read_time(tags, "x", &expires);
	if (wrong)
		signature_judge(signature, DKIM_NEUTRAL, wrong);
	else if (made >= 0 && expires >= 0 && expires <= made)
		signature_judge(signature, DKIM_PERMERROR, "it expired before it was made");
	else if (made - DKIM_CLOCK_SKEW > now_s && !signature->arc) /* RFC 6376 3.5: MAY */
		signature_judge(signature, DKIM_POLICY, "it was made in the future");
	else if (expires >= 0 && expires < now_s)
		signature_judge(signature, DKIM_POLICY, "it has expired");
}

/* ---- the field --------------------------------------------------------------------------- */

/* DKIM-Signature, ARC-Message-Signature, ARC-Seal */
enum signature_form { FORM_DKIM, FORM_MESSAGE, FORM_SEAL };

static const char *missing_tag(const struct tags *tags, enum signature_form form)
{
	static const struct {
		const char *name, *reason;
		enum signature_form from, to;
	} needed[] = {
	    {"v", "v= is missing", FORM_DKIM, FORM_DKIM}, {"a", "a= is missing", FORM_DKIM, FORM_SEAL},
	    {"b", "b= is missing", FORM_DKIM, FORM_SEAL}, {"bh", "bh= is missing", FORM_DKIM, FORM_MESSAGE},
	    {"d", "d= is missing", FORM_DKIM, FORM_SEAL}, {"h", "h= is missing", FORM_DKIM, FORM_MESSAGE},
	    {"s", "s= is missing", FORM_DKIM, FORM_SEAL},
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (form >= needed[i].from && form <= needed[i].to && !tags_find(tags, needed[i].name))
			return needed[i].reason;
	return NULL;
}

static void judge_syntax(struct signature *signature, const char *wrong)
{
	if (wrong)
		signature_judge(signature, DKIM_NEUTRAL, wrong);
}

static void judge_names_of_signer(struct signature *signature, const struct tags *tags, struct arena *arena)
{
	struct dkim_signature *seen = signature->seen;
	const char *wrong;

	if (!read_name(value_of(tags, "d"), arena, &seen->domain) && tags_find(tags, "d"))
		signature_judge(signature, DKIM_PERMERROR, "d= is not a domain");
	if (!read_name(value_of(tags, "s"), arena, &seen->selector) && tags_find(tags, "s"))
		signature_judge(signature, DKIM_PERMERROR, "s= is not a selector");
	wrong = read_identity(signature, tags, arena);
	if (wrong)
		signature_judge(signature, DKIM_PERMERROR, wrong);
}

/* All tags of the field; false: it is not a tag list. */
static bool read_tags(struct signature *signature, struct tags *tags)
{
	struct slice value = signature->field->value;

	if (value.n > DKIM_FIELD_MAX)
		signature_judge(signature, DKIM_NEUTRAL, "the field is longer than 64 KB");
	else
		judge_syntax(signature, tags_parse(value, tags));
	return signature->seen->result == DKIM_NONE;
}

/* What every form has; false: a tag is missing. */
static bool read_signer(struct signature *signature, const struct tags *tags, enum signature_form form,
			struct arena *arena)
{
	const char *missing = missing_tag(tags, form);

	signature->seen->algorithm = value_of(tags, "a");
	if (missing)
		signature_judge(signature, DKIM_PERMERROR, missing);
	else if (form == FORM_DKIM && !slice_equal(value_of(tags, "v"), SLICE("1")))
		signature_judge(signature, DKIM_PERMERROR, "v= is not 1");
	judge_names_of_signer(signature, tags, arena);
	return !missing;
}

void signature_read(struct signature *signature, const struct dkim_rules *rules, struct arena *arena)
{
	const struct tag *queries;
	struct tags tags;

	if (!read_tags(signature, &tags))
		return;
	signature->names = value_of(&tags, "h");
	if (!read_signer(signature, &tags, signature->arc ? FORM_MESSAGE : FORM_DKIM, arena))
		return;
	queries = tags_find(&tags, "q");
	judge_syntax(signature, read_algorithm(signature, arena));
	judge_syntax(signature, read_canons(signature, &tags));
	judge_syntax(signature, read_length(signature, &tags));
	judge_syntax(signature, read_b(signature, &tags, arena));
	judge_syntax(signature, read_body_hash(signature, &tags, arena));
	if (queries && !items_have(queries->value, SLICE("dns/txt")))
		signature_judge(signature, DKIM_NEUTRAL, "q= is unknown");
	judge_names(signature);
	judge_times(signature, &tags, rules->now_s);
}

void signature_read_seal(struct signature *signature, struct arena *arena, struct slice *status_r)
{
	struct tags tags;

	*status_r = SLICE("");
	if (!read_tags(signature, &tags))
		return;
	*status_r = arena_lower(arena, value_of(&tags, "cv"));
	if (tags_find(&tags, "h")) /* RFC 8617 4.1.3 */
		signature_judge(signature, DKIM_PERMERROR, "a seal has no h=");
	if (!read_signer(signature, &tags, FORM_SEAL, arena))
		return;
	judge_syntax(signature, read_algorithm(signature, arena));
	judge_syntax(signature, read_b(signature, &tags, arena));
}
