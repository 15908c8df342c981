/*
 * forwarded.c - did the message come through somebody else, and is that somebody one whom the site trusts?
 *
 * Signs of forwarding are in the header and the sender; nothing proves them. Who handed the mail to us is another
 * question: a forwarder of the list trusted-forwarders is known by its address, by its HELO name where that is shown to
 * be its own, or by the domain for which SPF passes.
 */
#include "check_private.h"

/* Fields of one name that are compared with all recipients; RFC 5321 6.3 sees a loop in 100. A header may have
 * thousands of them, and a message as many recipients. */
#define FIELDS_MOST 30

enum sign { SIGN_SRS, SIGN_RESENT, SIGN_X_FORWARDED, SIGN_DELIVERED_TO, SIGN_RECEIVED, SIGN_COUNT };
static const char *const sign_words[SIGN_COUNT] = {"srs", "resent", "x-forwarded", "delivered-to", "received"};

enum by { BY_NONE, BY_ADDRESS, BY_HELO, BY_SPF };
static const char *const by_words[] = {"none", "address", "helo-name", "spf-domain", NULL};

/* ---- signs ---------------------------------------------------------------------------------------- */

static bool is_recipient(struct view *view, const struct address *address)
{
	const struct message *message = view->message;
	struct slice mailbox = address_mailbox(address, message->arena);

	for (size_t i = 0; i < message->recipient_count; i++)
		if (slice_equal(mailbox, address_mailbox(&message->recipients[i].address, message->arena)))
			return true;
	return false;
}

/* Was it received or delivered before for another address than ours? */
static bool is_for_another(struct view *view, const struct header_field *field, bool received)
{
	struct arena *arena = view->message->arena;
	struct address address;

	if (received) {
		if (!received_for(field->value, arena, &address))
			return false;
	} else {
		address = address_parse_path(header_unfold(field->value, arena), arena);
	}
	return address.valid && address.domain.n > 0 && !is_recipient(view, &address);
}

static bool is_srs(const struct address *sender)
{
	return (slice_starts_nocase(sender->local, SLICE("SRS0")) ||
		slice_starts_nocase(sender->local, SLICE("SRS1"))) &&
	       sender->local.n > 5 && memchr("=+-", sender->local.p[4], 3);
}

static void look(struct view *view, const struct header_field *field, unsigned seen[SIGN_COUNT], bool signs[SIGN_COUNT])
{
	if (slice_starts_nocase(field->name, SLICE("X-Forwarded-")))
		signs[SIGN_X_FORWARDED] = true;
	else if (header_is_named(field, SLICE("Resent-From")) || header_is_named(field, SLICE("Resent-To")))
		signs[SIGN_RESENT] = true;
	else if (header_is_named(field, SLICE("Delivered-To")) && !signs[SIGN_DELIVERED_TO] &&
		 seen[SIGN_DELIVERED_TO]++ < FIELDS_MOST)
		signs[SIGN_DELIVERED_TO] = is_for_another(view, field, false);
	else if (header_is_named(field, SLICE("Received")) && !signs[SIGN_RECEIVED] &&
		 seen[SIGN_RECEIVED]++ < FIELDS_MOST)
		signs[SIGN_RECEIVED] = is_for_another(view, field, true);
}

static struct value get_signs(struct view *view)
{
	const struct headers *headers = &view->message->headers;
	bool signs[SIGN_COUNT] = {[SIGN_SRS] = is_srs(&view->message->sender)};
	unsigned seen[SIGN_COUNT] = {0};
	struct text text;

	for (size_t i = 0; i < headers->count; i++)
		look(view, &headers->fields[i], seen, signs);
	text_init(&text, view->message->arena, SIZE_MAX / 4);
	for (size_t i = 0; i < SIGN_COUNT; i++) {
		if (!signs[i])
			continue;
		text_add(&text, text.n > 0 ? SLICE(" ") : SLICE(""));
		text_add(&text, slice_of(sign_words[i]));
	}
	return value_text(TYPE_STRING, text_slice(&text));
}

static struct value get_forwarded(struct view *view)
{
	return value_bool(fact_get(view, fact_find(SLICE("forwarded.signs")), NO_ARGUMENT).state == VALUE_SET);
}

/* ---- who forwards --------------------------------------------------------------------------------- */

static enum truth is_listed(const struct view *view, struct slice domain)
{
	struct list_key key = {.kind = LIST_TEXT, .text = domain};

	return domain.n > 0 ? list_has(view->settings->forwarders, view->store, &key) : TRUTH_FALSE;
}

/* Anybody can say any HELO: it counts where SPF passes for it, or the mail server has verified it as the client's. */
static bool owns_helo(struct view *view, struct slice helo)
{
	bool valid;

	if (slice_equal(domain_normalise(view->session->client_name, view->message->arena, &valid), helo) && valid)
		return true;
	return check_spf_helo(view)->result == SPF_PASS;
}

/* *unknown_r: the list cannot be read. */
static enum by find_forwarder(struct view *view, const struct origin *origin, bool *unknown_r)
{
	struct list_key client = {.kind = LIST_IP, .ip = origin->ip};
	const struct spf_outcome *spf;
	enum truth truth = TRUTH_FALSE;
	struct slice helo;
	bool valid;

	if (origin->ip.family)
		truth = list_has(view->settings->forwarders, view->store, &client);
	*unknown_r = truth == TRUTH_UNKNOWN;
	if (truth != TRUTH_FALSE)
		return BY_ADDRESS;
	helo = domain_normalise(origin->helo, view->message->arena, &valid);
	if (valid && is_listed(view, helo) == TRUTH_TRUE && owns_helo(view, helo))
		return BY_HELO;
	spf = check_spf_outcome(view);
	return spf->result == SPF_PASS && is_listed(view, spf->domain) == TRUTH_TRUE ? BY_SPF : BY_NONE;
}

static struct value get_forwarder(struct view *view)
{
	struct value value = value_word(by_words[BY_NONE]);
	struct origin origin;
	bool unknown = false;
	enum by by;

	if (!view->settings->forwarders)
		return value;
	origin = relay_origin(view);
	value.provisional = origin.pending;
	if (!origin.known)
		return value;
	by = find_forwarder(view, &origin, &unknown);
	if (!unknown)
		return value_word(by_words[by]);
	value = value_unknown(TYPE_RESULT, list_unknown(view->settings->forwarders));
	value.unread = view->settings->forwarders;
	return value;
}

static const struct fact facts[] = {
    FACT("forwarded", BOOL, MESSAGE, get_forwarded,
	 "the message shows signs that it was forwarded; nobody has proven them", .needs = NEED_HEADERS),
    FACT("forwarded.signs", STRING, MESSAGE, get_signs, "these signs: srs, resent, x-forwarded, delivered-to, received",
	 .needs = NEED_HEADERS, .list = true, .of = TYPE_STRING),
    FACT("forwarder", RESULT, MAIL, get_forwarder,
	 "what shows that the mail was handed on by one of the list trusted-forwarders", .words = by_words),
};

static const struct check *const reads[] = {&check_spf, NULL};

const struct check check_forwarded = {CHECK_NAMED(forwarded), FACTS(facts), .reads = reads};
