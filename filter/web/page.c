/*
 * page.c - the page at /: traffic, rules, and the health of what sekisho relies on.
 */
#include "config.h"
#include "html.h"

static const struct chart_part verdict_parts[] = {
    {VERDICT_ACCEPT, "accepted", "accept"},    {VERDICT_QUARANTINE, "held", "quarantine"},
    {VERDICT_DISCARD, "discarded", "discard"}, {VERDICT_DEFER, "deferred", "defer"},
    {VERDICT_REJECT, "refused", "reject"},     {VERDICT_NONE, "aborted", "aborted"}};

enum range range_asked(const struct request *request)
{
	const char *said = request_argument(request, "range");

	for (enum range range = 0; said && range < RANGES; range++)
		if (strcmp(said, ranges[range].name) == 0)
			return range;
	return RANGE_DAY;
}

void ranges_add(struct text *out, const char *path, const char *query, enum range shown)
{
	html_add(out, "<nav aria-label=\"Time\"><ul class=\"ranges\">");
	for (enum range range = 0; range < RANGES; range++)
		text_printf(out, "<li><a href=\"%s?%srange=%s\"%s>%s</a></li>", path, query, ranges[range].name,
			    range == shown ? " aria-current=\"page\"" : "", ranges[range].title);
	html_add(out, "</ul></nav>\n");
}

/* ---- traffic ------------------------------------------------------------------------------------------------ */

/* `search`: the names are addresses of senders, which can be looked for. */
static void add_top(struct text *out, const struct summary *summary, enum history_count kind, const char *title,
		    const char *name, const char *none)
{
	bool search = kind == HISTORY_COUNT_REFUSED;

	text_printf(out, "<section><h2>%s</h2>", title);
	if (summary->top_count[kind] == 0) {
		text_printf(out, "<p class=\"none\">%s</p></section>\n", none);
		return;
	}
	text_printf(out,
		    "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table><thead><tr><th "
		    "scope=\"col\">%s</th><th scope=\"col\" class=\"n\">messages</th></tr></thead><tbody>",
		    title, name);
	for (size_t i = 0; i < summary->top_count[kind]; i++) {
		const struct named *one = &summary->top[kind][i];

		html_add(out, "<tr><td class=\"mail\">");
		if (search)
			html_search_link(out, one->name);
		else
			html_text(out, one->name);
		html_add(out, "</td><td class=\"n\">");
		html_number(out, one->count);
		html_add(out, "</td></tr>");
	}
	html_add(out, "</tbody></table></div></section>\n");
}

static void add_traffic(struct text *out, const struct request *request, const struct web_state *state,
			enum range range)
{
	struct summary *summary = arena_alloc(request->arena, sizeof(*summary));
	struct chart chart = {.parts = verdict_parts,
			      .part_count = sizeof(verdict_parts) / sizeof(verdict_parts[0]),
			      .about = "Messages by verdict over time"};
	struct error err;

	if (!state->history_path) {
		html_add(
		    out,
		    "<section><h2>Traffic</h2><p class=\"none\">The policy keeps no history. With the setting "
		    "<code>history</code>, traffic, rules and stories of messages are shown here.</p></section>\n");
		return;
	}
	if (summary_read(state->history_path, range, clock_wall_us(), request->arena, summary, &err) != 0) {
		html_add(out, "<section><h2>Traffic</h2><p class=\"bad\">The history cannot be read: ");
		html_text(out, slice_of(err.text));
		html_add(out, "</p></section>\n");
		return;
	}
	html_add(out, "<section><h2>Traffic</h2>\n");
	ranges_add(out, "/", "", range);
	chart.range = summary->range;
	chart.since_us = summary->since_us;
	chart.counts = (const uint64_t(*)[SLOTS_MAX])summary->verdicts;
	tiles_add(out, &chart);
	chart_add(out, &chart, request->arena);
	html_add(out, "</section>\n<div class=\"columns\">\n");
	add_top(out, summary, HISTORY_COUNT_RULE, "Rules that refuse or hold", "rule",
		"None has decided in this time.");
	add_top(out, summary, HISTORY_COUNT_REFUSED,
		range > RANGE_DAY ? "Refused senders, last day" : "Refused senders", "sender",
		"No message was refused in this time.");
	add_top(out, summary, HISTORY_COUNT_WOULD, "Would have", "rule under try",
		"No rule is tried, or none was true.");
	html_add(out, "</div>\n");
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

void page_overview(const struct request *request, struct answer *answer_r)
{
	struct web_host *host = request->web->host;
	struct engine *engine = host->engine(host);
	struct web_state state;
	struct text out;

	host->state(host, &state);
	html_begin(&out, request->arena);
	page_begin(&out, "Overview", SLICE(""));
	text_printf(&out, "<h1>Overview</h1>\n<p class=\"sub\">sekisho %s, running for ", PACKAGE_VERSION);
	html_age(&out, state.uptime_us);
	html_add(&out, "; policy read ");
	html_age(&out, clock_wall_us() - policy_read_at(engine_policy(engine)));
	text_printf(&out, " ago, %zu rules; ", policy_rules(engine_policy(engine)));
	html_number(&out, state.counters->sessions_open);
	html_add(&out, " sessions open</p>\n");
	if (policy_settings(engine_policy(engine))->report_mode)
		html_add(&out, "<p class=\"notice\">Mode report: no rule has an effect.</p>\n");
	add_traffic(&out, request, &state, range_asked(request));
	health_add(&out, &state, engine);
	page_end(&out, answer_r);
	engine_release(engine);
}

void page_style(const struct request *request, struct answer *answer_r)
{
	(void)request;
	answer_r->type = "text/css; charset=utf-8";
	answer_r->body = slice_of(style_sheet);
}

void page_icon(const struct request *request, struct answer *answer_r)
{
	(void)request;
	answer_r->type = "image/svg+xml";
	answer_r->body = slice_of(page_icon_svg);
}
