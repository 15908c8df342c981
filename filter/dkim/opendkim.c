/*
 * opendkim.c - libopendkim as the second engine.
 *
 * We judge algorithms, l=, From and the key ourselves, before and after it. It gets only what it treats as we do:
 * fields below a bound, signatures that are to be verified, lines that end in CRLF, and keys that we print again; for
 * any other message its result does not count. A signature passes only without an error, with the flag, and with a
 * matching body hash. It uses one key for all signatures of a selector, and it takes a t= below its clock drift for a
 * time in the future: such signatures are given to it separately.
 */
#include "opendkim_library.h"
#include "second.h"
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MOST 60000 /* bytes; it accepts fields below 64 KB */
#define MESSAGE_ID "sekisho"

struct dkim_library {
	const struct opendkim_library *opendkim;
	DKIM_LIB *lib;       /* one serves all threads */
	DKIM_LIB *driftless; /* for signatures of the first minutes of 1970 */
};

/* One handle; the next ones get other signatures of the same message. */
struct second {
	struct second *next; /* NULL: the last */
	const struct opendkim_library *opendkim;
	bool *shown; /* for each signature: this handle gets it */
	struct arena *arena;
	DKIM *dkim;           /* NULL: it could not take the message */
	DKIM_SIGINFO **infos; /* its list of the signatures that it got, in the order of their fields */
	const struct signature *signatures;
	size_t count;
	const struct key *const *keys;
	char last;    /* byte of the body; '\0' before the first */
	bool bare_cr; /* it does not hash them as we do: its result does not count */
};

/* ---- keys ------------------------------------------------------------------------------------ */

static bool print_key(const struct key *key, struct arena *arena, char *buffer, size_t room)
{
	unsigned char raw[32], *der = NULL;
	size_t n = sizeof(raw);
	struct slice p;

	if (key->algorithm == DKIM_ED25519) {
		if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &n) != 1)
			return false;
		p = base64_encode((struct slice){(const char *)raw, n}, arena);
	} else {
		int length = i2d_PUBKEY(key->pkey, &der);

		if (length < 0)
			return false;
		p = base64_encode((struct slice){(const char *)der, (size_t)length}, arena);
		OPENSSL_free(der);
	}
	return snprintf(buffer, room, "v=DKIM1; k=%s; p=%.*s", key->algorithm == DKIM_RSA ? "rsa" : "ed25519",
			SLICE_ARGS(p)) < (int)room;
}

/* A signature that it could not read has no names. */
static bool is_of(const struct opendkim_library *opendkim, DKIM_SIGINFO *info, const struct dkim_signature *seen)
{
	const char *domain = (const char *)opendkim->dkim_sig_getdomain(info);
	const char *selector = (const char *)opendkim->dkim_sig_getselector(info);

	return domain && selector && slice_equal_nocase(slice_of(domain), seen->domain) &&
	       slice_equal_nocase(slice_of(selector), seen->selector);
}

/* Whose signatures libopendkim verifies in this thread. */
static _Thread_local const struct second *asking;

/* Instead of the DNS: the keys that we chose, one for each signature, because two signatures of one selector can
 * have different keys. */
static DKIM_CBSTAT find_key(DKIM *dkim, DKIM_SIGINFO *info, u_char *buffer, size_t room)
{
	const struct second *second = asking;

	(void)dkim;
	for (size_t i = 0, next = 0; second->infos && i < second->count; i++) {
		if (!second->shown[i] || second->infos[next++] != info)
			continue;
		if (second->keys[i] && is_of(second->opendkim, info, second->signatures[i].seen) &&
		    print_key(second->keys[i], second->arena, (char *)buffer, room))
			return DKIM_CBSTAT_CONTINUE;
	}
	second->opendkim->dkim_sig_seterror(info, DKIM_SIGERROR_KEYFAIL);
	return DKIM_CBSTAT_ERROR;
}

/* ---- the library -------------------------------------------------------------------------------- */

static DKIM_LIB *library_new(const struct opendkim_library *opendkim, uint64_t drift_s)
{
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC | DKIM_LIBFLAGS_BADSIGHANDLES;
	DKIM_LIB *lib = opendkim->dkim_init(NULL, NULL);

	if (!lib)
		die("libopendkim cannot be opened");
	opendkim->dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags));
	opendkim->dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_CLOCKDRIFT, &drift_s, sizeof(drift_s));
	opendkim->dkim_set_key_lookup(lib, find_key);
	return lib;
}

struct dkim_library *dkim_library_open(struct error *err)
{
	const struct opendkim_library *opendkim = opendkim_library_open(err);
	struct dkim_library *library = opendkim ? xmalloc(sizeof(*library)) : NULL;

	if (!library)
		return NULL;
	library->opendkim = opendkim;
	library->lib = library_new(opendkim, DKIM_CLOCK_SKEW);
	library->driftless = library_new(opendkim, 0);
	return library;
}

void dkim_library_close(struct dkim_library *library)
{
	if (!library)
		return;
	library->opendkim->dkim_close(library->lib);
	library->opendkim->dkim_close(library->driftless);
	free(library);
}

/* ---- a message ------------------------------------------------------------------------------------- */

static void release(void *what)
{
	struct second *second = what;

	if (second->dkim)
		second->opendkim->dkim_free(second->dkim);
}

static void give_up(struct second *second)
{
	release(second);
	second->dkim = NULL;
}

/* A control character in a name: it reads such a name differently. Legitimate mail has none. */
static bool is_odd(struct slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ')
			return true;
	return false;
}

/* A signature that will not be verified is not given to it; it then cannot judge another signature over that field. */
static bool is_wanted(const struct second *second, const struct header_field *field)
{
	if (!slice_equal_nocase(slice_trim(field->name), SLICE("DKIM-Signature")))
		return true;
	for (size_t i = 0; i < second->count; i++)
		if (second->signatures[i].field == field)
			return second->shown[i];
	return false;
}

static void add_field(struct second *second, const struct header_field *field)
{
	struct slice text = field_canonical(field->name, field->value, DKIM_SIMPLE, second->arena);

	if (!second->dkim || !is_wanted(second, field))
		return;
	/* Even SYNTAX for a bad signature does not matter: later good ones still verify. */
	if (is_odd(field->name) || text.n > FIELD_MOST ||
	    second->opendkim->dkim_header(second->dkim, (u_char *)text.p, text.n) > DKIM_STAT_SYNTAX)
		give_up(second);
}

/* It subtracts the drift from t= without a sign. */
static bool is_early(const struct signature *signature)
{
	return signature->made_s >= 0 && signature->made_s < DKIM_CLOCK_SKEW;
}

/* May one handle get both? */
static bool go_together(const struct signature *a, const struct signature *b)
{
	return is_early(a) == is_early(b) &&
	       !(slice_equal(a->seen->domain, b->seen->domain) && slice_equal(a->seen->selector, b->seen->selector));
}

/* Gives the handle as many of the remaining signatures as can go together. Returns one of them; NULL: none is left. */
static const struct signature *choose_shown(struct second *second, const struct second *before)
{
	const struct signature *first = NULL;

	for (size_t i = 0; i < second->count; i++) {
		const struct signature *signature = &second->signatures[i];
		bool wanted = signature->digest != NULL;

		for (const struct second *other = before; other && wanted; other = other->next)
			wanted = !other->shown[i];
		for (size_t k = 0; k < i && wanted; k++)
			wanted = !second->shown[k] || go_together(signature, &second->signatures[k]);
		second->shown[i] = wanted;
		if (wanted && !first)
			first = signature;
	}
	return first;
}

static void show(struct second *second, DKIM_LIB *lib, const struct headers *headers)
{
	DKIM_STAT status;

	second->dkim = second->opendkim->dkim_verify(lib, (const unsigned char *)MESSAGE_ID, NULL, &status);
	arena_own(second->arena, second, release);
	if (!second->dkim)
		return;
	for (size_t i = 0; i < headers->count; i++)
		add_field(second, &headers->fields[i]);
	if (!second->dkim)
		return;
	asking = second;
	status = second->opendkim->dkim_eoh(second->dkim);
	if (status != DKIM_STAT_OK && status != DKIM_STAT_NOSIG)
		give_up(second);
}

struct second *second_begin(struct dkim_library *library, const struct headers *headers,
			    const struct signature *signatures, size_t count, struct arena *arena)
{
	struct second *all = NULL;

	for (;;) {
		struct second *second = arena_alloc(arena, sizeof(*second));
		const struct signature *first;

		*second = (struct second){.opendkim = library->opendkim,
					  .arena = arena,
					  .signatures = signatures,
					  .count = count,
					  .next = all};
		second->shown = arena_alloc(arena, (count + 1) * sizeof(*second->shown));
		first = choose_shown(second, all);
		if (all && !first)
			return all;
		if (first)
			show(second, is_early(first) ? library->driftless : library->lib, headers);
		all = second;
	}
}

static void add(struct second *second, const char *p, size_t n)
{
	if (second->dkim && n > 0 && second->opendkim->dkim_body(second->dkim, (u_char *)p, n) != DKIM_STAT_OK)
		give_up(second);
}

static bool has_bare_cr(char last, const char *p, const char *end)
{
	if (p < end && last == '\r' && *p != '\n')
		return true;
	while (p < end && (p = memchr(p, '\r', (size_t)(end - p))) != NULL)
		if (++p < end && *p != '\n')
			return true;
	return false;
}

static void add_body(struct second *second, struct slice chunk)
{
	const char *p = chunk.p, *end = p + chunk.n, *found;

	second->bare_cr = second->bare_cr || has_bare_cr(second->last, p, end);
	while (p < end && (found = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		bool cr = found > p ? found[-1] == '\r' : second->last == '\r';

		add(second, p, (size_t)(found - p));
		add(second, cr ? "\n" : "\r\n", cr ? 1 : 2);
		second->last = '\n';
		p = found + 1;
	}
	add(second, p, (size_t)(end - p));
	if (p < end)
		second->last = end[-1];
}

void second_body(struct second *all, struct slice chunk)
{
	for (struct second *second = all; second; second = second->next)
		add_body(second, chunk);
}

static enum second_word word_of(const struct opendkim_library *opendkim, DKIM_SIGINFO *info)
{
	int error = opendkim->dkim_sig_geterror(info);
	int body = opendkim->dkim_sig_getbh(info);

	if (error == DKIM_SIGERROR_OK && (opendkim->dkim_sig_getflags(info) & DKIM_SIGFLAG_PASSED) &&
	    body == DKIM_SIGBH_MATCH)
		return SECOND_PASS;
	if (error != DKIM_SIGERROR_OK && error != DKIM_SIGERROR_BADSIG && error != DKIM_SIGERROR_UNKNOWN)
		return SECOND_UNABLE;
	return body == DKIM_SIGBH_MISMATCH ? SECOND_FAIL_BODY : SECOND_FAIL_HEADER;
}

static int count_shown(const struct second *second)
{
	int count = 0;

	for (size_t i = 0; i < second->count; i++)
		count += second->shown[i];
	return count;
}

static void end(struct second *second, enum second_word *words_r)
{
	int count = 0, next = 0;

	if (second->last && second->last != '\n')
		add(second, "\r\n", 2);
	if (!second->dkim || second->bare_cr || second->last == '\r')
		return;
	if (second->opendkim->dkim_getsiglist(second->dkim, &second->infos, &count) != DKIM_STAT_OK ||
	    count != count_shown(second))
		second->infos = NULL;
	if (!second->infos)
		return;
	asking = second;
	second->opendkim->dkim_eom(second->dkim, NULL);
	/* They come in the order of their fields. The result of one must never count for another. */
	for (size_t i = 0; i < second->count; i++) {
		DKIM_SIGINFO *info = second->shown[i] ? second->infos[next++] : NULL;

		if (info && is_of(second->opendkim, info, second->signatures[i].seen))
			words_r[i] = word_of(second->opendkim, info);
	}
}

void second_end(struct second *all, const struct key *const *keys, enum second_word *words_r)
{
	for (size_t i = 0; i < all->count; i++)
		words_r[i] = SECOND_UNABLE;
	for (struct second *second = all; second; second = second->next) {
		second->keys = keys;
		end(second, words_r);
	}
}

/* ---- signing ---------------------------------------------------------------------------------------- */

/* It goes through all fields for each signed name. Legitimate mail has about a hundred. */
#define SIGNED_MOST 1000

/* Two signatures can differ in options of the library handle, so each has its own handle. */
static DKIM_LIB *signing_library(const struct dkim_signing *signing, const char **more)
{
	const struct opendkim_library *opendkim = signing->library->opendkim;
	uint64_t now = (uint64_t)signing->now_s, lifetime = (uint64_t)signing->lifetime_s;
	DKIM_LIB *lib = opendkim->dkim_init(NULL, NULL);
	bool set =
	    lib &&
	    opendkim->dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &now, sizeof(now)) == DKIM_STAT_OK &&
	    opendkim->dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, more, sizeof(more)) == DKIM_STAT_OK &&
	    (lifetime == 0 || opendkim->dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNATURETTL, &lifetime,
						     sizeof(lifetime)) == DKIM_STAT_OK);

	if (!set)
		die("libopendkim does not accept its options");
	return lib;
}

static bool is_signed(const struct signed_name *names, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal_nocase(names[i].name, name))
			return true;
	return false;
}

/* It signs every field it gets. 0, or -1: it does not accept them. */
static int add_signed(struct second *second, struct dkim_fields *fields, const struct signed_name *names, size_t count,
		      enum dkim_canon canon)
{
	size_t field_count, seen = 0;
	const struct header_field *list = fields_list(fields, &field_count);

	for (size_t i = 0; i < field_count; i++) {
		struct slice name = slice_trim(list[i].name), text;

		if (!is_signed(names, count, name))
			continue;
		text = field_canonical(canon == DKIM_RELAXED ? name : list[i].name, list[i].value, DKIM_SIMPLE,
				       second->arena);
		if (++seen > SIGNED_MOST || text.n > FIELD_MOST ||
		    second->opendkim->dkim_header(second->dkim, (u_char *)text.p, text.n) != DKIM_STAT_OK)
			return -1;
	}
	return second->opendkim->dkim_eoh(second->dkim) == DKIM_STAT_OK ? 0 : -1;
}

static void take(void *second, struct slice chunk)
{
	second_body(second, chunk);
}

/* NULL, or why not. */
static const char *sign_body(struct second *second, struct spool *spool)
{
	if (spool_read(spool, take, second))
		return spool_trouble(spool);
	if (second->last && second->last != '\n')
		add(second, "\r\n", 2);
	if (second->bare_cr || second->last == '\r')
		return "the body has a bare CR, which it would drop";
	if (!second->dkim || second->opendkim->dkim_eom(second->dkim, NULL) != DKIM_STAT_OK)
		return "it cannot sign this message";
	return NULL;
}

/* As milters fold: by LF. */
static struct slice value_of(struct second *second)
{
	struct text text;
	u_char *header;
	size_t n;

	if (second->opendkim->dkim_getsighdr_d(second->dkim, sizeof("DKIM-Signature: ") - 1, &header, &n) !=
	    DKIM_STAT_OK)
		return SLICE("");
	text_init(&text, second->arena, n + 1);
	text_add_char(&text, ' ');
	for (size_t i = 0; i < n; i++)
		if (header[i] != '\r')
			text_add_char(&text, (char)header[i]);
	return text_slice(&text);
}

static DKIM *signer_new(DKIM_LIB *lib, const struct dkim_signing *signing, struct arena *arena)
{
	static const dkim_canon_t canons[] = {[DKIM_SIMPLE] = DKIM_CANON_SIMPLE, [DKIM_RELAXED] = DKIM_CANON_RELAXED};
	char *pem = arena_cstring(arena, dkim_private_pem(signing->key, arena));
	const struct opendkim_library *opendkim = signing->library->opendkim;
	DKIM_STAT status;
	DKIM *dkim =
	    opendkim->dkim_sign(lib, (const u_char *)MESSAGE_ID, NULL, (dkim_sigkey_t)pem,
				(const u_char *)arena_cstring(arena, signing->selector),
				(const u_char *)arena_cstring(arena, signing->domain), canons[signing->header_canon],
				canons[signing->body_canon], DKIM_SIGN_RSASHA256, -1, &status);

	OPENSSL_cleanse(pem, strlen(pem));
	if (dkim && signing->identity.n > 0)
		opendkim->dkim_set_signer(dkim, (const u_char *)arena_cstring(arena, signing->identity));
	return dkim;
}

static const char **named_once_more(const struct signed_name *names, size_t count, struct arena *arena)
{
	const char **more = arena_alloc(arena, (count + 1) * sizeof(*more));
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (names[i].more)
			more[n++] = arena_cstring(arena, names[i].name);
	return more;
}

struct slice second_sign(const struct dkim_signing *signing, struct dkim_fields *fields, struct arena *arena,
			 struct error *err)
{
	const struct signed_name *names;
	size_t count = signing_names(signing, fields, arena, &names);
	DKIM_LIB *lib = signing_library(signing, named_once_more(names, count, arena));
	struct second second = {
	    .opendkim = signing->library->opendkim, .arena = arena, .dkim = signer_new(lib, signing, arena)};
	const char *trouble = spool_trouble(signing->spool);
	struct slice value = SLICE("");

	if (!trouble && (!second.dkim || add_signed(&second, fields, names, count, signing->header_canon)))
		trouble = "it does not accept this header";
	if (!trouble)
		trouble = sign_body(&second, signing->spool);
	if (!trouble)
		value = value_of(&second);
	if (value.n == 0)
		error_set(err, "libopendkim: %s", trouble ? trouble : "it returned no signature");
	release(&second);
	second.opendkim->dkim_close(lib);
	return value;
}
