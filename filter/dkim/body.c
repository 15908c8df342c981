/*
 * body.c - the canonical body (RFC 6376 3.4.3, 3.4.4), hashed while it streams.
 *
 * For each canonicalisation that somebody wants there is one running hash. What may
 * still vanish is held back as counters, never as bytes: line ends (empty lines at the
 * end of the body do not count), a blank (relaxed: blanks at the end of a line do not
 * count, others become one space), a CR that may belong to a line end.
 *
 * Speed: nearly all bytes stand for themselves. Blocks without anything odd are found
 * first, by a loop that compilers turn into vector instructions, and go to the hash
 * in one piece; only what is odd is looked at byte by byte. A bare LF is taken as a line end,
 * since MTAs make CRLF of it; a bare CR is a byte like others.
 */
#include "dkim_private.h"
#include <endian.h>
#include <string.h>

#define BLOCK       64
#define SPACES_MAX  32 /* a longer run is looked at byte by byte, so that none is looked at again and again */
#define BUFFER      4096
#define DIRECT      1024 /* from so many bytes on a run goes to the hash without a copy */
#define DIGESTS_MAX 64   /* of one canonicalisation; verifying and signing want DKIM_SIGNATURES or so */

struct canon {
	enum dkim_canon kind;
	EVP_MD_CTX *hash;                         /* NULL: nobody wants it */
	struct dkim_digest *digests[DIGESTS_MAX]; /* by length */
	size_t count, next;                       /* next: the first that is not filled */
	uint64_t length;                          /* bytes so far */
	uint64_t lines;                           /* line ends held back */
	bool blank, cr;                           /* held back behind them, in this order */
	size_t n;
	char buffer[BUFFER]; /* on the way to the hash */
};

struct dkim_body {
	struct arena *arena;
	EVP_MD_CTX *copy;
	struct canon canon[2];
	bool ended;
};

static void release_hash(void *hash)
{
	EVP_MD_CTX_free(hash);
}

static EVP_MD_CTX *hash_new(struct arena *arena)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		die("the crypto library has no SHA-256");
	arena_own(arena, hash, release_hash);
	return hash;
}

struct dkim_body *dkim_body_new(struct arena *arena)
{
	struct dkim_body *body = arena_alloc(arena, sizeof(*body));

	body->arena = arena;
	body->canon[DKIM_RELAXED].kind = DKIM_RELAXED;
	return body;
}

const struct dkim_digest *dkim_body_want(struct dkim_body *body, enum dkim_canon kind, uint64_t length)
{
	struct canon *canon = &body->canon[kind];
	size_t at = 0;

	while (at < canon->count && canon->digests[at]->length < length)
		at++;
	if (at < canon->count && canon->digests[at]->length == length)
		return canon->digests[at];
	if (canon->count == DIGESTS_MAX)
		return NULL;
	if (!body->copy)
		body->copy = hash_new(body->arena);
	if (!canon->hash)
		canon->hash = hash_new(body->arena);
	memmove(&canon->digests[at + 1], &canon->digests[at], (canon->count - at) * sizeof(canon->digests[0]));
	canon->digests[at] = arena_alloc(body->arena, sizeof(*canon->digests[at]));
	canon->digests[at]->length = length;
	canon->count++;
	return canon->digests[at];
}

/* ---- to the hash ------------------------------------------------------------------ */

static void digest_fill(struct dkim_body *body, const struct canon *canon, struct dkim_digest *digest)
{
	if (EVP_MD_CTX_copy_ex(body->copy, canon->hash) != 1 || EVP_DigestFinal_ex(body->copy, digest->hash, NULL) != 1)
		die("the crypto library cannot finish a SHA-256");
	digest->reached = true;
}

/* Where a wanted length ends the state is copied. Behind the last one only the length counts. */
static void hash_add(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	while (canon->next < canon->count) {
		uint64_t left = canon->digests[canon->next]->length - canon->length;
		size_t part = left < n ? (size_t)left : n;

		if (part > 0)
			EVP_DigestUpdate(canon->hash, p, part);
		canon->length += part;
		p += part;
		n -= part;
		if (left > part || canon->digests[canon->next]->length == DKIM_WHOLE)
			break;
		digest_fill(body, canon, canon->digests[canon->next++]);
	}
	canon->length += n;
}

static void buffer_flush(struct dkim_body *body, struct canon *canon)
{
	hash_add(body, canon, canon->buffer, canon->n);
	canon->n = 0;
}

static void put(struct dkim_body *body, struct canon *canon, char c)
{
	if (canon->n == BUFFER)
		buffer_flush(body, canon);
	canon->buffer[canon->n++] = c;
}

/* What was held back turns out to stand in the middle. */
static void let_go(struct dkim_body *body, struct canon *canon)
{
	for (; canon->lines > 0; canon->lines--) {
		put(body, canon, '\r');
		put(body, canon, '\n');
	}
	if (canon->blank)
		put(body, canon, ' ');
	if (canon->cr)
		put(body, canon, '\r');
	canon->blank = canon->cr = false;
}

/* ---- canonicalisation ---------------------------------------------------------------- */

static bool may_vanish(char c)
{
	return c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

/* Bytes that stand for themselves; nothing is held back. */
static void put_run(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	if (n > BUFFER - canon->n)
		buffer_flush(body, canon);
	if (n >= DIRECT) {
		buffer_flush(body, canon);
		hash_add(body, canon, p, n);
		return;
	}
	memcpy(canon->buffer + canon->n, p, n);
	canon->n += n;
}

static void add_byte(struct dkim_body *body, struct canon *canon, char c)
{
	if (c == '\n') {
		canon->cr = canon->blank = false;
		canon->lines++;
		return;
	}
	if (canon->cr)
		let_go(body, canon);
	if (c == '\r') {
		canon->cr = true;
	} else if (canon->kind == DKIM_RELAXED && (c == ' ' || c == '\t')) {
		canon->blank = true;
	} else {
		if (canon->lines > 0 || canon->blank)
			let_go(body, canon);
		put(body, canon, c);
	}
}

static void add_bytes(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	for (const char *end = p + n; p < end; p++)
		add_byte(body, canon, *p);
}

/* Bytes without anything odd. At both ends there may be blanks and line ends that belong to what is odd around them. */
static void add_plain(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	size_t sure;

	for (; n > 0 && may_vanish(*p) && (canon->cr || canon->blank || *p == '\n'); p++, n--)
		add_byte(body, canon, *p);
	for (sure = n; sure > 0 && may_vanish(p[sure - 1]);)
		sure--;
	if (sure > 0) {
		let_go(body, canon);
		put_run(body, canon, p, sure);
	}
	add_bytes(body, canon, p + sure, n - sure);
}

/* As above, and behind the bytes stands something visible: nothing at their end can vanish. */
static void add_sure(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	for (; n > 0 && may_vanish(*p) && (canon->cr || canon->blank || *p == '\n'); p++, n--)
		add_byte(body, canon, *p);
	if (n > 0) {
		let_go(body, canon);
		put_run(body, canon, p, n);
	}
}

/* Relaxed: how many of the spaces at p do not count, when what stands behind them says so at a glance: all but one
 * before something visible, all before a line end with something visible behind it. Else 0. */
static size_t needless(const char *p, const char *end)
{
	size_t n = 0;

	while (n < SPACES_MAX && end - p > 3 && *p == ' ')
		n++, p++;
	if (n == 0 || n == SPACES_MAX || end - p < 3)
		return 0;
	if ((unsigned char)p[0] > ' ')
		return n - 1;
	return p[0] == '\r' && p[1] == '\n' && (unsigned char)p[2] > ' ' ? n : 0;
}

/* What is odd in a block, byte by byte: an LF without its CR (the byte before it), and when relaxed a tab, and a space
 * before a blank or a line end. Looks at one byte behind the block. True when nothing is. Compilers make
 * vectors of these loops. */
static bool find_odd(enum dkim_canon kind, const char *p, unsigned char odd_r[BLOCK])
{
	unsigned char any = 0;

	if (kind == DKIM_SIMPLE)
		for (int i = 0; i < BLOCK; i++)
			odd_r[i] = (unsigned char)((p[i + 1] == '\n') & (p[i] != '\r'));
	else
		for (int i = 0; i < BLOCK; i++) {
			unsigned char c = (unsigned char)p[i], next = (unsigned char)p[i + 1];

			odd_r[i] = (unsigned char)((c == '\t') | ((c == ' ') & (next <= ' ')) |
						   ((next == '\n') & (c != '\r')));
		}
	for (int i = 0; i < BLOCK; i++)
		any |= odd_r[i];
	return any == 0;
}

/* The same as bits, the first byte's lowest: the multiplication moves eight of them beside each other. */
static uint64_t odd_bits(const unsigned char odd[BLOCK])
{
	uint64_t bits = 0, eight;

	for (int i = 0; i < BLOCK / 8; i++) {
		memcpy(&eight, odd + 8 * (size_t)i, sizeof(eight));
		bits |= ((le64toh(eight) * UINT64_C(0x0102040810204080)) >> 56) << (8 * i);
	}
	return bits;
}

/* Adds the bytes from start to the last odd one of the block. Returns what comes next. */
static const char *add_block(struct dkim_body *body, struct canon *canon, const char *start, const char *block,
			     uint64_t odd, const char *end)
{
	for (; odd != 0; odd &= odd - 1) {
		const char *p = block + __builtin_ctzll(odd);
		size_t skip;

		if (p < start)
			continue;
		skip = canon->kind == DKIM_RELAXED ? needless(p, end) : 0;
		if (skip > 0) {
			add_sure(body, canon, start, (size_t)(p - start));
		} else {
			add_plain(body, canon, start, (size_t)(p - start));
			add_byte(body, canon, *p);
			skip = 1;
		}
		start = p + skip;
	}
	return start;
}

static void canon_add(struct dkim_body *body, struct canon *canon, const char *p, const char *end)
{
	unsigned char odd[BLOCK];
	const char *start = p;

	for (; end - p > BLOCK; p += BLOCK)
		if (!find_odd(canon->kind, p, odd))
			start = add_block(body, canon, start, p, odd_bits(odd), end);
	if (start < p)
		add_plain(body, canon, start, (size_t)(p - start));
	else
		p = start;
	add_bytes(body, canon, p, (size_t)(end - p));
}

void dkim_body_add(struct dkim_body *body, struct slice chunk)
{
	for (int i = 0; i < 2; i++)
		if (body->canon[i].hash)
			canon_add(body, &body->canon[i], chunk.p, chunk.p + chunk.n);
}

/* ---- the end ------------------------------------------------------------------------------ */

/* RFC 6376 3.4.3: a body ends with one CRLF, and an empty one is a CRLF; 3.4.4: relaxed, an empty one is empty. */
static void canon_end(struct dkim_body *body, struct canon *canon)
{
	if (canon->cr)
		let_go(body, canon);
	buffer_flush(body, canon);
	if (canon->length > 0 || canon->kind == DKIM_SIMPLE)
		hash_add(body, canon, "\r\n", 2);
	else
		hash_add(body, canon, "", 0);
	/* It is the longest; lengths that the body does not reach may stand before it. */
	if (canon->digests[canon->count - 1]->length == DKIM_WHOLE)
		digest_fill(body, canon, canon->digests[canon->count - 1]);
}

void dkim_body_end(struct dkim_body *body)
{
	for (int i = 0; i < 2 && !body->ended; i++)
		if (body->canon[i].hash)
			canon_end(body, &body->canon[i]);
	body->ended = true;
}

uint64_t dkim_body_length(const struct dkim_body *body, enum dkim_canon kind)
{
	return body->canon[kind].length;
}

const struct dkim_digest *body_digest(const struct dkim_body *body, enum dkim_canon kind, uint64_t length)
{
	for (size_t i = 0; i < body->canon[kind].count; i++)
		if (body->canon[kind].digests[i]->length == length)
			return body->canon[kind].digests[i];
	return NULL;
}
