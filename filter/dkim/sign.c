/*
 * sign.c - making a DKIM-Signature field (RFC 6376 5).
 *
 * Which fields: those that identify the message for a reader (5.4.1), as often as
 * they occur. Some are named once more than they occur ("oversigned"), so that nobody can add
 * another one and keep the signature valid (8.15). Trace fields (Received) are never signed: they change on the way.
 *
 * The field is written with b= empty, hashed in that form, and then b= is added: folding is part of what is
 * signed under simple canonicalisation.
 */
#include "dkim_private.h"
#include <openssl/rsa.h>
#include <string.h>

#define LINE_WANTED    76 /* RFC 5322 2.1.1 says 78 */
#define TAB_WIDTH      8
#define SIGNATURE_MAX  (DKIM_RSA_BITS_MAX / 8)
#define SIGNATURE_NAME "DKIM-Signature"

/* RFC 6376 5.4.1, and the fields that make a message MIME. */
static const struct {
	const char *name;
	enum more { ONCE_MORE = 1, WHEN_THERE = 2 } more; /* when to name it once more than it occurs; 0: never */
	bool acted_on; /* with oversigned_all: ONCE_MORE, unless `more` says WHEN_THERE */
} usual[] = {
    /* Sendmail adds a missing From, Date or Message-ID after us: naming it would then break the signature. */
    {"From", ONCE_MORE},
    {"Date", WHEN_THERE},
    {"Message-ID", WHEN_THERE},
    {"Subject", ONCE_MORE},
    {"To", ONCE_MORE},
    {"Cc", ONCE_MORE},
    {"Reply-To", ONCE_MORE},
    {"MIME-Version", ONCE_MORE},
    {"Content-Type", ONCE_MORE},
    {"Content-Transfer-Encoding", ONCE_MORE},
    {"In-Reply-To", 0, true},
    {"References", 0, true},
    {"Sender", 0, true},
    {"Content-ID", 0},
    {"Content-Description", 0},
    {"Resent-Date", 0},
    {"Resent-From", 0},
    {"Resent-To", 0},
    {"Resent-Cc", 0},
    {"Resent-Message-ID", 0},
    {"List-Id", 0, true},
    {"List-Help", 0},
    {"List-Unsubscribe", 0, true},
    {"List-Unsubscribe-Post", 0, true},
    {"List-Subscribe", 0},
    {"List-Post", 0},
    {"List-Owner", 0},
    {"List-Archive", 0},
};

/* RFC 6376 5.4: what every relay adds or changes. */
bool dkim_never_signed(struct slice name)
{
	static const char *const names[] = {
	    "Received", "Return-Path", "DKIM-Signature", "Authentication-Results", "Bcc", "Resent-Bcc", NULL};

	for (size_t i = 0; names[i]; i++)
		if (slice_equal_nocase(name, slice_of(names[i])))
			return true;
	return false;
}

/* RFC 8617 4.1.2: their own set covers them. */
static bool is_of_arc(struct slice name)
{
	return slice_equal_nocase(name, SLICE("ARC-Seal")) ||
	       slice_equal_nocase(name, SLICE("ARC-Message-Signature")) ||
	       slice_equal_nocase(name, SLICE("ARC-Authentication-Results"));
}

/* Adds a name, unless it is never signed or already in the list. */
static void add_name(struct signed_name *names, size_t *count, const struct dkim_fields *fields, struct slice name,
		     bool more)
{
	if (dkim_never_signed(name) || is_of_arc(name))
		return;
	for (size_t i = 0; i < *count; i++)
		if (slice_equal_nocase(names[i].name, name))
			return;
	names[(*count)++] = (struct signed_name){name, fields_count(fields, name), more};
}

/* A receiver acts on it: shows it, replies to it, unsubscribes with it. */
static enum more acted_on(struct slice name)
{
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if ((usual[i].more || usual[i].acted_on) && slice_equal_nocase(name, slice_of(usual[i].name)))
			return usual[i].more ? usual[i].more : ONCE_MORE;
	return 0;
}

static bool is_oversigned(const struct dkim_signing *signing, const struct dkim_fields *fields, struct slice name)
{
	enum more more = signing->oversigned_all ? acted_on(name) : 0;

	if (more == ONCE_MORE || (more == WHEN_THERE && (!fields || fields_count(fields, name) > 0)))
		return true;
	for (size_t i = 0; i < signing->oversigned_count; i++)
		if (slice_equal_nocase(name, signing->oversigned[i]))
			return true;
	return slice_equal_nocase(name, SLICE("From"));
}

/* RFC 6376 5.4.1: From must be signed. */
static void add_usual(const struct dkim_signing *signing, const struct dkim_fields *fields, struct signed_name *names,
		      size_t *count)
{
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		struct slice name = slice_of(usual[i].name);
		bool more =
		    usual[i].more == ONCE_MORE || (usual[i].more == WHEN_THERE && fields_count(fields, name) > 0);

		if (signing->oversigned || signing->oversigned_all)
			more = is_oversigned(signing, fields, name);
		add_name(names, count, fields, name, more);
	}
}

size_t signing_names(const struct dkim_signing *signing, const struct dkim_fields *fields, struct arena *arena,
		     const struct signed_name **names_r)
{
	size_t usual_count = sizeof(usual) / sizeof(usual[0]), count = 0;
	struct signed_name *names = arena_alloc(
	    arena, (2 + 2 * usual_count + signing->name_count + signing->oversigned_count) * sizeof(*names));

	if (!signing->names) {
		add_usual(signing, fields, names, &count);
	} else {
		add_name(names, &count, fields, SLICE("From"), true);
		for (size_t i = 0; i < signing->name_count; i++)
			add_name(names, &count, fields, signing->names[i],
				 is_oversigned(signing, fields, signing->names[i]));
	}
	for (size_t i = 0; signing->oversigned_all && i < usual_count; i++)
		if (is_oversigned(signing, fields, slice_of(usual[i].name)))
			add_name(names, &count, fields, slice_of(usual[i].name), true);
	for (size_t i = 0; i < signing->oversigned_count; i++)
		add_name(names, &count, fields, signing->oversigned[i], true);
	if (signing->instance) /* RFC 8617 4.1.2 */
		names[count++] =
		    (struct signed_name){SLICE(SIGNATURE_NAME), fields_count(fields, SLICE(SIGNATURE_NAME)), false};
	*names_r = names;
	return count;
}

bool dkim_signing_covers(const struct dkim_signing *signing, struct slice name)
{
	bool covers = is_oversigned(signing, NULL, name);

	if (signing->instance && (is_of_arc(name) || slice_equal_nocase(name, SLICE(SIGNATURE_NAME))))
		return true;

	for (size_t i = 0; signing->names && i < signing->name_count && !covers; i++)
		covers = slice_equal_nocase(name, signing->names[i]);
	for (size_t i = 0; !signing->names && i < sizeof(usual) / sizeof(usual[0]) && !covers; i++)
		covers = slice_equal_nocase(name, slice_of(usual[i].name));
	return covers && !dkim_never_signed(name);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Puts a word on this line or the next. */
static void write_word(struct writer *writer, struct slice word)
{
	if (writer->column + word.n > LINE_WANTED) {
		text_add(&writer->text, SLICE("\n\t"));
		writer->column = TAB_WIDTH;
	}
	text_add(&writer->text, word);
	writer->column += word.n;
}

void write_tag(struct writer *writer, struct slice tag)
{
	if (writer->column + 1 + tag.n > LINE_WANTED) {
		text_add(&writer->text, SLICE("\n\t"));
		writer->column = TAB_WIDTH;
	} else {
		text_add_char(&writer->text, ' ');
		writer->column++;
	}
	text_add(&writer->text, tag);
	writer->column += tag.n;
}

void write_base64(struct writer *writer, struct slice value)
{
	while (value.n > 0) {
		size_t room = writer->column < LINE_WANTED ? LINE_WANTED - writer->column : 0;
		struct slice head = slice_head(value, room);

		text_add(&writer->text, head);
		writer->column += head.n;
		value = slice_from(value, head.n);
		if (value.n > 0) {
			text_add(&writer->text, SLICE("\n\t"));
			writer->column = TAB_WIDTH;
		}
	}
}

/* The same names in the same order as they are hashed. */
static void write_name(struct writer *writer, struct text *names, struct slice name)
{
	write_word(writer, names->n > 0 ? SLICE(":") : SLICE(""));
	write_word(writer, name);
	if (names->n > 0)
		text_add_char(names, ':');
	text_add(names, name);
}

static void write_names(struct writer *writer, struct text *names, const struct dkim_signing *signing,
			const struct dkim_fields *fields)
{
	const struct signed_name *list;
	size_t count = signing_names(signing, fields, writer->text.arena, &list);

	for (size_t i = 0; i < count; i++)
		for (unsigned left = list[i].count + list[i].more; left > 0; left--)
			write_name(writer, names, list[i].name);
}

/* All tags with an empty b=; the names of h= go to `names`. */
static void write_tags(struct writer *writer, struct text *names, const struct dkim_signing *signing,
		       const struct dkim_fields *fields, const struct dkim_digest *digest)
{
	static const char *const canons[] = {[DKIM_SIMPLE] = "simple", [DKIM_RELAXED] = "relaxed"};
	struct arena *arena = writer->text.arena;
	const char *algorithm = dkim_algorithm_names[dkim_private_algorithm(signing->key)];
	struct slice bh = base64_encode((struct slice){(const char *)digest->hash, DKIM_SHA256_SIZE}, arena);

	write_tag(writer, signing->instance ? arena_printf(arena, "i=%u;", signing->instance) : SLICE("v=1;"));
	write_tag(writer, arena_printf(arena, "a=%s;", algorithm));
	write_tag(writer, arena_printf(arena, "c=%s/%s;", canons[signing->header_canon], canons[signing->body_canon]));
	write_tag(writer, arena_printf(arena, "d=%.*s;", SLICE_ARGS(signing->domain)));
	write_tag(writer, arena_printf(arena, "s=%.*s;", SLICE_ARGS(signing->selector)));
	if (signing->identity.n > 0)
		write_tag(writer, arena_printf(arena, "i=%.*s;", SLICE_ARGS(signing->identity)));
	write_tag(writer, arena_printf(arena, "t=%lld;", (long long)signing->now_s));
	if (signing->lifetime_s > 0)
		write_tag(writer, arena_printf(arena, "x=%lld;", (long long)(signing->now_s + signing->lifetime_s)));
	write_tag(writer, SLICE("h="));
	write_names(writer, names, signing, fields);
	write_word(writer, SLICE(";"));
	write_tag(writer, arena_printf(arena, "bh=%.*s;", SLICE_ARGS(bh)));
	write_tag(writer, SLICE("b="));
}

/* ---- signing ------------------------------------------------------------------------------------ */

static size_t sign_rsa(const EVP_PKEY_CTX *ready, const unsigned char *hash, unsigned char *out)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(ready);
	size_t n = SIGNATURE_MAX;

	if (!context || EVP_PKEY_sign(context, out, &n, hash, DKIM_SHA256_SIZE) != 1)
		n = 0;
	EVP_PKEY_CTX_free(context);
	return n;
}

static size_t sign_ed25519(EVP_PKEY *pkey, const unsigned char *hash, unsigned char *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t n = SIGNATURE_MAX;

	if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) != 1 ||
	    EVP_DigestSign(context, out, &n, hash, DKIM_SHA256_SIZE) != 1)
		n = 0;
	EVP_MD_CTX_free(context);
	return n;
}

static struct slice own_name(const struct dkim_signing *signing)
{
	return signing->instance ? SLICE("ARC-Message-Signature") : SLICE(SIGNATURE_NAME);
}

static void header_hash(const struct dkim_signing *signing, struct dkim_fields *fields, struct slice names,
			struct slice value, struct arena *arena, unsigned char *hash_r)
{
	struct slice own = field_canonical(own_name(signing), value, signing->header_canon, arena);
	EVP_MD_CTX *hash = hash_new(arena);

	fields_hash(fields, names, signing->header_canon, NULL, hash);
	EVP_DigestUpdate(hash, own.p, own.n);
	EVP_DigestFinal_ex(hash, hash_r, NULL);
}

struct slice sign_hash(const struct dkim_signing *signing, const unsigned char *hash, struct arena *arena,
		       struct error *err)
{
	unsigned char signature[SIGNATURE_MAX];
	size_t n = dkim_private_algorithm(signing->key) == DKIM_RSA
		       ? sign_rsa(private_context(signing->key), hash, signature)
		       : sign_ed25519(private_pkey(signing->key), hash, signature);

	if (n > 0)
		return base64_encode((struct slice){(const char *)signature, n}, arena);
	error_set(err, "the crypto library cannot sign with the key of %.*s for %.*s", SLICE_ARGS(signing->selector),
		  SLICE_ARGS(signing->domain));
	return SLICE("");
}

struct slice sign_natively(const struct dkim_signing *signing, struct dkim_fields *fields,
			   const struct dkim_digest *digest, struct arena *arena, struct error *err)
{
	struct writer writer = {.column = own_name(signing).n + 1};
	unsigned char hash[DKIM_SHA256_SIZE];
	struct slice made;
	struct text names;

	text_init(&writer.text, arena, SIZE_MAX / 4);
	text_init(&names, arena, SIZE_MAX / 4);
	write_tags(&writer, &names, signing, fields, digest);
	header_hash(signing, fields, text_slice(&names), text_slice(&writer.text), arena, hash);
	made = sign_hash(signing, hash, arena, err);
	if (made.n == 0)
		return SLICE("");
	write_base64(&writer, made);
	return text_slice(&writer.text);
}
