/*
 * name.h - domain names inside the DNS room.
 *
 * A name comes as text (RFC 1035 5.1: labels with dots between, \DDD and \X for
 * bytes that would mean something else, a trailing dot or none) and is kept as
 * it goes over the wire: a length byte before each label, a zero byte at the
 * end. A question is a name in lower case with a type and their hash.
 */
#ifndef SEKISHO_DNS_NAME_H
#define SEKISHO_DNS_NAME_H

#include "dns.h"

#define NAME_WIRE_MAX  255                     /* RFC 1035 2.3.4 */
#define NAME_LABEL_MAX 63                      /* the same */
#define NAME_PIECE     16                      /* bytes that a processor handles at once */
#define NAME_TEXT_MAX  (4 * NAME_WIRE_MAX + 1) /* every byte as \DDD, and a NUL */

struct name {
	size_t n; /* with the zero byte at the end */
	uint8_t wire[(NAME_WIRE_MAX + NAME_PIECE - 1) / NAME_PIECE * NAME_PIECE];
};

/* "" and "." are the root. A byte that is not escaped stands for itself, whatever it is. 0, or -1: it is not a name. */
int name_parse(struct slice text, struct name *name_r);

/* The name at the start of `wire`, uncompressed as in the rdata of a record. 0, or -1: it is not a name. */
int name_read(struct slice wire, struct name *name_r);

/* Text without a trailing dot, "" for the root; what is not printable is \DDD. The slice lives in buffer. */
struct slice name_print(const struct name *, char buffer[NAME_TEXT_MAX]);

void name_lower(struct name *);

/* One escape of presentation form at the start of `text`, which begins with a
 * backslash: \DDD or \X. How many bytes it took, or 0 when it is none. */
size_t escape_read(struct slice text, uint8_t *byte_r);

struct question {
	enum dns_type type;
	uint64_t hash; /* of name and type, seeded: nobody outside can choose two names that meet */
	struct name name;
};

/* 0, or -1: it is not a name. */
int question_make(struct slice name, enum dns_type, uint64_t seed, struct question *question_r);
bool question_equal(const struct question *, const struct question *);

#endif
