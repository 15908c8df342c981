/*
 * send.h - what the files that send reports share.
 */
#ifndef SEKISHO_AGGREGATE_SEND_H
#define SEKISHO_AGGREGATE_SEND_H

#include "reports.h"

/* ---- mail.c: a report as a message ------------------------------------------------------------------- */

struct report_mail {
	const struct report_sender *sender;
	const struct aggregate_report *report;
	unsigned day;
	struct slice domain;
	struct slice recipient;
	struct slice token; /* of the recipient */
	int64_t now_us;
};
struct slice report_mail_print(const struct report_mail *, struct arena *);

/* ---- bounce.c: addresses that take bounces -------------------------------------------------------------- */

/* The token of an address, letters and digits; the store keeps it for as long as bounces may come. STORE_OK, or
 * UNAVAILABLE. */
enum store_answer report_token(struct store *, struct slice address, struct arena *, struct slice *token_r);
/* The reverse-path with the token; without a delimiter, or if it would be too long, `from` itself. */
struct slice report_reverse_path(struct slice from, char delimiter, struct slice token, struct arena *);

/* Is a refusal with this enhanced status (RFC 3463; "": none) about the mail, and not about its recipient? */
bool report_status_is_of_mail(struct slice status);

/* ---- often.c: how often mail goes to one place ------------------------------------------------------------ */

#define REPORT_PLACES 3 /* the address, its organization, and what there is for the domains of another one */

struct report_place {
	struct store_limit limits[REPORT_PLACES];
	struct store_usage usage[REPORT_PLACES];
};
/* Counts one mail about the domain to the address. STORE_OK; STORE_OVER: too many, *why_r; UNAVAILABLE. Keys live in
 * the arena. */
enum store_answer report_place_take(const struct report_sender *, struct slice domain, struct slice address,
				    struct arena *, struct report_place *place_r, struct slice *why_r);
void report_place_return(const struct report_sender *, const struct report_place *); /* it was not sent */

/* ---- last.c ---------------------------------------------------------------------------------------------- */

/* Keeps what became of a report, for report_last_list. */
void report_last_put(struct store *, const struct report_told *, int64_t now_us);

/* ---- lease.c ------------------------------------------------------------------------------------------- */

struct report_run;
/* We are (still) the one who sends. False and run->why. */
bool report_lease(struct report_run *);
void report_lease_end(struct report_run *);
void report_tell(const struct report_sender *, const struct aggregate_total *, struct slice address, enum report_fate,
		 struct slice text);
int64_t report_now(const struct report_sender *);

/* ---- deliver.c: the reports about one domain ------------------------------------------------------------ */

/* A round while it goes on. */
struct report_run {
	const struct report_sender *sender;
	int64_t now_us;
	bool ready;       /* mail will be aligned */
	int64_t stop_us;  /* when a mail under way is given up; 0: no end is asked for yet */
	bool tried;       /* the latest domain did not only wait for its time */
	unsigned silent;  /* mails in a row without an answer of the mail server */
	int64_t vain_us;  /* that the DNS was waited for without an answer */
	struct error why; /* why the round ends */
};

enum delivered {
	DELIVERED, /* every address is done, and the rows are dropped */
	DELIVERED_LATER,
	DELIVERY_BROKEN /* run->why */
};
/* `now`: though it waits for another try. */
enum delivered report_deliver(struct report_run *, const struct aggregate_total *, bool now);

#endif
