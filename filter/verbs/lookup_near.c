/*
 * lookup_near.c - TXT records that were meant to be DMARC or DKIM records but are not.
 */
#include "lookup_near.h"
#include "mail.h"

struct teller {
	struct lookup *lookup;
	struct slice name;
	const char *version;
	lookup_tell *tell;
	void *context;
};

static void tell(struct teller *teller, const char *code, const char *what)
{
	if (teller->tell)
		teller->tell(teller->context, code,
			     arena_printf(teller->lookup->arena, "the record at %.*s is not read: %s",
					  SLICE_ARGS(teller->name), what));
}

static struct slice skip_blanks(struct slice text)
{
	while (text.n > 0 && is_blank(text.p[0]))
		text = slice_from(text, 1);
	return text;
}

/* What is before the first letter. */
struct front {
	bool blank, quote, unseen;
};

static struct slice skip_front(struct slice text, struct front *front)
{
	*front = (struct front){false, false, false};
	while (text.n > 0) {
		if (is_blank(text.p[0]))
			front->blank = true;
		else if (text.p[0] == '"' || text.p[0] == '\'')
			front->quote = true;
		else if ((unsigned char)text.p[0] >= 0x80)
			front->unseen = true;
		else
			break;
		text = slice_from(text, 1);
	}
	return text;
}

/* "v = DMARC1": its word, and what comes after it. False: the text does not begin so. */
static bool take_version(struct slice text, struct slice *word_r, bool *equals_r, struct slice *rest_r)
{
	size_t n = 0;

	if (text.n == 0 || (text.p[0] | 0x20) != 'v')
		return false;
	text = skip_blanks(slice_from(text, 1));
	*equals_r = text.n > 0 && text.p[0] == '=';
	if (!*equals_r && (text.n == 0 || text.p[0] != ':'))
		return false;
	text = skip_blanks(slice_from(text, 1));
	while (n < text.n &&
	       ((text.p[n] | 0x20) >= 'a' ? (text.p[n] | 0x20) <= 'z' : text.p[n] >= '0' && text.p[n] <= '9'))
		n++;
	*word_r = slice_head(text, n);
	*rest_r = skip_blanks(slice_from(text, n));
	return true;
}

/* What follows v= */
static bool is_near_version(struct teller *teller, struct slice text)
{
	struct slice version = slice_of(teller->version), family = slice_head(version, version.n - 1), word, rest;
	struct arena *arena = teller->lookup->arena;
	const char *begin = arena_printf(arena, "it must begin with v=%s;", teller->version).p;
	bool equals;

	if (!take_version(text, &word, &equals, &rest)) {
		if (!slice_starts_nocase(text, family))
			return false;
		tell(teller, "version", begin);
		return true;
	}
	if (!slice_starts_nocase(word, family))
		return false;
	if (!equals || (!slice_equal_nocase(word, version)))
		tell(teller, "version", begin);
	else if (!slice_equal(word, version))
		tell(teller, "version-case", arena_printf(arena, "%s is written in capitals", teller->version).p);
	if (rest.n > 0 && rest.p[0] != ';')
		tell(teller, "semicolon", arena_printf(arena, "a semicolon is missing after v=%s", teller->version).p);
	return true;
}

bool lookup_near(struct lookup *lookup, struct slice name, struct slice text, const char *version, lookup_tell *told,
		 void *context)
{
	struct slice plain = arena_without(lookup->arena, text, '\\');
	struct teller silent = {lookup, name, version, NULL, NULL}, teller = {lookup, name, version, told, context};
	struct front front;
	struct slice begin = skip_front(plain, &front);

	if (!is_near_version(&silent, begin))
		return false;
	if (front.blank)
		tell(&teller, "leading-blank", "there is a blank before it: remove it");
	if (front.quote)
		tell(&teller, "quotes", "the quotes are part of the text: remove them");
	if (front.unseen)
		tell(&teller, "leading-blank", "there is an invisible character before it: type it again");
	if (plain.n < text.n)
		tell(&teller, "backslash", "there are backslashes in it, usually before semicolons: remove them");
	return is_near_version(&teller, begin);
}

/* ---- other names ------------------------------------------------------------------------ */

static bool ask(struct teller *teller, struct slice right)
{
	struct lookup *lookup = teller->lookup;
	const struct dns_answer *answer;

	if (teller->name.n == 0 || teller->name.n > MAIL_DOMAIN_MAX)
		return false;
	answer = dns_ask(lookup->budget, teller->name, DNS_TXT);
	for (size_t i = 0; i < answer->count; i++) {
		if (!lookup_near(lookup, teller->name, answer->records[i].text, teller->version, NULL, NULL))
			continue;
		teller->tell(teller->context, "wrong-name",
			     arena_printf(lookup->arena, "%.*s has the record \"%.*s\", which belongs at %.*s",
					  SLICE_ARGS(teller->name), SLICE_ARGS(answer->records[i].text),
					  SLICE_ARGS(right)));
		return true;
	}
	return false;
}

/* "s1._domainkey" without its underscores. */
static struct slice without_underscores(struct slice prefix, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, prefix.n);
	for (size_t i = 0; i < prefix.n; i++)
		if (prefix.p[i] != '_')
			text_add_char(&out, prefix.p[i]);
	return text_slice(&out);
}

unsigned lookup_near_names(struct lookup *lookup, struct slice prefix, struct slice domain, const char *version,
			   lookup_tell *told, void *context)
{
	struct arena *arena = lookup->arena;
	struct slice dot = SLICE("."), right = arena_join(arena, prefix, dot, domain);
	ptrdiff_t inner = slice_find(prefix, '.');
	struct slice first = slice_head(prefix, inner < 0 ? 0 : (size_t)inner);
	struct slice last = slice_from(prefix, (size_t)(inner + 1));
	const struct slice names[] = {
	    domain,
	    arena_join(arena, without_underscores(prefix, arena), dot, domain),
	    arena_join(arena, right, dot, domain),
	    arena_join(arena, right, dot, right),
	    /* only one half of "s1._domainkey" */
	    inner < 0 ? SLICE("") : arena_join(arena, first, dot, domain),
	    inner < 0 ? SLICE("") : arena_join(arena, last, dot, domain),
	};
	struct teller teller = {lookup, SLICE(""), version, told, context};
	unsigned found = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		teller.name = names[i];
		found += ask(&teller, right);
	}
	return found;
}
