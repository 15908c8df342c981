/*
 * search.c - the page at /search: stories of messages, as `sekisho why` tells them.
 *
 * A text with "@" is an address, of senders and recipients; an IP address is a client; any other is a case or a queue
 * id.
 */
#include "html.h"
#include "story.h"

#define STORIES_MAX 20

struct search {
	struct text *out;
	struct engine *engine; /* asks nobody, counts nothing */
	const struct fact_names *names;
	const char *group; /* the heading of what is found next; NULL: none, or it was printed */
	size_t shown, found;
};

/* ---- a story ------------------------------------------------------------------------------------------------- */

static void add_part(struct text *out, const struct story *story, enum story_part part, const char *title)
{
	bool open = false;

	for (size_t i = 0; i < story->line_count; i++) {
		const struct story_line *line = &story->lines[i];

		if (line->part != part)
			continue;
		if (!open)
			text_printf(out, "<h3>%s</h3><dl class=\"story\">", title);
		open = true;
		text_printf(out, "<dt%s>", line->below ? " class=\"below\"" : "");
		html_text(out, line->name);
		html_add(out, "</dt><dd class=\"mail\">");
		html_text(out, line->text);
		html_add(out, "</dd>");
	}
	if (open)
		html_add(out, "</dl>");
}

static void add_rule(struct text *out, const struct rule_trace *rule)
{
	text_printf(out, "<li class=\"%s\"><p><span class=\"where\">", rule->truth == TRUTH_TRUE ? "true" : "other");
	html_text(out, slice_of(rule->where.file));
	text_printf(out, ":%u</span> <code>", rule->where.line);
	html_text(out, rule->source);
	html_add(out, "</code></p><p class=\"mail\">");
	for (size_t i = 0; i < rule->seen_count; i++) {
		html_text(out, rule->seen[i].fact);
		html_add(out, " = ");
		html_text(out, rule->seen[i].value.n ? rule->seen[i].value : SLICE("(none)"));
		html_add(out, "; ");
	}
	html_add(out, "<strong>");
	html_text(out, story_truth(rule->truth));
	html_add(out, ": ");
	html_text(out, slice_of(rule->effect));
	html_add(out, "</strong></p></li>");
}

static void add_rules(struct text *out, const struct story *story)
{
	if (!story->told_rules) {
		html_add(out, "<p class=\"notice\">");
		html_text(out, slice_of(story_without_rules));
		html_add(out, "</p>");
		add_part(out, story, STORY_FACTS, "Facts");
		return;
	}
	html_add(out, "<h3>Rules</h3>");
	if (story->trace.count == 0)
		html_add(out, "<p class=\"none\">No rule concerns this message.</p>");
	else
		html_add(out, "<ol class=\"rules\">");
	for (size_t i = 0; i < story->trace.count; i++)
		add_rule(out, &story->trace.rules[i]);
	html_add(out, story->trace.count ? "</ol>" : "");
}

/* The first one is open. */
static void add_story(struct text *out, const struct story *story, bool open, struct arena *arena)
{
	text_printf(out, "<article><details%s><summary><span class=\"verdict\">", open ? " open" : "");
	html_text(out, story->record.verdict);
	html_add(out, "</span> <span class=\"mail\">");
	html_text(out, story->record.sender.n ? story->record.sender : SLICE("<>"));
	html_add(out, "</span> <span class=\"part\">");
	html_text(out, clock_print(story->record.time_us, arena));
	html_add(out, "</span></summary>");
	add_part(out, story, STORY_WHO, "Who");
	add_part(out, story, STORY_TOLD, "Answer");
	add_part(out, story, STORY_DNS, "DNS");
	add_rules(out, story);
	html_add(out, "</details></article>\n");
}

static bool take(void *context, const struct history_row *row)
{
	struct search *search = context;
	struct arena *arena = arena_new();
	struct story story;

	search->found++;
	if (search->group)
		text_printf(search->out, "<h2 class=\"group\">%s</h2>\n", search->group);
	search->group = NULL;
	if (story_tell(search->engine, search->names, row, arena, &story)) {
		add_story(search->out, &story, search->shown == 0, arena);
		story_end(&story);
		search->shown++;
	}
	arena_free(arena);
	return search->shown < STORIES_MAX;
}

/* ---- the search ------------------------------------------------------------------------------------------------- */

static int find(struct search *search, struct history_reader *reader, struct slice sought, struct error *err)
{
	static const enum history_term people[] = {HISTORY_SENDER, HISTORY_RECIPIENT};
	struct history_found found = {HISTORY_CASE, sought};
	struct ip ip;
	int result = 0;

	if (slice_find(sought, '@') >= 0 || slice_equal(sought, SLICE("<>"))) {
		for (size_t i = 0; i < 2 && result == 0 && search->shown < STORIES_MAX; i++) {
			found.term = people[i];
			search->group = i ? "As recipient" : "As sender or author";
			result = history_find(reader, &found, 0, take, search, err);
		}
		search->group = NULL;
		return result;
	}
	if (ip_parse(sought, &ip) == 0)
		found.term = HISTORY_CLIENT;
	return story_find(reader, &found, 0, take, search, err);
}

static void add_stories(struct text *out, const char *path, struct engine *engine, struct slice sought)
{
	struct fact_names *names = fact_names_new();
	struct search search = {.out = out, .engine = engine, .names = names};
	struct error err;
	struct history_reader *reader = history_reader_open(path, &err);

	if (!reader || find(&search, reader, sought, &err) != 0) {
		html_add(out, "<p class=\"bad\">The history cannot be read: ");
		html_text(out, slice_of(err.text));
		html_add(out, "</p>");
	} else if (search.found == 0) {
		html_add(out, "<p class=\"none\">The history has no such message.</p>");
	} else if (search.shown == STORIES_MAX) {
		text_printf(
		    out,
		    "<p class=\"notice\">The newest %d are shown; <code>sekisho why</code> with --all shows all.</p>",
		    STORIES_MAX);
	}
	history_reader_close(reader);
	fact_names_free(names);
}

/* With the policy in effect, but a resolver that asks nobody, and counters that nobody reads. */
static void tell(struct text *out, const struct request *request, const char *path, struct slice sought)
{
	struct web_host *host = request->web->host;
	struct engine *current = host->engine(host), *engine = NULL;
	struct counters counters = {0};
	struct error err;
	struct resolver *resolver = resolver_open_zone(SLICE(""), "", &err);

	if (resolver)
		engine = engine_new(engine_policy(current), resolver, NULL, &counters);
	add_stories(out, path, engine, sought);
	engine_release(engine);
	resolver_release(resolver);
	engine_release(current);
}

void page_search(const struct request *request, struct answer *answer_r)
{
	struct web_host *host = request->web->host;
	const char *said = request_argument(request, "q");
	struct slice sought = slice_trim(slice_of(said));
	struct web_state state;
	struct text out;

	host->state(host, &state);
	html_begin(&out, request->arena);
	page_begin(&out, "Search", sought);
	html_add(&out, "<h1>Messages</h1>\n");
	if (!state.history_path)
		html_add(&out,
			 "<p class=\"none\">The policy keeps no history; see the setting <code>history</code>.</p>");
	else if (sought.n == 0)
		html_add(&out,
			 "<p class=\"none\">Enter a case, a queue id, an address or the IP address of a client.</p>");
	else if (sought.n > SOUGHT_MAX)
		html_add(&out, "<p class=\"none\">No case and no address is so long.</p>");
	else
		tell(&out, request, state.history_path, sought);
	page_end(&out, answer_r);
}
