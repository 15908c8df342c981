/*
 * domains.c - the page at /domains: who sends as our own domains, over time.
 *
 * The history counts a message of such an author under "DOMAIN WORD CLIENT" (HISTORY_COUNT_SOURCE).
 */
#include "html.h"
#include <stdlib.h>

#define DOMAINS_SHOWN 50
#define SOURCES_SHOWN 100

enum word { WORD_PASS, WORD_FAIL, WORD_OTHER, WORD_USERS };
#define WORDS (WORD_USERS + 1)

static const struct chart_part word_parts[WORDS] = {{WORD_USERS, "from our users", "quarantine"},
						    {WORD_PASS, "DMARC passes", "accept"},
						    {WORD_FAIL, "DMARC fails", "reject"},
						    {WORD_OTHER, "not judged", "aborted"}};

struct source {
	struct slice client;
	uint64_t counts[WORDS], total;
};

struct domains {
	const struct range_kind *range;
	int64_t since_us;
	struct names domains, sources; /* sources: of the domain that is shown, "WORD CLIENT" */
	struct slice shown;            /* "": none yet */
	uint64_t slots[WORDS][SLOTS_MAX];
	uint64_t unnamed; /* there were too many sources in five minutes */
};

static enum word word_of(struct slice text)
{
	if (slice_equal(text, SLICE("users")))
		return WORD_USERS;
	if (slice_equal(text, SLICE("pass")))
		return WORD_PASS;
	return slice_equal(text, SLICE("fail")) ? WORD_FAIL : WORD_OTHER;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

static void take_domain(void *context, int64_t step_us, enum history_count kind, struct slice name, uint64_t count)
{
	struct domains *domains = context;
	struct slice rest = name, domain;

	(void)kind;
	if (step_us < domains->since_us)
		return;
	slice_cut(&rest, ' ', &domain);
	if (domain.n == 0)
		domains->unnamed += count;
	else
		names_count(&domains->domains, domain, count);
}

static void take_source(void *context, int64_t step_us, enum history_count kind, struct slice name, uint64_t count)
{
	struct domains *domains = context;
	struct slice rest = name, source, domain, word;

	(void)kind;
	slice_cut(&rest, ' ', &domain);
	if (step_us < domains->since_us || !slice_equal(domain, domains->shown))
		return;
	source = rest;
	slice_cut(&rest, ' ', &word);
	names_count(&domains->sources, source, count);
	domains->slots[word_of(word)][range_slot(domains->range, domains->since_us, step_us)] += count;
}

static int by_client(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	size_t n = x->client.n < y->client.n ? x->client.n : y->client.n;
	int order = n ? memcmp(x->client.p, y->client.p, n) : 0;

	return order ? order : (x->client.n > y->client.n) - (x->client.n < y->client.n);
}

static int by_total(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return x->total != y->total ? (x->total < y->total ? 1 : -1) : by_client(a, b);
}

/* The sources of the domain that is shown, the largest first; to be freed. */
static struct source *sources_of(const struct names *names, size_t *count_r)
{
	struct source *sources = xmalloc((names->used + 1) * sizeof(*sources));
	size_t n = 0, count = 0;

	for (size_t i = 0; i < names->room; i++) {
		struct slice rest = names->places[i].name, word;

		if (!rest.p)
			continue;
		slice_cut(&rest, ' ', &word);
		sources[n].client = rest;
		sources[n].counts[word_of(word)] = sources[n].total = names->places[i].count;
		n++;
	}
	qsort(sources, n, sizeof(*sources), by_client);
	for (size_t i = 0; i < n; i++) {
		if (count == 0 || !slice_equal(sources[count - 1].client, sources[i].client)) {
			sources[count++] = sources[i];
			continue;
		}
		for (size_t w = 0; w < WORDS; w++)
			sources[count - 1].counts[w] += sources[i].counts[w];
		sources[count - 1].total += sources[i].total;
	}
	qsort(sources, count, sizeof(*sources), by_total);
	*count_r = count;
	return sources;
}

/* ---- what is shown -------------------------------------------------------------------------------------------- */

static void add_domains(struct text *out, const struct domains *domains)
{
	struct named top[DOMAINS_SHOWN];
	size_t count = names_top(&domains->domains, top, DOMAINS_SHOWN);

	html_add(out, "<section><h2>Messages by author domain</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" "
		      "aria-label=\"Messages by author domain\"><table><thead><tr><th scope=\"col\">domain</th>"
		      "<th scope=\"col\" class=\"n\">messages</th></tr></thead><tbody>");
	for (size_t i = 0; i < count; i++) {
		text_printf(out,
			    "<tr><td class=\"mail\"><a href=\"/domains?range=%s&amp;domain=", domains->range->name);
		html_query(out, top[i].name);
		html_add(out, slice_equal(top[i].name, domains->shown) ? "\" aria-current=\"true\">" : "\">");
		html_text(out, top[i].name);
		html_add(out, "</a></td><td class=\"n\">");
		html_number(out, top[i].count);
		html_add(out, "</td></tr>");
	}
	html_add(out, "</tbody></table></div>");
	if (domains->unnamed) {
		html_add(out, "<p class=\"notice\">");
		html_number(out, domains->unnamed);
		text_printf(out, " more messages came when there were over %d sources in five minutes.</p>",
			    HISTORY_NAMES_MAX);
	}
	html_add(out, "</section>\n");
}

static void add_source(struct text *out, const struct source *source)
{
	html_add(out, "<tr><td class=\"mail\">");
	if (source->client.n)
		html_search_link(out, source->client);
	else
		html_add(out, "this host");
	html_add(out, "</td>");
	for (size_t i = 0; i < WORDS; i++) {
		html_add(out, "<td class=\"n\">");
		html_number(out, source->counts[word_parts[i].row]);
		html_add(out, "</td>");
	}
	html_add(out, "</tr>");
}

static void add_sources(struct text *out, const struct domains *domains)
{
	size_t count;
	struct source *sources = sources_of(&domains->sources, &count);

	html_add(out,
		 "<h3>Sources</h3><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Sources\"><table>"
		 "<thead><tr><th scope=\"col\">client</th>");
	for (size_t i = 0; i < WORDS; i++)
		text_printf(out, "<th scope=\"col\" class=\"n\">%s</th>", word_parts[i].word);
	html_add(out, "</tr></thead><tbody>");
	for (size_t i = 0; i < count && i < SOURCES_SHOWN; i++)
		add_source(out, &sources[i]);
	html_add(out, "</tbody></table></div>");
	if (count > SOURCES_SHOWN)
		text_printf(out, "<p class=\"notice\">The largest %d of %zu sources are shown.</p>", SOURCES_SHOWN,
			    count);
	free(sources);
}

static void add_shown(struct text *out, const struct domains *domains, struct arena *arena)
{
	const struct chart chart = {.range = domains->range,
				    .since_us = domains->since_us,
				    .parts = word_parts,
				    .part_count = WORDS,
				    .counts = (const uint64_t(*)[SLOTS_MAX])domains->slots,
				    .about = "Messages of this domain over time"};

	html_add(out, "<section><h2 class=\"mail\">");
	html_text(out, domains->shown);
	html_add(out, "</h2>\n");
	tiles_add(out, &chart);
	chart_add(out, &chart, arena);
	add_sources(out, domains);
	html_add(out, "</section>\n");
}

/* The domain that was asked for, or the one with the most messages. */
static struct slice domain_shown(const struct request *request, const struct names *names)
{
	const char *said = request_argument(request, "domain");
	struct named first;

	for (size_t i = 0; said && i < names->room; i++)
		if (names->places[i].name.p && slice_equal_nocase(names->places[i].name, slice_of(said)))
			return names->places[i].name;
	return names_top(names, &first, 1) ? first.name : SLICE("");
}

static int domains_read(const struct request *request, const char *path, struct domains *domains, struct error *err)
{
	struct history_reader *reader = history_reader_open(path, err);
	int64_t now = clock_wall_us();
	int result;

	if (!reader)
		return -1;
	domains->since_us = range_start(domains->range, now);
	result = history_counts(reader, 1u << HISTORY_COUNT_SOURCE, domains->since_us, now, take_domain, domains, err);
	domains->shown = domain_shown(request, &domains->domains);
	if (result == 0 && domains->shown.n)
		result = history_counts(reader, 1u << HISTORY_COUNT_SOURCE, domains->since_us, now, take_source,
					domains, err);
	history_reader_close(reader);
	return result;
}

static void add_all(struct text *out, const struct request *request, const char *path)
{
	struct domains *domains = arena_alloc(request->arena, sizeof(*domains));
	enum range range = range_asked(request);
	struct text query;
	struct error err;

	domains->range = &ranges[range];
	names_init(&domains->domains, request->arena);
	names_init(&domains->sources, request->arena);
	if (domains_read(request, path, domains, &err) != 0) {
		html_add(out, "<p class=\"bad\">The history cannot be read: ");
		html_text(out, slice_of(err.text));
		html_add(out, "</p>");
	} else {
		html_begin(&query, request->arena);
		if (domains->shown.n) {
			html_add(&query, "domain=");
			html_query(&query, domains->shown);
			html_add(&query, "&amp;");
		}
		ranges_add(out, "/domains", arena_cstring(request->arena, text_slice(&query)), range);
		if (domains->shown.n) {
			add_shown(out, domains, request->arena);
			add_domains(out, domains);
		} else {
			html_add(
			    out,
			    "<p class=\"none\">In this time no message came from one of the domains that the policy "
			    "signs for.</p>");
		}
	}
	names_free(&domains->domains);
	names_free(&domains->sources);
}

void page_domains(const struct request *request, struct answer *answer_r)
{
	struct web_host *host = request->web->host;
	struct web_state state;
	struct text out;

	host->state(host, &state);
	html_begin(&out, request->arena);
	page_begin(&out, "Our domains", SLICE(""));
	html_add(&out,
		 "<h1>Our domains</h1>\n<p class=\"sub\">Who sends as the domains that this host signs for, as far as "
		 "such mail came here.</p>\n");
	if (state.history_path)
		add_all(&out, request, state.history_path);
	else
		html_add(&out,
			 "<p class=\"none\">The policy keeps no history; see the setting <code>history</code>.</p>");
	page_end(&out, answer_r);
}
