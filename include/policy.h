/*
 * policy.h - sekisho.conf: settings, lists and rules, compiled and checked.
 *
 * A compiled file is immutable and counted; a session keeps the one it began
 * with. Every name, type, stage and reply code is checked when the file is read, so
 * running the rules cannot fail on them.
 *
 * The policy only decides: policy_run reads facts and writes a decision. It does not
 * talk to the MTA, to the DNS or to a log.
 */
#ifndef SEKISHO_POLICY_H
#define SEKISHO_POLICY_H

#include "check.h"
#include "history.h"
#include "reports_setting.h"
#include "srs.h"

#include <stdio.h>

/* ---- what is wrong with a file -------------------------------------------- */

struct position {
	const char *file;      /* as given to policy_load; lives as long as the policy or the diagnostics */
	unsigned line, column; /* from 1; 0: no position in the file. Columns count bytes, a tab is one */
};

struct diagnostics;

struct diagnostics *diagnostics_new(void);
void diagnostics_free(struct diagnostics *);
size_t diagnostics_errors(const struct diagnostics *);   /* that make the file unusable */
size_t diagnostics_warnings(const struct diagnostics *); /* a list that cannot be read now, ...; no advice */

/* A file changed while it was read: read it again. */
bool diagnostics_stale(const struct diagnostics *);

/* All of them as text: "file:line:col: what; what to do", the line of the file and a
 * caret below the position; in the order of the file. free() it. */
char *diagnostics_print(const struct diagnostics *);
/* Adds what is allowed and hardly meant: a warning that changes no exit code. */
void diagnostics_advise(struct diagnostics *, struct position, const char *text);
/* One of them without source line and caret (number from 0); NULL after the last. */
const char *diagnostics_line(const struct diagnostics *, size_t number);

/* ---- settings ----------------------------------------------------------------- */

enum key_access { KEY_ACCESS_OWNER, KEY_ACCESS_GROUP }; /* who may read key files */

/* What happens to a message whose recipients have different verdicts; NONE: rules cannot test single recipients. */
enum on_conflict { CONFLICT_NONE, CONFLICT_STRICTEST, CONFLICT_MOST_LENIENT, CONFLICT_SPLIT };
extern const char *const conflict_names[5]; /* "none" "strictest" "most-lenient" "split" NULL */

enum log_target { LOG_TO_SYSLOG, LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_NOWHERE };

#define LISTEN_MAX       8 /* sockets; a host has one or two mail servers, and one for each protocol */
#define LISTEN_USERS_MAX 8

/* What is spoken on a socket: the word before its address. */
enum listen_door {
	LISTEN_MILTER,
	LISTEN_POLICY,
	LISTEN_SOCKETMAP,
	LISTEN_SRS_FORWARD,
	LISTEN_SRS_REVERSE,
	LISTEN_RSPAMC
};
extern const char *const listen_doors[]; /* their words, then NULL */

/* Who reads the milter protocol. */
enum listen_engine { ENGINE_LIBMILTER, ENGINE_NATIVE };
extern const char *const listen_engines[]; /* their words, then NULL */

/* listen DOOR ADDRESS engine ENGINE mode MODE group NAME user NAME ... */
struct listen_setting {
	enum listen_door door;
	enum listen_engine engine; /* of LISTEN_MILTER */
	struct slice text;         /* the address as written in the file: "inet:8891@127.0.0.1" */
	struct listen_address address;
	int mode;           /* of a unix socket; -1: not set */
	struct slice group; /* of a unix socket; "" not set */
	SETTING_ITEMS(struct slice)
	users; /* of a network socket: local users whose programs are served; none: the users of mail servers */
	struct position where;
};

#define SIGN_KEYS_MAX 4 /* of one domain: RSA and Ed25519, and a second of each during a key rollover */

struct signing_key {
	struct slice selector;
	const char *file;
	unsigned line; /* of the table; 0: from a block */
	const struct dkim_private *key;
};

/* sign DOMAIN { } */
struct sign_setting {
	struct slice domain;
	bool subdomains;
	int64_t lifetime_us;                    /* 0: signatures do not expire */
	SETTING_ITEMS(struct slice) names;      /* of the fields to sign; none: the usual ones */
	SETTING_ITEMS(struct slice) oversigned; /* named once more than they occur; none: the usual ones */
	bool oversigned_all;                    /* one of them is "all": every field that a receiver acts on */
	const char *table;                      /* NULL: from a block */
	struct signing_key keys[SIGN_KEYS_MAX];
	size_t key_count;
	/* Keys that change over time (keys.h), instead of those above. */
	const char *directory;                    /* NULL: the keys above */
	int64_t rotate_us;                        /* 0: only when asked */
	int64_t check_us;                         /* 0: the default */
	SETTING_ITEMS(enum dkim_algorithm) types; /* none: RSA */
	struct key_ring *ring;
	struct position where;
};

/* store URL at-most SIZE on-failure skip|defer password-file PATH ca-file PATH timeout TIME */
struct store_setting {
	struct slice url;
	int64_t at_most;                     /* bytes; 0: the default of the store */
	const char *password_file, *ca_file; /* NULL: none */
	int64_t timeout_us;                  /* 0: the default of the store */
	bool defers;                         /* rules defer when the store does not answer; else they are skipped */
	bool said;                           /* in the file */
};

/* history sqlite:PATH keep TIME at-most SIZE addresses plain|hashed|off */
struct history_setting {
	const char *path; /* NULL: no history */
	int64_t keep_us, at_most;
	enum history_addresses addresses;
};

/* mailer ADDRESS from MAILBOX */
struct mailer_setting {
	struct slice text; /* as written in the file: "inet:25@127.0.0.1"; "": there is none */
	struct listen_address address;
	struct address from;
};

#define CONTROL_READERS_MAX 8

/* `control PATH readers GROUP` */
struct control_setting {
	struct slice path; /* of the socket; "" without one */
	bool said;
	SETTING_ITEMS(struct slice) readers; /* groups that may ask for the status */
};

#define WEB_HOSTS_MAX 16

/* web { }: the page and the metrics */
struct web_setting {
	struct slice text; /* the address as written in the file; "": no web */
	struct listen_address address;
	int mode;                          /* of a unix socket; -1: not set */
	struct slice group;                /* likewise; "" not set */
	const char *password_file;         /* NULL: the socket alone says who may see the page */
	SETTING_ITEMS(struct slice) hosts; /* names by which browsers and Prometheus call it */
};

/* ownership { }: rules for all logins, in addition to the list of owners */
struct ownership_setting {
	bool self;               /* a login that is an address owns it */
	struct slice delimiters; /* an owner also owns extensions after one of these bytes; "": no extensions */
};

/* srs { } */
struct srs_setting {
	SETTING_ITEMS(struct slice) domains;
	const char *file; /* of the secrets */
	int64_t lifetime_us;
	struct list *own; /* domains that are never rewritten; NULL: none but those of srs and sign */
	struct srs srs;
	bool said; /* in the file */
	struct position where;
};

struct settings {
	struct listen_setting listens[LISTEN_MAX]; /* one at least */
	size_t listen_count;
	struct slice user, group; /* to run as; "" keeps the current user */
	enum key_access key_access;
	struct control_setting control;
	enum log_target log;
	struct slice log_file;
	bool record_all_facts; /* record { facts all } */
	enum on_conflict on_conflict;
	bool check_tests;       /* a reload runs the tests of the file, and uses it only if they pass */
	bool report_mode;       /* mode report: every verdict and edit but sign only "would have" */
	unsigned authres_named; /* of these bits, those that were named, not said by `all` */
	unsigned
	    authres_checks; /* bit n: checks[n] has a clause; 0: no Authentication-Results are written or removed */
	int64_t drain_us;   /* the time that open messages have when the daemon ends */
	struct resolver_settings resolver;
	struct store_setting store;
	struct history_setting history;
	struct mailer_setting mailer;
	struct reports_setting reports;
	struct web_setting web;
	struct ownership_setting ownership;
	struct srs_setting srs;
	struct check_settings check;
};

/* ---- the compiled file ------------------------------------------------------------ */

struct policy;

/* Reads and compiles. `old` may be NULL; lists that cannot be read now keep their content from it.
 * NULL when diagnostics_errors() > 0. */
struct policy *policy_load(const char *path, const struct policy *old, struct diagnostics *);

/* Who reads the file. The keys must belong to the user of the daemon. The others may be root, who checks the file of a
 * daemon that runs as another user. `check` also reports unknown users and groups, and settings that are allowed but
 * probably not intended; malformed lines in lists are errors for it. */
enum policy_reader { POLICY_DAEMON, POLICY_CHECK, POLICY_EXPLAIN };
struct policy *policy_load_as(enum policy_reader, const char *path, struct diagnostics *);
/* Reads it as POLICY_CHECK does. Without errors, it prints every setting, its value and origin, as in the file. */
struct policy *policy_load_effective(const char *path, struct diagnostics *, FILE *out);

struct policy *policy_hold(struct policy *);
void policy_release(struct policy *); /* NULL is allowed */

/* The path of the control socket in a file, even if the file has errors: the default when it has none, "" for
 * `control off`. free() it. 0, or -1 and err when the file cannot be read. */
int policy_control(const char *path, char **socket_r, struct error *err);
/* Likewise where the daemon speaks the milter protocol: the first such `listen`. */
int policy_milter_socket(const char *path, struct listen_address *address_r, struct error *err);

const struct settings *policy_settings(const struct policy *);
const char *policy_file(const struct policy *);
int64_t policy_read_at(const struct policy *); /* clock_wall_us */

/* "500ms", "3s", "5m", "1h", "7d": a number and its unit, as in the file. 0, or -1. */
int duration_parse(struct slice text, int64_t *us_r);

size_t policy_rules(const struct policy *); /* the number of rules */
size_t policy_lists(const struct policy *);
struct list *policy_list_at(const struct policy *, size_t number);               /* lives as long as the policy */
struct list *policy_list_named(const struct policy *, struct slice name);        /* NULL: there is none */
bool policy_list_defers(const struct policy *, const struct list *);             /* its on-failure */
const struct variable *policy_variables(const struct policy *, size_t *count_r); /* by number */

/* What edits need from the mail server besides header changes (and besides NEED_HEADERS, NEED_BODY). */
#define NEED_SENDER           0x100u /* changes the envelope sender */
#define NEED_ADD_RECIPIENT    0x200u
#define NEED_DELETE_RECIPIENT 0x400u
#define NEED_NEW_BODY         0x800u

/* NEED_... of all facts that are read, and of edits */
unsigned policy_needs(const struct policy *);
bool policy_reads(const struct policy *, const struct fact *); /* some rule does */
bool policy_has_rules(const struct policy *, enum stage);      /* of any kind of traffic */
/* What the action of a rule asks of the door by which a message comes. */
struct rule_demand {
	struct position where;
	const char *action;
	enum stage stage;
	unsigned needs;                  /* NEED_... */
	bool quarantine, refuses, edits; /* it holds the message; rejects or defers; changes the message or envelope */
};
/* Calls it for each rule, but those under `try`. */
void policy_demands(const struct policy *, void (*see)(void *context, const struct rule_demand *), void *context);
bool policy_needs_store(const struct policy *); /* the file configures it, has a dynamic list, or some rule uses it */

/* A part of the traffic with its own name and rules: tenant NAME { }. It lives as long as the policy. For a kind of
 * traffic without a policy in the tenant, the policy outside of tenants applies. */
struct tenant;
const struct tenant *policy_tenant(const struct policy *, struct slice daemon_name); /* NULL: no tenant */
struct slice policy_daemon_name(const struct policy *, size_t number); /* of all tenants; "" after the last */
struct slice tenant_name(const struct tenant *);                       /* "" for NULL */
const struct check_settings *policy_check_settings(const struct policy *, const struct tenant *); /* with its name */

/* About the rules for a tenant (NULL: no tenant) and a kind: some rule or the Authentication-Results read a fact of the
 * check; */
bool policy_uses_check(const struct policy *, const struct tenant *, enum kind, const struct check *);
/* what they read of a check, for hints; */
const struct asking *policy_asking(const struct policy *, const struct tenant *, enum kind, const struct check *);
/* some rule says sign or arc-seal. */
bool policy_signs(const struct policy *, const struct tenant *, enum kind);

bool policy_footers(const struct policy *, const struct tenant *, enum kind); /* some rule says footer */
/* The signer for an author domain: itself, or a parent that signs for its subdomains. NULL: none. */
const struct sign_setting *policy_sign(const struct policy *, struct slice domain);
size_t policy_sign_count(const struct policy *);
const struct sign_setting *policy_sign_at(const struct policy *, size_t number); /* by domain; NULL after the last */
struct key_rules policy_key_rules(const struct sign_setting *);                  /* of one with a directory */

/* What SRS makes of an address (srs.h): of a sender, or of the recipient of a bounce. Never rewrites a sender whose
 * domain is our own: it is one of srs, is signed for, or is in the list never-rewrite, which may need the store (NULL:
 * none is open). Only if policy_settings()->srs.said. */
enum srs_result policy_srs(const struct policy *, struct store *, enum srs_direction, const struct address *,
			   int64_t now_us, struct arena *, struct slice *address_r);

/* Reads changed list files again (call it every few seconds). Returns the number of lists read; for a list that cannot
 * be read, `report` is called once per minute and the old content stays. */
unsigned policy_refresh_lists(struct policy *, void (*report)(void *context, const char *line), void *context);

/* ---- tests in the file ------------------------------------------------------------- */

enum expected_kind { EXPECT_VERDICT, EXPECT_FACT, EXPECT_ADD_HEADER, EXPECT_DELETE_HEADER };

struct expected {
	enum expected_kind kind;
	struct slice text;       /* as written in the file */
	struct slice verdict;    /* VERDICT: a word of verdict_names */
	struct slice code;       /* "550", "" for any */
	struct slice enhanced;   /* "5.7.23", "" for any */
	const struct fact *fact; /* FACT */
	struct slice name;       /* of a header field */
	struct slice value;      /* of the fact or field; p is NULL: any value */
};

/* test "NAME" { }: an SMTP session and its expected results. engine_test runs it. */
struct policy_test {
	const struct policy_test *next;
	struct slice name;
	struct position where;
	struct ip client;
	bool local_program;
	int tls;
	unsigned port;
	struct slice client_name, daemon_name, helo, sender, auth_user;
	const char *message; /* the file; NULL: only `headers` */
	SETTING_ITEMS(struct slice) recipients;
	SETTING_ITEMS(struct slice) headers; /* "From: a@example.net", above those of the file */
	SETTING_ITEMS(struct slice) zone;    /* records: the complete DNS of the test */
	SETTING_ITEMS(struct expected) expectations;
};
const struct policy_test *policy_tests(const struct policy *);             /* the first; NULL: there are none */
struct slice policy_test_zone(const struct policy_test *, struct arena *); /* as resolver_open_zone expects it */

/* ---- layout ----------------------------------------------------------------------- */

/* Formats one file, without included files, as `sekisho fmt` does; keeps its meaning and its comments. Both texts live
 * in the arena. 0, or -1 when the file cannot be read or has a syntax error; diagnostics then have it, and *before_r is
 * the text that was read. */
int policy_format(const char *path, struct arena *, struct diagnostics *, struct slice *before_r,
		  struct slice *after_r);

/* ---- a decision ------------------------------------------------------------------- */

#define REPLY_LINES_MAX 32  /* libmilter's limit of a multi-line reply */
#define REPLY_LINE_MAX  480 /* a reply line is at most 512 octets with code and CRLF (RFC 5321 4.5.3.1.5) */

struct reply {
	unsigned code;                       /* 4xx or 5xx */
	struct slice enhanced;               /* "5.7.1" (RFC 3463) */
	struct slice lines[REPLY_LINES_MAX]; /* printable ASCII, not escaped for any MTA */
	size_t line_count;                   /* at least 1 */
};

struct outcome {
	enum verdict verdict; /* NONE, ACCEPT, REJECT, DEFER or DISCARD; quarantine is in the decision */
	struct reply reply;   /* for REJECT and DEFER */
	struct position rule;
};

enum edit_kind {
	EDIT_ADD_HEADER,
	EDIT_DELETE_HEADER,
	EDIT_REPLACE_HEADER,
	EDIT_PREFIX_SUBJECT,
	EDIT_CANONICAL,   /* the only address of the login: in From and the envelope */
	EDIT_ADD_MISSING, /* Date and Message-ID (RFC 6409 8.1, 8.2) */
	EDIT_REWRITE_FROM,
	EDIT_FOOTER,
	EDIT_SET_SENDER, /* these four change the envelope */
	EDIT_ADD_RECIPIENT,
	EDIT_DELETE_RECIPIENT,
	EDIT_REDIRECT,
	EDIT_SIGN,
	EDIT_ARC_SEAL
};

struct regex;

struct edit {
	enum edit_kind kind;
	struct slice name; /* of a header field; ARC_SEAL: the domain */
	/* As written in the rule, with facts filled in; made safe by header_safe except for prefix-subject; an address;
	 * the text of a footer, lines separated by LF. */
	struct slice value;
	struct slice html;         /* FOOTER: "": convert the text; REWRITE_FROM: the address, value is the name */
	const struct slice *names; /* DELETE_HEADER: use edit_names */
	size_t name_count;
	struct list *list;         /* DELETE_HEADER: of further names; NULL: none */
	bool bottom;               /* ADD_HEADER: after all fields */
	const struct regex *regex; /* DELETE_HEADER: only fields that match; NULL: all. Use edit_matches */
	struct position rule;
};

/* Does the edit name the field of that name? The store is for a dynamic list; NULL: none is open. */
bool edit_names(const struct edit *, struct store *, struct slice field);
/* Does the value of a field, on one line, match the expression of the edit? UNKNOWN: *why_r says why. */
enum truth edit_matches(const struct edit *, struct slice value, const char **why_r);

enum note_kind { NOTE_LOG, NOTE_WOULD, NOTE_UNKNOWN, NOTE_OVERRIDE, NOTE_NOTIFY };

struct note {
	enum note_kind kind;
	struct slice text; /* LOG: the text; WOULD: "reject 550 5.7.1 ..."; UNKNOWN: why;
			    * OVERRIDE: "trusted_forwarder: why" (RFC 9990 3.1.6); NOTIFY: to whom, and what */
	struct position rule;
};

/* Rules at rcpt run once for each recipient, and the client chooses their number. The limit is per rule, not for the
 * sum, so recipients cannot displace the edits of another rule. A note says what was left out. */
#define DECISION_RULE_EDITS_MAX 100
#define DECISION_RULE_NOTES_MAX 32 /* and one that says that there are more */

/* A message for a person that a rule wants to be sent: notify. */
struct notice {
	struct slice recipient; /* as the rule says it; not checked */
	struct slice text, key; /* key: the text without numbers that facts filled in */
	int64_t once_us;        /* not again within this time with the same recipient and key */
	struct position rule;
};
#define DECISION_NOTICES_MAX 20 /* of one message; a note says that there are more */

/* The points that a rule with `score` gave to the message: once per rule, for any number of recipients. */
struct score {
	int64_t points;
	struct slice why;
	struct position rule;
};

#define VARIABLES_MAX     100  /* of a file */
#define VARIABLE_TEXT_MAX 1000 /* bytes of the text of one */

/* The decision of the rules of the last stage about one recipient. */
struct held {
	struct outcome outcome; /* verdict NONE: none has decided yet */
	bool quarantined;
	struct slice reason;
	struct position quarantine_rule;
	enum verdict verdict; /* the final one */
	bool gone;            /* not a recipient any more: an earlier rule deleted it */
	bool removed;         /* on-conflict split: to be deleted */
};

/* The results of the rules of all stages for one message. All texts live in `arena`. */
struct decision {
	struct arena *arena;
	bool enforced;      /* ignore mode report: a test of the file checks what the rules would do */
	enum verdict would; /* mode report: the verdict that the first rule would have given */
	bool quarantined;
	struct slice quarantine_reason;
	struct position quarantine_rule;
	struct held *held; /* by number of the recipient; NULL: no rule tested one at the last stage */
	size_t held_count;
	bool recipient_deleted; /* `delete-recipient` of the current recipient; the caller resets it */
	struct position recipient_rule;
	struct edit *edits; /* equal ones (rule and value) are kept once */
	size_t edit_count, edit_room;
	struct note *notes;
	size_t note_count, note_room;
	struct notice *notices; /* equal ones (recipient and key) are kept once */
	size_t notice_count;
	struct noted noted;     /* for rules of `on message`, and for the record */
	struct noted earlier;   /* before the first recipient */
	struct noted recipient; /* of the current one: begins as a copy of `earlier` */
	struct score *scores;   /* in the order they were given */
	size_t score_count, score_room;
	bool *scored; /* by number of the rule: it has given its score */
};

void decision_init(struct decision *, struct arena *);
void decision_note(struct decision *, enum note_kind, struct slice text, struct position rule);

/* ---- running --------------------------------------------------------------------- */

struct seen {
	struct slice fact, value;
}; /* "header(\"Subject\")", "hello"; in the order they were read */

struct rule_trace {
	enum stage stage;
	struct position where;
	struct slice source; /* the statement as written, on one line */
	enum truth truth;
	const struct seen *seen;
	size_t seen_count;
	const char *effect; /* what it did: "decides", "would", "edit", "note", "quarantine", "stop", "no effect" */
};

struct tracer {
	void (*rule)(void *context, const struct rule_trace *); /* texts live as long as the message */
	void *context;
};

/* Runs the rules of one stage for one kind of traffic, in order, until one decides or ends the stage.
 * view->stage is `stage`, and view->tenant selects the rules. Edits, notes and quarantine go into the decision,
 * the verdict into outcome_r. Edits of a stage that ends in reject, defer or discard stay in the decision; the engine
 * drops them with the message. `accepted`: an earlier stage accepted the message; verdict rules (quarantine too) are
 * then skipped. `tracer` may be NULL. Afterwards view->noted points to the notes in the decision. */
void policy_run(const struct policy *, enum kind, enum stage, struct view *, bool accepted, struct decision *,
		const struct tracer *tracer, struct outcome *outcome_r);

#endif
