/*
 * from.c - the author of the message as facts: what the From field says.
 *
 * A rule that reads one address gets one only when there is exactly one author.
 * Otherwise the address is not valid and matches nobody, so no rule trusts a
 * message because of the first of several names.
 */
#include "check_private.h"

struct state {
	struct authors authors; /* of the first From field, until the header is complete */
	struct slice first;     /* its value */
	size_t seen, froms;     /* fields that have arrived */
	bool complete;
};

static struct state *state_of(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_from)];

	if (!*slot)
		*slot = arena_alloc(view->message->arena, sizeof(struct state));
	return *slot;
}

/* The first From is read at once, so that the DNS can be asked early; nearly always it is the only one. */
static void field(struct view *view, const struct header_field *arrived)
{
	struct state *state = state_of(view);

	state->seen++;
	if (!author_is_field(arrived->name) || state->froms++ > 0)
		return;
	state->first = arrived->value;
	author_read(state->first, view->message->arena, &state->authors);
}

const struct authors *check_first_authors(struct view *view)
{
	const struct state *state = state_of(view);

	return state->froms > 0 ? &state->authors : NULL;
}

const struct authors *check_authors(struct view *view)
{
	const struct headers *headers = &view->message->headers;
	struct state *state = state_of(view);

	if (state->complete)
		return &state->authors;
	state->complete = true;
	if (state->froms == 1 && state->seen == headers->count)
		state->authors.field = header_unfold(state->first, view->message->arena);
	else
		author_find(headers, view->message->arena, &state->authors);
	return &state->authors;
}

static struct address nobody(struct slice text)
{
	return (struct address){.text = text, .local = SLICE(""), .domain = SLICE("")};
}

/* All that the fields name. Of several From fields nobody can know which one a reader shows: nobody owns them all. */
static const struct mailboxes *all_authors(struct view *view, struct slice field)
{
	struct arena *arena = view->message->arena;
	struct mailboxes *all = arena_alloc(arena, sizeof(*all));

	mailboxes_init(all, arena);
	if (mailboxes_add(all, &view->message->headers, SLICE("From"), arena) > 1)
		mailboxes_put(all, nobody(field));
	return all;
}

static struct value get_from(struct view *view)
{
	const struct authors *authors = check_authors(view);
	struct value value = {.state = VALUE_SET, .type = TYPE_ADDRESS};

	if (!authors->field.n)
		return value_absent(TYPE_ADDRESS);
	if (authors->mailbox_count == 1) {
		value.address = authors->first;
		return value;
	}
	value.address = nobody(authors->field);
	value.mailboxes = all_authors(view, authors->field);
	return value;
}

/* RFC 5322 3.6.2 and 3.6.6: who claims to have written or sent the message. Reply-To says only where answers go. */
static struct value get_originators(struct view *view)
{
	static const char *const names[] = {"Sender", "Resent-From", "Resent-Sender", NULL};
	struct arena *arena = view->message->arena;
	struct value from = get_from(view), value = {.state = VALUE_SET, .type = TYPE_ADDRESS};
	struct mailboxes *all = arena_alloc(arena, sizeof(*all));

	mailboxes_init(all, arena);
	for (size_t i = 0; from.mailboxes && i < from.mailboxes->count; i++)
		mailboxes_put(all, from.mailboxes->items[i]);
	if (from.state == VALUE_SET && !from.mailboxes)
		mailboxes_put(all, from.address);
	for (size_t i = 0; names[i]; i++)
		mailboxes_add(all, &view->message->headers, slice_of(names[i]), arena);
	if (all->count == 0)
		return value_absent(TYPE_ADDRESS);
	value.mailboxes = all;
	value.address = all->count == 1 ? all->items[0] : nobody(mailboxes_print(all, arena));
	return value;
}

static struct value get_domain(struct view *view)
{
	const struct authors *authors = check_authors(view);

	return value_text(TYPE_DOMAIN, authors->domain_count == 1 ? authors->domains[0] : SLICE(""));
}

static struct value get_domains(struct view *view)
{
	const struct authors *authors = check_authors(view);
	struct text text;

	text_init(&text, view->message->arena, (size_t)AUTHORS_MAX * (MAIL_DOMAIN_MAX + 1));
	for (size_t i = 0; i < authors->domain_count; i++) {
		if (i > 0)
			text_add_char(&text, ' ');
		text_add(&text, authors->domains[i]);
	}
	return value_text(TYPE_STRING, text_slice(&text));
}

static struct value get_name(struct view *view)
{
	return value_text(TYPE_STRING, check_authors(view)->name);
}

static struct value get_count(struct view *view)
{
	return value_number((int64_t)check_authors(view)->domain_count);
}

static struct value get_shown(struct view *view)
{
	return value_text(TYPE_DOMAIN, check_authors(view)->shown);
}

static struct value get_valid(struct view *view)
{
	return value_bool(check_authors(view)->valid);
}

static const struct fact facts[] = {
    FACT("from", ADDRESS, MESSAGE, get_from,
	 "the author; an address that matches nobody when From is not valid or names several authors",
	 .needs = NEED_HEADERS),
    FACT("originators", ADDRESS, MESSAGE, get_originators,
	 "every address in From, Sender, Resent-From and Resent-Sender; an address that matches nobody when there are "
	 "several",
	 .needs = NEED_HEADERS),
    FACT("from.name", STRING, MESSAGE, get_name, "the author's name; that of the first of several",
	 .needs = NEED_HEADERS),
    FACT("from.domain", DOMAIN, MESSAGE, get_domain, "the author domain; absent when there are several",
	 .recorded = true, .needs = NEED_HEADERS),
    FACT("from.domains", STRING, MESSAGE, get_domains, "all author domains, separated by spaces", .needs = NEED_HEADERS,
	 .list = true, .of = TYPE_DOMAIN),
    FACT("from.count", NUMBER, MESSAGE, get_count, "how many author domains there are; 0 when From is not valid",
	 .needs = NEED_HEADERS),
    FACT("from.valid", BOOL, MESSAGE, get_valid, "there is one From field, and all of it could be read",
	 .needs = NEED_HEADERS),
    FACT("from.shown", DOMAIN, MESSAGE, get_shown,
	 "the domain that readers show of a From that is not valid, when it has one address in angle brackets and no "
	 "other domain",
	 .needs = NEED_HEADERS),
};

static bool has_result(const struct view *view)
{
	const struct state *state = view->message_slots[check_number(&check_from)];

	return state && state->complete;
}

const struct check check_from = {CHECK_NAMED(from), FACTS(facts), .field = field, .judged = has_result};
