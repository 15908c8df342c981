/*
 * html.h - HTML from text, and the frame of each page. Private to web/.
 */
#ifndef SEKISHO_WEB_HTML_H
#define SEKISHO_WEB_HTML_H

#include "web_private.h"

#define HTML_MAX   (4 * 1024 * 1024)
#define SOUGHT_MAX 320 /* bytes of a text that is looked for: an address (RFC 5321) */

void html_begin(struct text *out, struct arena *);
void html_text(struct text *out, struct slice said); /* anything, escaped; also right within "" */
void html_add(struct text *out, const char *markup); /* our own markup */
void html_number(struct text *out, uint64_t number);
void html_query(struct text *out, struct slice said);          /* as a value in a URL (RFC 3986 2.1) */
void html_search_link(struct text *out, struct slice address); /* to the stories of an address */
void html_bytes(struct text *out, uint64_t bytes);             /* "1.5 MB" */
void html_age(struct text *out, int64_t us);                   /* "3 hours" */

void page_begin(struct text *out, const char *title, struct slice sought); /* up to the content */
void page_end(struct text *out, struct answer *answer_r);

/* ---- names.c ---- */

struct named {
	struct slice name;
	uint64_t count;
};
struct names {
	struct arena *arena;  /* of the names */
	struct named *places; /* name.p NULL: free */
	size_t room, used;
	uint64_t seed;
};
void names_init(struct names *, struct arena *);
void names_count(struct names *, struct slice name, uint64_t count);
size_t names_top(const struct names *, struct named *top, size_t room); /* how many; the largest first */
void names_free(struct names *);

/* ---- summary.c: the counts of the history in a time ---- */

#define SLOTS_MAX 96
#define TOP       10

enum range { RANGE_HOUR, RANGE_DAY, RANGE_WEEK, RANGE_MONTH };
#define RANGES (RANGE_MONTH + 1)

struct range_kind {
	const char *name, *title; /* "day", "Last day" */
	int64_t slot_us;          /* a bar of the chart */
	size_t slots;
};
extern const struct range_kind ranges[RANGES];
int64_t range_start(const struct range_kind *, int64_t now_us); /* of its first slot; now is in the last one */
/* The slot of a step, which is not before the start; the last one for a clock that was wrong. */
size_t range_slot(const struct range_kind *, int64_t since_us, int64_t step_us);

struct summary {
	const struct range_kind *range;
	int64_t since_us;                            /* the start of the first slot */
	uint64_t verdicts[VERDICT_COUNT][SLOTS_MAX]; /* NONE: aborted */
	struct named top[HISTORY_COUNT_KINDS][TOP];  /* the largest first; of all kinds but VERDICT */
	size_t top_count[HISTORY_COUNT_KINDS];
};
/* Texts live in the arena. 0, or -1 and err. */
int summary_read(const char *path, enum range, int64_t now_us, struct arena *, struct summary *summary_r,
		 struct error *err);

/* ---- chart.c ---- */

/* Also for tiles: one part of each bar. */
struct chart_part {
	size_t row;             /* of the counts */
	const char *word, *css; /* `css`: its class in the style sheet */
};
struct chart {
	const struct range_kind *range;
	int64_t since_us;
	const struct chart_part *parts; /* from below */
	size_t part_count;
	const uint64_t (*counts)[SLOTS_MAX];
	const char *about; /* "Messages by verdict over time" */
};
void chart_add(struct text *out, const struct chart *, struct arena *);
void tiles_add(struct text *out, const struct chart *); /* the sum of each part, and its share */

/* ---- page.c ---- */

enum range range_asked(const struct request *);
/* Links to the same page for each time; `query`: what else is asked there, with its "&", or "". */
void ranges_add(struct text *out, const char *path, const char *query, enum range shown);

/* ---- health.c ---- */

#define KEYS_SHOWN 50 /* domains with keys */
void health_add(struct text *out, const struct web_state *, const struct engine *);

extern const char style_sheet[], page_icon_svg[]; /* style.c */

#endif
