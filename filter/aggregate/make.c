/*
 * make.c - the reports of a domain about a day: rows of the store, one after the other.
 */
#include "aggregate_private.h"

#include <stdio.h>

#define PAGE    500 /* rows that are read at a time */
#define DAY_S   INT64_C(86400)
#define XML_MAX 10 /* XML bytes for each compressed one that a report may have: readers bound both */
#define ID_SIZE 20 /* hexadecimal digits of an identifier after the day */

struct making {
	struct aggregate *aggregate;
	const struct aggregate_request *request;
	struct arena *arena;      /* of the report */
	struct arena *page_arena; /* emptied with each page */
	struct aggregate_report *report;
	struct error *err;
	struct sheet *sheet;      /* NULL: no row yet */
	uint32_t policy;          /* of its rows */
	bool full;                /* the next row belongs to another part */
	char last[STORE_KEY_MAX]; /* the member of the latest row */
	size_t last_n;
};

/* ---- names ----------------------------------------------------------------------------------------- */

/* The time of the day in it makes it readable; the rest makes it unique for us and this part. */
static struct slice make_id(const struct making *making, struct slice organization, struct slice email)
{
	const struct aggregate_request *request = making->request;
	unsigned char hash[HASH_KEYED_SIZE];
	struct arena *arena = making->arena;
	char day[NUMBER_TEXT];
	struct slice all = arena_join(arena, organization, SLICE("\n"), email, SLICE("\n"), request->domain,
				      SLICE("\n"), number_print(request->day, day), SLICE("\n"), request->part);
	struct text text;

	hash_keyed(SLICE("report"), all, hash);
	text_init(&text, arena, NUMBER_TEXT + ID_SIZE);
	text_add_number(&text, request->day, 5);
	text_add_char(&text, 'd');
	for (size_t i = 0; i < ID_SIZE / 2; i++)
		text_printf(&text, "%02x", hash[i]);
	return text_slice(&text);
}

/* The domain of the mailbox that reports come from. */
static struct slice submitter_of(struct slice email)
{
	return slice_from(email, (size_t)(slice_find_last(email, '@') + 1));
}

static void name_report(struct making *making, struct sheet_head *head)
{
	struct aggregate_report *report = making->report;
	struct slice us, domain = making->request->domain;
	char begin[NUMBER_TEXT], end[NUMBER_TEXT];

	pthread_mutex_lock(&making->aggregate->lock);
	head->organization = arena_copy(making->arena, slice_of(making->aggregate->settings.organization));
	head->email = arena_copy(making->arena, slice_of(making->aggregate->settings.email));
	head->contact = arena_copy(making->arena, slice_of(making->aggregate->settings.contact));
	pthread_mutex_unlock(&making->aggregate->lock);
	us = submitter_of(head->email);
	report->begin = head->begin = making->request->day * DAY_S;
	report->end = head->end = head->begin + DAY_S - 1;
	report->id = head->id = make_id(making, head->organization, head->email);
	report->file = arena_join(making->arena, us, SLICE("!"), domain, SLICE("!"), number_print(head->begin, begin),
				  SLICE("!"), number_print(head->end, end), SLICE("!"), head->id, SLICE(".xml.gz"));
	report->subject = arena_join(making->arena, SLICE("Report Domain: "), domain, SLICE(" Submitter: "), us,
				     SLICE(" Report-ID: <"), head->id, SLICE(">"));
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* The configuration of a row. A row without one is reported to nobody: nothing says to whom. */
static int begin_sheet(struct making *making, uint32_t policy)
{
	struct sheet_head head = {
	    .xml2 = making->aggregate->xml2, .domain = making->request->domain, .keep_xml = making->request->keep_xml};
	char key[REPORT_KEY];
	struct dmarc_record record;
	struct store_item item;
	enum store_answer answer = store_get(
	    making->aggregate->store, key_policy(making->request->day, head.domain, policy, key), making->arena, &item);

	if (answer == STORE_UNAVAILABLE) {
		error_set(making->err, "the store does not answer");
		return -1;
	}
	if (answer != STORE_OK || item.kind != STORE_VALUE ||
	    !policy_read(item.value, &head.discovery, &head.trouble, &head.record))
		head.record = SLICE("v=DMARC1; p=none");
	dmarc_record_parse(head.record, &record);
	making->report->rua = record.rua;
	making->report->record = head.record;
	name_report(making, &head);
	making->policy = policy;
	making->sheet = sheet_open(&head);
	return 0;
}

/* The bytes of a row; empty: they are missing. */
static int find_row(struct making *making, struct slice member, struct slice *row_r)
{
	char key[REPORT_KEY];
	struct store_item item;
	enum store_answer answer;

	*row_r = member;
	if (!row_is_long(member))
		return 0;
	answer =
	    store_get(making->aggregate->store, key_row(making->request->day, (const unsigned char *)member.p, key),
		      making->page_arena, &item);
	*row_r = answer == STORE_OK && item.kind == STORE_VALUE ? item.value : SLICE("");
	if (answer != STORE_UNAVAILABLE)
		return 0;
	error_set(making->err, "the store does not answer");
	return -1;
}

static bool is_full(const struct making *making)
{
	size_t gz, xml;

	sheet_size(making->sheet, &gz, &xml);
	return gz > making->request->max_bytes || xml > XML_MAX * making->request->max_bytes;
}

/* A row that is damaged is left out. 0, or -1. */
static int add_row(struct making *making, const struct store_item *item)
{
	struct aggregate_message message;
	struct slice row;
	uint32_t policy = 0;

	if (find_row(making, item->key, &row) < 0)
		return -1;
	if (item->count == 0 || row.n <= ROW_POLICY ||
	    !row_read(row, making->request->domain, making->page_arena, &message))
		return 0;
	memcpy(&policy, item->key.p, ROW_POLICY);
	if (making->sheet && (policy != making->policy || is_full(making))) {
		making->full = true;
		return 0;
	}
	if (!making->sheet && begin_sheet(making, policy) < 0)
		return -1;
	sheet_row(making->sheet, &message, item->count);
	making->report->rows++;
	making->report->messages += item->count;
	making->last_n = item->key.n;
	memcpy(making->last, item->key.p, item->key.n);
	return 0;
}

static int add_page(struct making *making, const struct store_page *page)
{
	for (size_t i = 0; i < page->count && !making->full; i++)
		if (add_row(making, &page->items[i]) < 0)
			return -1;
	return 0;
}

static int add_rows(struct making *making)
{
	char key[REPORT_KEY], after[STORE_KEY_MAX];
	struct slice from = slice_head(making->request->part, sizeof(after));
	struct store_page page;
	size_t n = from.n;

	if (n > 0)
		memcpy(after, from.p, n);
	do {
		arena_reset(making->page_arena);
		if (store_sums(making->aggregate->store, key_domain(making->request->day, making->request->domain, key),
			       (struct slice){after, n}, PAGE, making->page_arena, &page) != STORE_OK) {
			error_set(making->err, "the store does not answer");
			return -1;
		}
		if (add_page(making, &page) < 0)
			return -1;
		n = page.next.n < sizeof(after) ? page.next.n : 0;
		if (n > 0)
			memcpy(after, page.next.p, n);
	} while (n > 0 && !making->full);
	return 0;
}

/* ---- a report -------------------------------------------------------------------------------------------- */

int aggregate_make(struct aggregate *aggregate, const struct aggregate_request *request, struct arena *arena,
		   struct aggregate_report *report_r, struct error *err)
{
	struct making making = {.aggregate = aggregate,
				.request = request,
				.arena = arena,
				.page_arena = arena_new(),
				.report = report_r,
				.err = err};
	int rc;

	*report_r = (struct aggregate_report){0};
	rc = add_rows(&making);
	if (making.sheet && !sheet_close(making.sheet, arena, &report_r->gz, &report_r->xml) && rc == 0) {
		error_set(err, "the report about %.*s cannot be written", SLICE_ARGS(request->domain));
		rc = -1;
	}
	if (making.full)
		report_r->next = arena_copy(arena, (struct slice){making.last, making.last_n});
	arena_free(making.page_arena);
	return rc < 0 ? -1 : making.sheet != NULL;
}
