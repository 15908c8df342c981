/*
 * base.h - text, memory, network addresses, time and errors: the base of every
 * other folder, with nothing about mail.
 *
 * Text is a slice: a pointer and a length, without a terminating NUL. The function
 * that makes a slice documents what keeps it alive; usually that is an arena.
 *
 * An arena is the memory of one session or one message. Its pieces are not freed
 * one by one, only all together. When the system is out of memory, the process ends
 * with a message, so no caller checks for NULL. Code that takes a size from outside
 * must bound it first.
 */
#ifndef SEKISHO_BASE_H
#define SEKISHO_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- slices -------------------------------------------------------------- */

struct slice {
	const char *p; /* may be NULL when n is 0 */
	size_t n;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_ARGS(s)  (int)(s).n, (s).p ? (s).p : "" /* for "%.*s"; the slice is under 2 GB */

static inline struct slice slice_of(const char *text) /* of a C string; NULL gives the empty slice */
{
	return (struct slice){text, text ? strlen(text) : 0};
}

/* Inline, since parsers call them for every byte, and a call would cost more than the work. */
static inline struct slice slice_from(struct slice text, size_t start) /* the rest from start; empty when beyond */
{
	if (start > text.n)
		start = text.n;
	return text.n > 0 ? (struct slice){text.p + start, text.n - start} : text;
}

static inline struct slice slice_head(struct slice text, size_t n) /* at most the first n bytes */
{
	return (struct slice){text.p, n < text.n ? n : text.n};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII, independent of the locale; inline, since parsers call them for every byte. */
static inline bool is_blank(char c) /* WSP of RFC 5234 */
{
	return c == ' ' || c == '\t';
}

static inline bool is_space(char c) /* or the end of a line */
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static inline bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool slice_is_ascii(struct slice text);
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII letters only */
bool slice_starts_nocase(struct slice text, struct slice prefix);
bool slice_ends_nocase(struct slice text, struct slice suffix);
struct slice slice_trim(struct slice text);      /* without space, tab, CR, LF at both ends */
ptrdiff_t slice_find(struct slice text, char c); /* index of the first c, or -1 */
ptrdiff_t slice_find_last(struct slice text, char c);

/* Takes the text before the first `separator` off `*rest`. False when *rest is
 * used up (rest->p == NULL); a text "a,b," gives "a", "b" and "". */
bool slice_cut(struct slice *rest, char separator, struct slice *head_r);

/* The next word of `*rest` between blanks (space, tab, CR, LF); false at the end. */
bool slice_word(struct slice *rest, struct slice *word_r);

/* Decimal digits only, no sign, at most `max`; 0, or -1. */
int slice_number(struct slice text, uint64_t max, uint64_t *number_r);

#define NUMBER_TEXT 20                                               /* room for the longest printed number */
struct slice number_print(int64_t number, char buffer[NUMBER_TEXT]); /* decimal; the slice lives in buffer */

#define BYTE_ORDER_MARK "\xEF\xBB\xBF" /* some editors write it before UTF-8 text */

/* Length in bytes of the UTF-8 character (RFC 3629) at the start of the text; 0: there is none. */
size_t slice_utf8(struct slice text);
bool slice_is_utf8(struct slice text); /* all of it */

struct arena;

/* Base64 (RFC 4648 4), with blanks in between (RFC 6376 2.10). */
int base64_decode(struct slice text, struct arena *, struct slice *bytes_r); /* -1: it is not base64 */
size_t base64_decode_into(struct slice text, unsigned char *out); /* out has room for text.n; SIZE_MAX: not base64 */
struct slice base64_encode(struct slice bytes, struct arena *);

/* ---- truth --------------------------------------------------------------- */

/* For conditions that cannot always be evaluated: unknown is neither true nor false, and never treated as either. */
enum truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_UNKNOWN };

/* ---- waiting ------------------------------------------------------------- */

/* Who wants to know when somebody waits for a server: `waits` is called before and after, in the thread that waits.
 * waits NULL: nobody does. */
struct wait_hook {
	void (*waits)(void *context, bool begins);
	void *context;
};

/* ---- memory -------------------------------------------------------------- */

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *);         /* NULL is allowed */
void arena_reset(struct arena *);        /* empty again; keeps one block for the next message */
size_t arena_used(const struct arena *); /* bytes handed out since the last reset */
/* About n bytes will be needed until the next reset: allocates one block for them instead of several growing ones. */
void arena_expect(struct arena *, size_t n);

void *arena_alloc(struct arena *, size_t n); /* aligned for any type, zeroed; never NULL */
void *arena_raw(struct arena *, size_t n);   /* the same, not zeroed: for memory that is overwritten at once */
/* release(what) is called when the arena is reset or freed, in reverse order: for memory that a C library allocated. */
void arena_own(struct arena *, void *what, void (*release)(void *));
struct slice arena_copy(struct arena *, struct slice);
char *arena_cstring(struct arena *, struct slice);              /* NUL-terminated; a NUL inside ends it early for C */
struct slice arena_lower(struct arena *, struct slice);         /* ASCII letters in lower case */
struct slice arena_without(struct arena *, struct slice, char); /* a copy that lacks every such character */
/* Concatenates slices: arena_join(arena, SLICE("d="), domain). For code that runs for every message, where printf would
 * dominate the cost. */
#define arena_join(arena, ...)                                                                                         \
	arena_join_parts((arena), (const struct slice[]){__VA_ARGS__},                                                 \
			 sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))
struct slice arena_join_parts(struct arena *, const struct slice *parts, size_t count);
struct slice arena_printf(struct arena *, const char *format, ...) __attribute__((format(printf, 2, 3), nonnull));

void *xmalloc(size_t n);             /* zeroed; ends the process when out of memory */
void *xrealloc(void *old, size_t n); /* the added part is not zeroed */
char *xstrdup(const char *);

/* Text that grows in an arena up to a limit. What goes beyond the limit is
 * left out and `cut` becomes true. */
struct text {
	struct arena *arena;
	char *p;
	size_t n, room, limit;
	bool cut;
};

void text_init(struct text *, struct arena *, size_t limit);
void text_add(struct text *, struct slice);
void text_add_char(struct text *, char);
void text_add_number(struct text *, uint64_t number, unsigned digits); /* decimal, with zeros up to so many digits */
void text_printf(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct slice text_slice(const struct text *); /* valid until the next addition */
char *text_cstring(struct text *);            /* NUL-terminated; likewise. The NUL is beyond the limit */
void text_reserve(struct text *, size_t n);   /* room for n more bytes and a NUL: the caller may write at p + n */

/* ---- errors -------------------------------------------------------------- */

/* An error as one line for a person: what happened, where, what to do. */
struct error {
	char text[512];
};

void error_set(struct error *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the process (exit code 70) with one line on stderr; for impossible states and out of memory. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die_with(int code); /* another exit code, where a protocol defines it; before threads are started */

/* ---- network addresses ---------------------------------------------------- */

/* An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is kept as the
 * IPv4 address it maps, so every comparison sees one form. */
struct ip {
	uint8_t family;    /* 4, 6, or 0: none (a client without an address) */
	uint8_t bytes[16]; /* the first 4 for IPv4, network order */
};

struct ip_net {
	struct ip ip;
	uint8_t prefix; /* 0..32 or 0..128 */
};

#define IP_TEXT 46 /* room for the longest printed address and a NUL */

struct sockaddr;
int ip_parse(struct slice text, struct ip *ip_r);       /* also "IPv6:2001:db8::1"; 0, or -1 */
struct ip ip_of_sockaddr(const struct sockaddr *);      /* NULL or an unknown family: family 0 */
struct slice ip_print(struct ip, char buffer[IP_TEXT]); /* RFC 5952; the slice lives in buffer; "" for family 0 */
bool ip_equal(struct ip, struct ip);

/* "192.0.2.0/24"; without "/": the one address. Bits after the prefix are cleared. 0, or -1 */
int ip_net_parse(struct slice text, struct ip_net *net_r);
bool ip_net_contains(const struct ip_net *, struct ip); /* families differ: false */

/* May the address be one of a host of the Internet? RFC 6890 */
enum ip_use {
	IP_USE_PUBLIC,  /* yes; also without an address */
	IP_USE_SPECIAL, /* private, loopback, link-local, multicast, reserved and so on */
	IP_USE_EXAMPLE  /* for documentation (RFC 5737, 3849, 9637): examples and trials use it */
};
enum ip_use ip_use(struct ip);

/* ---- where to listen ----------------------------------------------------- */

enum listen_family { LISTEN_UNIX, LISTEN_INET, LISTEN_INET6, LISTEN_FD };

struct listen_address {
	enum listen_family family;
	char path[108]; /* of a unix socket; as long as sun_path of Linux, with the NUL (unix(7)) */
	char host[256]; /* address or name (RFC 1035: 253 bytes at most); "": every address */
	unsigned port;
	int fd; /* of an inherited socket */
};

/* "unix:/PATH", "inet:PORT@HOST", "inet6:PORT@[ADDRESS]", "fd:NUMBER". 0, or -1 and err: why it is not one. */
int listen_parse(struct slice text, struct listen_address *address_r, struct error *);

/* The user of the program at the other end of a TCP connection, when it is on this host. 0, or -1: the kernel does not
 * know it (another host, another kind of socket). */
#define PEER_NOBODY 0xffffffffu /* the other end is closed already, or was reset */
int peer_uid(int fd, unsigned *uid_r);

/* ---- time and random numbers ---------------------------------------------- */

int64_t clock_us(void);                                    /* monotonic, microseconds */
int64_t clock_wall_us(void);                               /* since 1970, microseconds */
struct slice clock_print(int64_t wall_us, struct arena *); /* RFC 3339: "2026-11-21T17:19:40.123Z"; "" in other years */

uint64_t hash_slice(struct slice, uint64_t seed); /* of the bytes */
uint64_t random_seed(void);                       /* from the system */

#define CASE_ID_LENGTH 12
struct slice case_id_new(struct arena *); /* of 60 random bits; digits and lower-case letters without i, l, o and u */
#define HASH_KEYED_SIZE 32
/* HMAC-SHA-256 (RFC 2104); of a key at most 64 bytes count. */
void hash_keyed(struct slice key, struct slice text, unsigned char hash_r[HASH_KEYED_SIZE]);
#define HASH_SHA1_SIZE 20
/* HMAC-SHA-1, for SRS, where it is given; the key has any length. */
void hash_keyed_sha1(struct slice key, struct slice text, unsigned char hash_r[HASH_SHA1_SIZE]);

bool hash_equal(const unsigned char a[HASH_KEYED_SIZE],
		const unsigned char b[HASH_KEYED_SIZE]); /* takes the same time whatever they are */

/* Passwords as scrypt hashes (RFC 7914): "$scrypt$ln=15,r=8,p=1$SALT$HASH". Hashing takes a tenth of a second and 32
 * MB, with the largest costs that are accepted ten times as much. */
struct slice password_hash(struct slice password, struct arena *); /* with a new salt */
bool password_is_hash(struct slice line);
bool password_matches(struct slice line, struct slice password);

/* ---- a spool ------------------------------------------------------------- */

/* Stores bytes that arrive in chunks and are read again later, in an unnamed file (in memory only if no disk is
 * usable). The limit is higher than those of mail servers (Postfix 10 MB by default, large providers 25) and keeps
 * senders from filling our disk. */
#define SPOOL_MAX (32 * 1024 * 1024)

struct spool;
struct spool *spool_new(struct arena *);        /* never NULL: spool_trouble has the error */
void spool_bound(struct spool *, size_t limit); /* another limit than SPOOL_MAX; before the first chunk */
void spool_add(struct spool *, struct slice chunk);
const char *spool_trouble(const struct spool *); /* NULL: all added bytes are stored; else why not, static */
int spool_errno(const struct spool *);           /* of the trouble; EFBIG: the limit. 0 without one */
/* All of it in chunks. 0, or -1: spool_trouble says why. */
int spool_read(struct spool *, void (*take)(void *context, struct slice chunk), void *context);
/* All of it at once, valid until the arena is reset. 0, or -1: spool_trouble says why. */
int spool_map(struct spool *, struct slice *bytes_r);
void spool_close(struct spool *); /* before the arena is freed; NULL and repeated calls are allowed */

/* ---- words --------------------------------------------------------------- */

/* The word of `words` (NULL-terminated) nearest to `wrong`, or NULL when none is
 * near enough (a few wrong letters, or the only word with this beginning): for "did you mean". Ignores case. */
const char *nearest_word(struct slice wrong, const char *const *words);

/* Reads a whole file of at most `limit` bytes into malloc'ed memory (free() it);
 * a NUL follows the text. 0, or -1 and err. "-" is standard input. */
int file_read(const char *path, size_t limit, struct slice *text_r, struct error *err);

/* The same for files that the daemon reads: refuses a pipe, a device or a directory, since reading it may never end. */
int file_read_plain(const char *path, size_t limit, struct slice *text_r, struct error *err);

#endif
