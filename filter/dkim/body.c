/*
 * body.c - the canonical body (RFC 6376 3.4.3, 3.4.4), hashed while it streams.
 *
 * Each requested canonicalisation has one running hash. What may
 * still be dropped is held back as counters, never as bytes: line ends (empty lines at the
 * end of the body do not count), and between chunks a blank (relaxed: blanks at the end of a
 * line do not count, others become one space) and a CR that may belong to a line end.
 * A bare LF counts as a line end, because MTAs turn it into CRLF; a bare CR is an ordinary byte.
 *
 * Speed: nearly all bytes stay as they are. Blocks of such bytes go to the hash in one piece. For any other block,
 * blocks.c marks the bytes that stay, and these are written nearly without a branch, so no choice of bytes makes a
 * body much slower. Only the ends of chunks are processed byte by byte.
 */
#include "blocks.h"
#include <string.h>

#define BUFFER      4096
#define DIRECT      1024 /* runs of at least this many bytes go to the hash without a copy */
#define DIGESTS_MAX 64   /* of one canonicalisation; verifying and signing want DKIM_SIGNATURES or so */

struct canon {
	enum dkim_canon kind;
	EVP_MD_CTX *hash;                         /* NULL: not requested */
	struct dkim_digest *digests[DIGESTS_MAX]; /* by length */
	size_t count, next;                       /* next: the first that is not filled */
	uint64_t length;                          /* bytes so far */
	uint64_t lines;                           /* line ends held back, before what is in the buffer */
	bool blank, cr;                           /* held back after it, in this order */
	size_t n;
	char *buffer; /* canonical text on the way to the hash */
};

struct dkim_body {
	struct arena *arena;
	const struct block_loops *loops; /* by canonicalisation */
	EVP_MD_CTX *copy;                /* NULL: no length has ended yet */
	struct canon canon[2];
	struct watch watch;
	bool ended;
};

struct dkim_body *body_new(struct arena *arena, bool avx2)
{
	struct dkim_body *body = arena_alloc(arena, sizeof(*body));

	body->arena = arena;
	body->loops = block_loops(avx2);
	body->canon[DKIM_RELAXED].kind = DKIM_RELAXED;
	return body;
}

struct dkim_body *dkim_body_new(struct arena *arena)
{
	return body_new(arena, processor_has_avx2());
}

const struct dkim_digest *dkim_body_want(struct dkim_body *body, enum dkim_canon kind, uint64_t length)
{
	struct canon *canon = &body->canon[kind];
	size_t at = 0;

	while (at < canon->count && canon->digests[at]->length < length)
		at++;
	if (at < canon->count && canon->digests[at]->length == length)
		return canon->digests[at];
	if (canon->count == DIGESTS_MAX || body->ended)
		return NULL;
	if (!canon->hash) {
		canon->hash = hash_new(body->arena);
		canon->buffer = arena_raw(body->arena, BUFFER);
	}
	memmove(&canon->digests[at + 1], &canon->digests[at], (canon->count - at) * sizeof(canon->digests[0]));
	canon->digests[at] = arena_alloc(body->arena, sizeof(*canon->digests[at]));
	canon->digests[at]->length = length;
	canon->count++;
	return canon->digests[at];
}

/* ---- to the hash ------------------------------------------------------------------ */

static void digest_fill(EVP_MD_CTX *hash, struct dkim_digest *digest)
{
	if (EVP_DigestFinal_ex(hash, digest->hash, NULL) != 1)
		die("the crypto library cannot finish a SHA-256");
	digest->reached = true;
}

/* A requested length ends here; the hash goes on. */
static void digest_fill_from_copy(struct dkim_body *body, const struct canon *canon, struct dkim_digest *digest)
{
	if (!body->copy)
		body->copy = hash_new(body->arena);
	if (EVP_MD_CTX_copy_ex(body->copy, canon->hash) != 1)
		die("the crypto library cannot copy a SHA-256");
	digest_fill(body->copy, digest);
}

/* Where a requested length ends, the state is copied. After the last one, only the length is counted. */
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
		digest_fill_from_copy(body, canon, canon->digests[canon->next++]);
	}
	canon->length += n;
}

static void lines_let_go(struct dkim_body *body, struct canon *canon)
{
	static const char ends[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"
				   "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	const uint64_t most = (sizeof(ends) - 1) / 2;

	while (canon->lines > 0) {
		uint64_t part = canon->lines < most ? canon->lines : most;

		hash_add(body, canon, ends, 2 * (size_t)part);
		canon->lines -= part;
	}
}

/* Canonical text. The line ends at its end are held back: they may be the end of the body. */
static void emit(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	size_t sure = n;

	while (sure >= 2 && p[sure - 1] == '\n')
		sure -= 2;
	if (sure > 0) {
		lines_let_go(body, canon);
		hash_add(body, canon, p, sure);
	}
	canon->lines += (n - sure) / 2;
}

static void buffer_empty(struct dkim_body *body, struct canon *canon)
{
	emit(body, canon, canon->buffer, canon->n);
	canon->n = 0;
}

/* A CR at the end stays: when an LF follows, emit() must see both. */
static void buffer_flush(struct dkim_body *body, struct canon *canon)
{
	bool cr = canon->n > 0 && canon->buffer[canon->n - 1] == '\r';

	canon->n -= cr;
	buffer_empty(body, canon);
	if (cr)
		canon->buffer[canon->n++] = '\r';
}

static void buffer_reserve(struct dkim_body *body, struct canon *canon, size_t n)
{
	if (n > BUFFER - canon->n)
		buffer_flush(body, canon);
}

/* ---- canonicalisation, byte by byte ---------------------------------------------------- */

static void put(struct dkim_body *body, struct canon *canon, char c)
{
	buffer_reserve(body, canon, 1);
	canon->buffer[canon->n++] = c;
}

static void put_line_end(struct dkim_body *body, struct canon *canon)
{
	buffer_reserve(body, canon, 2);
	canon->buffer[canon->n++] = '\r';
	canon->buffer[canon->n++] = '\n';
}

/* What was held back turns out to be in the middle of a line. */
static void let_go(struct dkim_body *body, struct canon *canon)
{
	if (canon->blank)
		put(body, canon, ' ');
	if (canon->cr)
		put(body, canon, '\r');
	canon->blank = canon->cr = false;
}

static bool is_relaxed_blank(const struct canon *canon, char c)
{
	return canon->kind == DKIM_RELAXED && is_blank(c);
}

static void add_byte(struct dkim_body *body, struct canon *canon, char c)
{
	if (c == '\n') {
		canon->cr = canon->blank = false;
		put_line_end(body, canon);
		return;
	}
	if (canon->cr)
		let_go(body, canon);
	if (c == '\r') {
		canon->cr = true;
	} else if (is_relaxed_blank(canon, c)) {
		canon->blank = true;
	} else {
		let_go(body, canon);
		put(body, canon, c);
	}
}

/* Nothing is held back any more: the next two bytes decide. */
static const char *settle(struct dkim_body *body, struct canon *canon, const char *p)
{
	if (canon->cr && *p == '\n')
		add_byte(body, canon, *p++);
	else if (!canon->cr && (is_relaxed_blank(canon, *p) || *p == '\n' || (*p == '\r' && p[1] == '\n')))
		canon->blank = false; /* the next blank represents it, or the line ends */
	else
		let_go(body, canon);
	return p;
}

/* ---- by blocks: nothing is held back, but line ends ------------------------------------------ */

static void add_odd(struct dkim_body *body, struct canon *canon, const char *p)
{
	buffer_reserve(body, canon, ODD_MAX);
	canon->n = (size_t)(body->loops[canon->kind].odd(p, canon->buffer + canon->n) - canon->buffer);
}

static void add_plain(struct dkim_body *body, struct canon *canon, const char *p, size_t n)
{
	bool cr;

	if (n > 0 && *p == '\n') { /* its CR is the last byte in the buffer */
		put(body, canon, *p++);
		n--;
	}
	if (n < DIRECT) {
		buffer_reserve(body, canon, n);
		memcpy(canon->buffer + canon->n, p, n);
		canon->n += n;
		return;
	}
	buffer_empty(body, canon);
	cr = p[n - 1] == '\r';
	emit(body, canon, p, n - cr);
	if (cr)
		put(body, canon, '\r');
}

/* There is a byte before p, and nothing is held back but line ends. */
static const char *add_blocks(struct dkim_body *body, struct canon *canon, const char *p, const char *end)
{
	while (end - p >= BLOCK + AHEAD) {
		size_t n = body->loops[canon->kind].plain_length(p, (size_t)(end - p) - AHEAD);

		add_plain(body, canon, p, n);
		p += n;
		if (end - p < BLOCK + AHEAD)
			break;
		add_odd(body, canon, p);
		p += BLOCK;
	}
	if (p[-1] == '\r') { /* then it is the last byte in the buffer */
		canon->n--;
		canon->cr = true;
	}
	return p;
}

static void canon_add(struct dkim_body *body, struct canon *canon, const char *p, const char *end)
{
	if (end - p > BLOCK + AHEAD) {
		add_byte(body, canon, *p++); /* from here on there is a byte before each */
		p = settle(body, canon, p);
		p = add_blocks(body, canon, p, end);
	}
	for (; p < end; p++)
		add_byte(body, canon, *p);
}

void dkim_body_watch(struct dkim_body *body, size_t line_max)
{
	body->watch.most = line_max + 2;
}

struct dkim_noticed dkim_body_noticed(const struct dkim_body *body)
{
	return body->watch.noticed;
}

void dkim_body_add(struct dkim_body *body, struct slice chunk)
{
	if (body->watch.most > 0)
		watch_add(&body->watch, chunk);
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
	buffer_empty(body, canon);
	if (canon->length > 0 || canon->kind == DKIM_SIMPLE)
		hash_add(body, canon, "\r\n", 2);
	else
		hash_add(body, canon, "", 0);
	/* It is the longest; lengths that the body does not reach may come before it. */
	if (canon->digests[canon->count - 1]->length == DKIM_WHOLE)
		digest_fill(canon->hash, canon->digests[canon->count - 1]);
}

void dkim_body_end(struct dkim_body *body)
{
	for (int i = 0; i < 2 && !body->ended; i++)
		if (body->canon[i].hash)
			canon_end(body, &body->canon[i]);
	watch_end(&body->watch);
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
