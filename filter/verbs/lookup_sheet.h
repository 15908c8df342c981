/*
 * lookup_sheet.h - a sheet that reports to a person at a terminal: sections with lines, each with a mark, a label and a
 * text.
 *
 * On a terminal, lines are folded at its width and marks have colours (not with NO_COLOR); elsewhere they are neither.
 */
#ifndef SEKISHO_LOOKUP_SHEET_H
#define SEKISHO_LOOKUP_SHEET_H

#include "lookup.h"

enum mark { MARK_NONE, MARK_OK, MARK_NOTE, MARK_WRONG };

struct sheet;
struct sheet *sheet_new(struct lookup *);

void sheet_section(struct sheet *, const char *title);
/* Both texts may come from outside. `format` makes the text. */
void sheet_line(struct sheet *, enum mark, struct slice label, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* An advice: a line of the section, and an object in the JSON array: "level" ("note" or "wrong"), "code", "text". */
void sheet_advice(struct sheet *, enum mark, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool sheet_is_wrong(const struct sheet *); /* is any line marked MARK_WRONG? */
size_t sheet_advice_count(const struct sheet *);
json_t *sheet_advice_json(const struct sheet *); /* all advice so far; the caller owns the reference */
void sheet_print(const struct sheet *);          /* on stdout, with a last line that counts the marks */

/* Prints the sheet, or with --json the object with "advice" in it; releases the object. */
void sheet_finish(struct sheet *, json_t *object);

/* "12 ms", "1.2 s", "5 days" */
struct slice sheet_took(struct lookup *, int64_t microseconds);
struct slice sheet_ttl(struct lookup *, uint32_t seconds); /* "TTL 1h"; "" for 0 */

#endif
