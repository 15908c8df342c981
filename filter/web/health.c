/*
 * health.c - the DNS, lists, keys, store and history on the page.
 */
#include "html.h"

static void add_pair(struct text *out, const char *name, uint64_t number)
{
	text_printf(out, "<dt>%s</dt><dd>", name);
	html_number(out, number);
	html_add(out, "</dd>");
}

static void add_dns(struct text *out, const struct engine *engine)
{
	const struct resolver *resolver = engine_resolver(engine);
	const char *warning = resolver_warning(resolver);
	struct resolver_counters c;

	resolver_counters(resolver, &c);
	html_add(out, "<section><h2>DNS</h2><p class=\"sub\">");
	html_text(out, slice_of(resolver_name(resolver)));
	html_add(out, "</p>");
	if (warning) {
		html_add(out, "<p class=\"bad\">");
		html_text(out, slice_of(warning));
		html_add(out, "</p>");
	}
	html_add(out, "<dl class=\"pairs\">");
	add_pair(out, "questions", c.questions);
	add_pair(out, "answered by the cache", c.cache_hits);
	add_pair(out, "sent to servers", c.asked);
	add_pair(out, "without an answer", c.tempfails);
	add_pair(out, "old answers used", c.stale);
	for (int i = DNS_NO_REASON + 1; i < DNS_REASONS; i++)
		if (c.failures[i])
			add_pair(out, dns_reason_texts[i], c.failures[i]);
	html_add(out, "</dl></section>\n");
}

static void add_list(struct text *out, const struct list *list, int64_t now_us)
{
	struct list_state state;

	list_state(list, &state);
	html_add(out, "<tr><th scope=\"row\">");
	html_text(out, slice_of(list_name(list)));
	html_add(out, "</th><td class=\"n\">");
	if (!list_is_dynamic(list) && state.ready)
		html_number(out, state.entries);
	html_add(out, "</td><td>");
	if (list_is_dynamic(list)) {
		html_add(out, "dynamic");
	} else if (state.failing || !state.ready) {
		html_add(out, "<strong class=\"bad\">cannot be read</strong>");
	} else {
		html_add(out, "read ");
		html_age(out, now_us - state.read_us);
		html_add(out, " ago");
	}
	html_add(out, "</td></tr>");
}

static void add_lists(struct text *out, const struct engine *engine)
{
	struct policy *policy = engine_policy(engine);
	size_t count = policy_lists(policy);

	html_add(out, "<section><h2>Lists</h2>");
	if (count == 0)
		html_add(out, "<p class=\"none\">The policy has no lists.</p>");
	else
		html_add(
		    out,
		    "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Lists\"><table><thead><tr><th "
		    "scope=\"col\">list</th><th scope=\"col\" class=\"n\">entries</th><th scope=\"col\">state</th>"
		    "</tr></thead><tbody>");
	for (size_t i = 0; i < count; i++)
		add_list(out, policy_list_at(policy, i), clock_wall_us());
	html_add(out, count ? "</tbody></table></div></section>\n" : "</section>\n");
}

static void add_keys(struct text *out, const struct engine *engine)
{
	struct policy *policy = engine_policy(engine);
	const struct sign_setting *sign = policy_sign_at(policy, 0);

	html_add(out, "<section><h2>Keys</h2>");
	if (!sign)
		html_add(out, "<p class=\"none\">The policy signs for no domain.</p>");
	else
		html_add(out,
			 "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Keys\"><table><thead><tr><th "
			 "scope=\"col\">domain</th><th scope=\"col\">selectors</th></tr></thead><tbody>");
	for (size_t i = 0; i < KEYS_SHOWN && (sign = policy_sign_at(policy, i)); i++) {
		html_add(out, "<tr><th scope=\"row\">");
		html_text(out, sign->domain);
		html_add(out, "</th><td>");
		for (size_t k = 0; k < sign->key_count; k++) {
			html_add(out, k ? ", " : "");
			html_text(out, sign->keys[k].selector);
		}
		html_add(out, "</td></tr>");
	}
	html_add(out, policy_sign_at(policy, 0) ? "</tbody></table></div></section>\n" : "</section>\n");
}

static void add_use(struct text *out, uint64_t bytes, uint64_t at_most)
{
	html_add(out, "<dt>in use</dt><dd>");
	html_bytes(out, bytes);
	html_add(out, " of ");
	html_bytes(out, at_most);
	html_add(out, "</dd>");
}

static void add_kept(struct text *out, const struct web_state *state)
{
	struct store_counters store;
	struct history_counters history;

	html_add(out, "<section><h2>Store and history</h2><dl class=\"pairs\">");
	if (state->store) {
		store_counters(state->store, &store);
		add_pair(out, "keys in the store", store.keys);
		add_use(out, store.bytes, store.at_most);
		add_pair(out, "requests without an answer", store.unanswered);
	}
	if (state->history) {
		history_counters(state->history, &history);
		add_pair(out, "records written", history.written);
		add_pair(out, "records lost", history.lost);
		add_use(out, history.bytes, history.at_most);
	}
	add_pair(out, "log lines lost", report_lost(state->report));
	html_add(out, "</dl></section>\n");
}

void health_add(struct text *out, const struct web_state *state, const struct engine *engine)
{
	html_add(out, "<div class=\"columns\">\n");
	add_dns(out, engine);
	add_lists(out, engine);
	add_keys(out, engine);
	add_kept(out, state);
	html_add(out, "</div>\n");
}
