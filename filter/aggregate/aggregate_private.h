/*
 * aggregate_private.h - what the files of this room share.
 */
#ifndef SEKISHO_AGGREGATE_PRIVATE_H
#define SEKISHO_AGGREGATE_PRIVATE_H

#include "row.h"
#include "xml_library.h"

#include <pthread.h>
#include <stdatomic.h>

#define SHARDS     64  /* of the rows in memory */
#define BUCKETS    256 /* of a shard */
#define BYTES_MAX  ((size_t)32 << 20)
#define SEEN       65536         /* policy configurations that are known to be in the store */
#define FLUSH_US   (1000 * 1000) /* how often rows go to the store */
#define TELL_US    (60 * 1000 * 1000)
#define REPORT_KEY 300 /* room for "report:20784:" and a domain, or a policy */
#define HASH_TEXT  9   /* eight hexadecimal digits and a NUL */

/* A row that waits for the store, or a policy configuration. */
struct waiting {
	struct waiting *next;
	uint64_t hash, count;
	uint32_t day;
	uint32_t n;      /* of a row, or of the configuration */
	uint32_t policy; /* its hash */
	uint16_t domain_n;
	bool is_policy; /* it goes to the store before the rows */
	bool totalled;  /* it is in the sums of its domain and its day already */
	char bytes[];   /* the domain, then the row */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct waiting **buckets;
};

struct aggregate {
	struct store *store;
	const struct xml_library *xml2;
	struct shard shards[SHARDS];
	uint64_t seed;
	_Atomic unsigned latest;               /* the latest day of a message */
	_Atomic uint64_t seen[SEEN];           /* hashes of policies in the store, by their last bits */
	_Atomic uint64_t messages, rows, lost; /* counted; rows that wait; messages that are in no row */
	_Atomic size_t bytes;                  /* of what waits */
	_Atomic bool unanswered, crowded;      /* the store did not take rows; it is half full */
	pthread_mutex_t lock;                  /* of what follows */
	pthread_cond_t wanted, done;
	bool stop;
	uint64_t asked, answered, failed; /* flushes by number */
	struct {
		char *organization, *email, *contact;
	} settings;
	pthread_t thread;
	struct waiting *pending; /* of the thread: what the store did not take */
	/* Of the thread that reports: */
	int64_t told_at;
	uint64_t told_lost;
	bool in_trouble;
};

/* ---- keys.c ---------------------------------------------------------------------------- */

/* A domain that can be in a key. */
bool domain_is_plain(struct slice domain);
/* "report:DAY"; "report:DAY:DOMAIN"; "report:DAY:policy:HASH:DOMAIN"; in the buffer. */
struct slice key_day(unsigned day, char buffer[REPORT_KEY]);
struct slice key_domain(unsigned day, struct slice domain, char buffer[REPORT_KEY]);
struct slice key_policy(unsigned day, struct slice domain, uint32_t policy, char buffer[REPORT_KEY]);
struct slice key_row(unsigned day, const unsigned char member[ROW_LONG_SIZE], char buffer[REPORT_KEY]);
#define KEY_DAYS SLICE("report:days")
/* The time until the end of what is kept of a day. */
int64_t day_life_us(unsigned day, int64_t wall_us);

/* ---- flush.c ---------------------------------------------------------------------------- */

/* Moves all rows that wait into the store, one thread at a time; what it does not take waits on. */
void flush_rows(struct aggregate *);

/* ---- xml.c ------------------------------------------------------------------------------ */

struct sheet; /* a report that is being written */

struct sheet_head {
	const struct xml_library *xml2;
	struct slice organization, email, contact, id;
	int64_t begin, end;
	struct slice domain, record, trouble;
	enum dmarc_discovery discovery;
	bool keep_xml;
};
struct sheet *sheet_open(const struct sheet_head *);
void sheet_row(struct sheet *, const struct aggregate_message *, uint64_t count);
void sheet_size(const struct sheet *, size_t *gz_r, size_t *xml_r); /* at most so many bytes so far */
/* Ends it: texts are copied into the arena. False: out of memory or an error of a library. */
bool sheet_close(struct sheet *, struct arena *, struct slice *gz_r, struct slice *xml_r);

#endif
