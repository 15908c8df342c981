/*
 * feedback_private.h - the stages of reading: contents inside contents.
 *
 * A file is a content; a mailbox and a message hold parts, which are contents, and an archive holds contents, too. What
 * a content is, is found by its first bytes. Archives hold no archives and no mail, and messages are not counted as a
 * stage of their own, so there are three contents at most at a time.
 */
#ifndef SEKISHO_FEEDBACK_PRIVATE_H
#define SEKISHO_FEEDBACK_PRIVATE_H

#include "feedback.h"
#include "xml_library.h"

#define CONTENT_HEAD 256 /* bytes that tell what a content is: blank lines, a comment and a root element fit */

enum content_place { CONTENT_FILE, CONTENT_PART, CONTENT_TEXT_PART, CONTENT_ARCHIVED };

struct content;
/* One for each kind, in the file of its name. */
struct content_kind {
	void *(*open)(struct content *);
	bool (*bytes)(void *state, struct slice); /* false: no more are needed, for example after content_skip */
	void (*end)(void *state);                 /* all bytes came, and were needed */
	void (*free)(void *state);
	bool bounded; /* by FEEDBACK_REPORT_MAX */
	bool archive; /* it holds contents, which may not be archives */
};
extern const struct content_kind content_xml, content_json, content_gzip, content_zip, content_message, content_mailbox;
/* kinds.c: the kind of a content by its first bytes; NULL: none that is read at this place. */
const struct content_kind *content_kind_of(struct slice head, enum content_place);

struct content {
	struct feedback *feedback;
	enum content_place place;
	const struct content_kind *kind; /* NULL: not known yet, or none that is read */
	void *state;
	uint64_t size;
	bool open, stopped;
	char head[CONTENT_HEAD];
	size_t head_size;
};

struct feedback {
	const struct xml_library *xml2;
	struct feedback_take take;
	struct content file, part, archived;
	uint64_t message;  /* the number in a mailbox; 0: not in one */
	unsigned reported; /* reports of this message, also skipped ones */
};

void content_begin(struct content *, struct feedback *, enum content_place);
/* False: no more are needed. */
bool content_bytes(struct content *, struct slice);
void content_end(struct content *);
void content_drop(struct content *); /* ends it; what it holds is not complete. Also when it was not begun */

/* Tells why a content is not read; always false, for the functions above. */
bool content_skip(struct feedback *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* words.c: how others write values. Texts have no blanks around them. */
enum feedback_result word_result(struct slice, unsigned *notes);
enum feedback_disposition word_disposition(struct slice, unsigned *notes);
bool word_pass(struct slice, unsigned *notes); /* pass or fail */
unsigned word_reason(struct slice, unsigned *notes);
/* Seconds since 1970, also "1337270400.0", milliseconds, and RFC 3339; 0, or -1. */
int word_time(struct slice, int64_t *seconds_r);
int word_count(struct slice, uint64_t *count_r);
struct ip word_source(struct slice, unsigned *notes);

/* elements.c: what the elements of a DMARC report mean. */
struct elements;
struct elements *elements_new(struct feedback *);
void elements_free(struct elements *);
/* NULL, or why the report is refused, static. Names as libxml2 gives them; `space` may be NULL. */
const char *elements_start(struct elements *, const char *name, const char *space);
void elements_text(struct elements *, struct slice);
void elements_end(struct elements *);
bool elements_complete(const struct elements *); /* the root element has ended */
const char *elements_finish(struct elements *);  /* gives the report; NULL, or what is missing, static */

#endif
