/*
 * aggregate_scene.h - messages that are counted for DMARC reports in a store, and the reports that are made of them.
 */
#ifndef SEKISHO_TEST_AGGREGATE_SCENE_H
#define SEKISHO_TEST_AGGREGATE_SCENE_H

#include "store_scene.h"

#include "../../filter/aggregate/row.h"

#define DAY   20784u
#define SOON  (clock_us() + 120 * SECOND)
#define BEGIN ((int64_t)DAY * 86400)

struct reports {
	struct scene *scene;
	struct aggregate *aggregate;
	struct arena *arena;
};

static const struct aggregate_settings settings = {.organization = SLICE("Example & <Sons>"),
						   .email = SLICE("dmarc@receiver.example"),
						   .contact = SLICE("https://x/")};

static const struct aggregate_signature plain_dkim[] = {{SLICE("example.org"), SLICE("s1"), AGGREGATE_PASS, SLICE("")}};

/* Of a message that passes. */
static inline struct aggregate_message plain(void)
{
	return (struct aggregate_message){
	    .time_us = BEGIN * SECOND + 5 * HOUR,
	    .domain = SLICE("example.org"),
	    .record = SLICE("v=DMARC1; p=reject; rua=mailto:Rep@example.org"),
	    .client = {4, {192, 0, 2, 1}},
	    .header_from = SLICE("example.org"),
	    .envelope_from = SLICE("example.org"),
	    .disposition = AGGREGATE_PASSED,
	    .dkim_aligned = true,
	    .spf_aligned = true,
	    .dkim = plain_dkim,
	    .dkim_count = 1,
	    .spf_domain = SLICE("example.org"),
	    .spf = AGGREGATE_PASS,
	};
}

static inline struct reports *reports_new(const char *scheme)
{
	struct reports *reports = xmalloc(sizeof(*reports));
	struct error err;

	reports->scene = scene_new(scheme, false);
	reports->arena = arena_new();
	reports->aggregate = aggregate_open(reports->scene->store, &settings, &err);
	assert_non_null(reports->aggregate);
	return reports;
}

static inline void reports_free(struct reports *reports)
{
	aggregate_close(reports->aggregate);
	arena_free(reports->arena);
	scene_free(reports->scene);
	free(reports);
}

static inline void count(struct reports *reports, const struct aggregate_message *message, unsigned times)
{
	while (times--)
		aggregate_count(reports->aggregate, message);
}

static inline void stored(struct reports *reports)
{
	assert_int_equal(aggregate_flush(reports->aggregate, SOON), STORE_OK);
}

static inline int make_part(struct reports *reports, unsigned day, const char *domain, struct slice part,
			    struct aggregate_report *report_r)
{
	const struct aggregate_request request = {
	    .day = day, .domain = slice_of(domain), .part = part, .max_bytes = AGGREGATE_BYTES_MIN, .keep_xml = true};
	struct error err = {""};
	int rc = aggregate_make(reports->aggregate, &request, reports->arena, report_r, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	return rc;
}

#define IN(scheme, test)                                                                                               \
	{                                                                                                              \
#test " " scheme, test, NULL, NULL, (void *)(scheme)                                                   \
	}

#endif
