/*
 * chart.c - messages over time as bars of SVG, with the same numbers as a table for who does not see them.
 */
#include "html.h"
#include <stdio.h>

#define STEP   10 /* width of a bar with its gap, in units of the picture */
#define HEIGHT 100

const struct chart_part chart_parts[CHART_PARTS] = {
    {VERDICT_ACCEPT, "accepted", "accept"},    {VERDICT_QUARANTINE, "held", "quarantine"},
    {VERDICT_DISCARD, "discarded", "discard"}, {VERDICT_DEFER, "deferred", "defer"},
    {VERDICT_REJECT, "refused", "reject"},     {VERDICT_NONE, "aborted", "aborted"}};

static uint64_t slot_total(const struct summary *summary, size_t slot)
{
	uint64_t total = 0;

	for (size_t i = 0; i < VERDICT_COUNT; i++)
		total += summary->verdicts[i][slot];
	return total;
}

/* "2026-11-27 19:05" */
static void add_time(struct text *out, int64_t us, struct arena *arena)
{
	struct slice time = clock_print(us, arena);

	text_add(out, slice_head(time, strlen("2026-11-27")));
	text_add_char(out, ' ');
	text_add(out, slice_head(slice_from(time, strlen("2026-11-27T")), strlen("19:05")));
}

static int64_t slot_time(const struct summary *summary, size_t slot)
{
	return summary->since_us + (int64_t)slot * summary->range->slot_us;
}

static void add_bar(struct text *out, const struct summary *summary, size_t slot, uint64_t most, struct arena *arena)
{
	double y = HEIGHT;

	html_add(out, "<g><title>");
	add_time(out, slot_time(summary, slot), arena);
	text_printf(out, ": %llu messages</title>", (unsigned long long)slot_total(summary, slot));
	for (size_t i = 0; i < CHART_PARTS; i++) {
		uint64_t count = summary->verdicts[chart_parts[i].verdict][slot];
		double height = most ? (double)count * HEIGHT / (double)most : 0;

		if (count == 0)
			continue;
		y -= height;
		text_printf(out, "<rect class=\"%s\" x=\"%zu\" y=\"%.2f\" width=\"%d\" height=\"%.2f\"/>",
			    chart_parts[i].css, slot * STEP + 1, y, STEP - 2, height);
	}
	html_add(out, "</g>");
}

static void add_table(struct text *out, const struct summary *summary, struct arena *arena)
{
	html_add(out,
		 "<details><summary>The numbers as a table</summary><div class=\"wide\" tabindex=\"0\" role=\"region\" "
		 "aria-label=\"Messages over time\"><table><thead><tr><th scope=\"col\">from</th>");
	for (size_t i = 0; i < CHART_PARTS; i++)
		text_printf(out, "<th scope=\"col\" class=\"n\">%s</th>", chart_parts[i].word);
	html_add(out, "</tr></thead><tbody>");
	for (size_t slot = 0; slot < summary->range->slots; slot++) {
		if (slot_total(summary, slot) == 0)
			continue;
		html_add(out, "<tr><th scope=\"row\">");
		add_time(out, slot_time(summary, slot), arena);
		html_add(out, "</th>");
		for (size_t i = 0; i < CHART_PARTS; i++) {
			html_add(out, "<td class=\"n\">");
			html_number(out, summary->verdicts[chart_parts[i].verdict][slot]);
			html_add(out, "</td>");
		}
		html_add(out, "</tr>");
	}
	html_add(out, "</tbody></table></div></details>\n");
}

void chart_add(struct text *out, const struct summary *summary, struct arena *arena)
{
	uint64_t most = 0;

	for (size_t slot = 0; slot < summary->range->slots; slot++)
		if (slot_total(summary, slot) > most)
			most = slot_total(summary, slot);
	html_add(out, "<figure><p class=\"scale\">");
	html_number(out, most);
	text_printf(out, " in %lld minutes at most</p>\n", (long long)(summary->range->slot_us / 60000000));
	text_printf(out,
		    "<svg class=\"chart\" viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" "
		    "aria-label=\"Messages by verdict over time; the table below has the numbers\">",
		    summary->range->slots * STEP, HEIGHT);
	text_printf(out, "<line class=\"grid\" x1=\"0\" x2=\"%zu\" y1=\"%d\" y2=\"%d\"/>", summary->range->slots * STEP,
		    HEIGHT / 2, HEIGHT / 2);
	for (size_t slot = 0; slot < summary->range->slots; slot++)
		if (slot_total(summary, slot))
			add_bar(out, summary, slot, most, arena);
	html_add(out, "</svg>\n<p class=\"axis\"><span>");
	add_time(out, summary->since_us, arena);
	html_add(out, "</span><span>");
	add_time(out, slot_time(summary, summary->range->slots), arena);
	html_add(out, "</span></p></figure>\n");
	add_table(out, summary, arena);
}
