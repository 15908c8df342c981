/*
 * dnsbl.c - DNS lists (RFC 5782) as facts: dnsbl("zen") and what belongs to it, of the client, the HELO name, the
 * domain of the sender or of the author.
 *
 * The name of a zone may contain a key of the site. It is in no fact, no reply, no header field and no record: the
 * name that the file gives to the list takes its place.
 */
#include "dnsbl_private.h"

#define WEIGHT_MOST 1000
#define CODES_MAX   64
#define KEY_ROOM    64 /* bytes before the zone: the nibbles of an IPv6 address with their dots */

static const char *const of_words[] = {"client", "helo", "sender.domain", "from.domain", NULL};
static const char *const words[] = {"clean", "listed", "temperror", NULL};

/* ---- facts --------------------------------------------------------------------------------------------------------
 */

static struct value get_result(struct view *view, struct argument argument)
{
	const struct dnsbl_met *met = dnsbl_meet(view, argument.thing);

	return met ? value_word(words[met->finding.result]) : value_absent(TYPE_RESULT);
}

static struct value get_code(struct view *view, struct argument argument)
{
	const struct dnsbl_met *met = dnsbl_meet(view, argument.thing);

	return met && met->finding.code ? value_text(TYPE_STRING, met->finding.code->word) : value_absent(TYPE_STRING);
}

static struct value get_text(struct view *view, struct argument argument)
{
	struct dnsbl_met *met = dnsbl_meet(view, argument.thing);

	return value_text(TYPE_STRING, met ? dnsbl_met_text(view, argument.thing, met) : SLICE(""));
}

static struct value get_reason(struct view *view, struct argument argument)
{
	const struct dnsbl_met *met = dnsbl_meet(view, argument.thing);

	return value_text(TYPE_STRING, met ? slice_of(met->finding.why) : SLICE(""));
}

static const enum stage known_from[] = {[DNSBL_CLIENT] = STAGE_CONNECT,
					[DNSBL_HELO] = STAGE_HELO,
					[DNSBL_SENDER] = STAGE_MAIL,
					[DNSBL_FROM] = STAGE_MESSAGE};

/* Of the lists that can be asked so far. One that has no answer weighs nothing. */
static struct value get_score(struct view *view)
{
	const struct check_block *block = &view->settings->blocks[CHECK_NUMBER_dnsbl];
	const struct dnsbl *lists = block->first;
	int64_t score = 0;

	for (size_t i = 0; i < block->count; i++) {
		const struct dnsbl_met *met =
		    known_from[lists[i].of] <= view->stage ? dnsbl_meet(view, &lists[i]) : NULL;

		if (met && met->finding.result == DNSBL_RESULT_LISTED)
			score += lists[i].weight;
	}
	return value_number(score);
}

/* What rules must know about a list before it is asked. */
static void depends(const void *thing, struct traits *traits)
{
	const struct dnsbl *list = thing;

	if (list->of != DNSBL_CLIENT)
		traits_add(traits, fact_find(slice_of(of_words[list->of])));
}

static const char *const *words_of(const void *thing)
{
	return ((const struct dnsbl *)thing)->words;
}

/* ---- the check ------------------------------------------------------------------------------------------------------
 */

/* The next message of a session begins with what the first one learned of client and HELO. */
static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	if (stage == STAGE_CONNECT || stage == STAGE_MAIL)
		dnsbl_start(view, DNSBL_CLIENT, asking);
	if (stage == STAGE_HELO || stage == STAGE_MAIL)
		dnsbl_start(view, DNSBL_HELO, asking);
	if (stage == STAGE_MAIL)
		dnsbl_start(view, DNSBL_SENDER, asking);
}

static void field(struct view *view, const struct header_field *arrived)
{
	if (author_is_field(arrived->name))
		dnsbl_start_author(view);
}

static bool is_of_author(const struct check_settings *settings)
{
	const struct check_block *block = &settings->blocks[CHECK_NUMBER_dnsbl];

	for (size_t i = 0; i < block->count; i++)
		if (((const struct dnsbl *)block->first)[i].of == DNSBL_FROM)
			return true;
	return false;
}

static unsigned needs(const struct check_settings *settings)
{
	return is_of_author(settings) ? NEED_HEADERS : 0;
}

/* RFC 8904. The zone is called by our name for the list, since its own may contain a key. Lists that block have no
 * registered method. */
static void allowed(struct view *view, const struct dnsbl *list, struct authres *field)
{
	struct dnsbl_met *met = dnsbl_meet(view, list);
	char ip[IP_TEXT];

	if (!met)
		return;
	authres_method(field, SLICE("dnswl"),
		       met->finding.result == DNSBL_RESULT_LISTED      ? SLICE("pass")
		       : met->finding.result == DNSBL_RESULT_TEMPERROR ? SLICE("temperror")
								       : SLICE("none"));
	authres_property(field, SLICE("dns"), SLICE("zone"), list->name);
	if (met->finding.result != DNSBL_RESULT_LISTED)
		return;
	authres_property(field, SLICE("policy"), SLICE("ip"), ip_print(met->finding.ip, ip));
	if (dnsbl_met_text(view, list, met).n > 0)
		authres_property(field, SLICE("policy"), SLICE("txt"), dnsbl_met_text(view, list, met));
}

static void authres(struct view *view, struct authres *field)
{
	const struct check_block *block = &view->settings->blocks[CHECK_NUMBER_dnsbl];
	const struct dnsbl *lists = block->first;

	for (size_t i = 0; view->kind == KIND_INBOUND && i < block->count; i++)
		if (lists[i].weight < 0 && lists[i].of == DNSBL_CLIENT)
			allowed(view, &lists[i], field);
}

/* ---- settings
 * --------------------------------------------------------------------------------------------------------- */

/* The words of the codes, for the compiler. */
static void list_words(struct dnsbl *list, struct arena *arena)
{
	size_t count = list->codes.count + list->bits.count;

	list->words = arena_alloc(arena, (count + 1) * sizeof(*list->words));
	for (size_t i = 0; i < count; i++) {
		const struct dnsbl_code *code =
		    i < list->codes.count ? &list->codes.items[i] : &list->bits.items[i - list->codes.count];

		list->words[i] = arena_cstring(arena, code->word);
	}
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct dnsbl *list = block;

	if (setting_said(told, "bit") && !setting_said(told, "code"))
		list->codes.count = 0;
	list_words(list, told->arena);
	list->health = arena_alloc(told->arena, sizeof(*list->health));
	if (list->zone.n == 0 || list->zone.n + KEY_ROOM <= MAIL_DOMAIN_MAX)
		return 0;
	told->key = "zone";
	error_set(err,
		  "the zone has %zu bytes, and with an address before it no name of the DNS; at most %d can be used",
		  list->zone.n, MAIL_DOMAIN_MAX - KEY_ROOM);
	return -1;
}

#define LIST(member) .offset = offsetof(struct dnsbl, member)

static const struct setting_key name = {
    .name = "dnsbl",
    .type = SETTING_NAME,
    LIST(name),
    .usage = "dnsbl NAME { zone bl.example.org of client code 127.0.0.2 spam weight 5 }",
    .example = "dnsbl zen { zone zen.example.org of client code 127.0.0.2 spam code 127.0.0.10-127.0.0.11 dynamic }"};

static const struct setting_key keys[] = {
    {.name = "zone",
     .type = SETTING_DOMAIN,
     LIST(zone),
     .required = true,
     .example = "dnsbl zen { zone zen.example.org }"},
    {.name = "of",
     .type = SETTING_WORD,
     LIST(of),
     .words = of_words,
     .preset = "client",
     .example = "dnsbl dbl { zone dbl.example.org of sender.domain code 127.0.1.2-127.0.1.99 spam }"},
    {.name = "code",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     LIST(codes),
     .size = sizeof(struct dnsbl_code),
     .takes = 2,
     .most_items = CODES_MAX,
     .read = dnsbl_read_code,
     .preset = "127.0.0.2 listed",
     .usage = "an address or a range in 127.0.0.0/8 and a word, as in code 127.0.0.2 spam, code 127.0.0.10-127.0.0.11 "
	      "dynamic or code 127.0.*.3 high",
     .example = "dnsbl dnswl { zone list.example.org code 127.0.*.2 medium code 127.0.*.3 high weight -5 }"},
    {.name = "bit",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     LIST(bits),
     .size = sizeof(struct dnsbl_code),
     .takes = 2,
     .most_items = CODES_MAX,
     .read = dnsbl_read_bit,
     .usage = "one of 2, 4, 8, 16 and so on and a word, as in bit 8 phish",
     .example = "dnsbl multi { zone multi.example.org of from.domain bit 8 phish bit 16 malware }"},
    {.name = "weight",
     .type = SETTING_INTEGER,
     LIST(weight),
     .least = -WEIGHT_MOST,
     .most = WEIGHT_MOST,
     .preset = "1",
     .example = "dnsbl zen { zone zen.example.org weight 5 }"},
};

static const struct setting_block block = {.name = "dnsbl",
					   .size = sizeof(struct dnsbl),
					   .value = &name,
					   SETTING_KEYS(keys),
					   .repeats = true,
					   .most = DNSBL_MAX,
					   .finish = finish};

#define OF_LIST .argument = ARGUMENT_THING, .depends = depends

static const struct fact facts[] = {
    FACT("dnsbl", RESULT, CONNECT, NULL, "whether that DNS list contains the client, or what it is asked for",
	 .words = words, OF_LIST, .get_of = get_result),
    FACT("dnsbl.code", STRING, CONNECT, NULL, "the word of the first of its codes that was answered", OF_LIST,
	 .words_of = words_of, .get_of = get_code),
    FACT("dnsbl.text", STRING, CONNECT, NULL, "why the list contains it, in its own words", OF_LIST,
	 .get_of = get_text),
    FACT("dnsbl.reason", STRING, CONNECT, NULL, "why the result is temperror", OF_LIST, .get_of = get_reason),
    FACT("dnsbl.score", NUMBER, CONNECT, get_score, "the sum of the weights of all lists that contain it",
	 .changes = true),
};

const struct check check_dnsbl = {CHECK_NAMED(dnsbl), FACTS(facts),   .settings = &block, .needs = needs,
				  .hint = hint,       .field = field, .authres = authres};
