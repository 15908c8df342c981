/*
 * chart.c - messages over time as bars of SVG, with the same numbers as a table for who does not see them.
 */
#include "html.h"
#include <stdio.h>

#define STEP   10 /* width of a bar with its gap, in units of the picture */
#define HEIGHT 100

static uint64_t slot_total(const struct chart *chart, size_t slot)
{
	uint64_t total = 0;

	for (size_t i = 0; i < chart->part_count; i++)
		total += chart->counts[chart->parts[i].row][slot];
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

static int64_t slot_time(const struct chart *chart, size_t slot)
{
	return chart->since_us + (int64_t)slot * chart->range->slot_us;
}

static void add_bar(struct text *out, const struct chart *chart, size_t slot, uint64_t most, struct arena *arena)
{
	double y = HEIGHT;

	html_add(out, "<g><title>");
	add_time(out, slot_time(chart, slot), arena);
	text_printf(out, ": %llu messages</title>", (unsigned long long)slot_total(chart, slot));
	for (size_t i = 0; i < chart->part_count; i++) {
		uint64_t count = chart->counts[chart->parts[i].row][slot];
		double height = most ? (double)count * HEIGHT / (double)most : 0;

		if (count == 0)
			continue;
		y -= height;
		text_printf(out, "<rect class=\"%s\" x=\"%zu\" y=\"%.2f\" width=\"%d\" height=\"%.2f\"/>",
			    chart->parts[i].css, slot * STEP + 1, y, STEP - 2, height);
	}
	html_add(out, "</g>");
}

static void add_table(struct text *out, const struct chart *chart, struct arena *arena)
{
	html_add(out,
		 "<details><summary>The numbers as a table</summary><div class=\"wide\" tabindex=\"0\" role=\"region\" "
		 "aria-label=\"Messages over time\"><table><thead><tr><th scope=\"col\">from</th>");
	for (size_t i = 0; i < chart->part_count; i++)
		text_printf(out, "<th scope=\"col\" class=\"n\">%s</th>", chart->parts[i].word);
	html_add(out, "</tr></thead><tbody>");
	for (size_t slot = 0; slot < chart->range->slots; slot++) {
		if (slot_total(chart, slot) == 0)
			continue;
		html_add(out, "<tr><th scope=\"row\">");
		add_time(out, slot_time(chart, slot), arena);
		html_add(out, "</th>");
		for (size_t i = 0; i < chart->part_count; i++) {
			html_add(out, "<td class=\"n\">");
			html_number(out, chart->counts[chart->parts[i].row][slot]);
			html_add(out, "</td>");
		}
		html_add(out, "</tr>");
	}
	html_add(out, "</tbody></table></div></details>\n");
}

void chart_add(struct text *out, const struct chart *chart, struct arena *arena)
{
	uint64_t most = 0;

	for (size_t slot = 0; slot < chart->range->slots; slot++)
		if (slot_total(chart, slot) > most)
			most = slot_total(chart, slot);
	html_add(out, "<figure><p class=\"scale\">");
	text_printf(out, "busiest %lld minutes: ", (long long)(chart->range->slot_us / 60000000));
	html_number(out, most);
	html_add(out, "</p>\n");
	text_printf(out,
		    "<svg class=\"chart\" viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" "
		    "aria-label=\"%s; the table below has the numbers\">",
		    chart->range->slots * STEP, HEIGHT, chart->about);
	text_printf(out, "<line class=\"grid\" x1=\"0\" x2=\"%zu\" y1=\"%d\" y2=\"%d\"/>", chart->range->slots * STEP,
		    HEIGHT / 2, HEIGHT / 2);
	for (size_t slot = 0; slot < chart->range->slots; slot++)
		if (slot_total(chart, slot))
			add_bar(out, chart, slot, most, arena);
	html_add(out, "</svg>\n<p class=\"axis\"><span>");
	add_time(out, chart->since_us, arena);
	html_add(out, "</span><span>");
	add_time(out, slot_time(chart, chart->range->slots), arena);
	html_add(out, "</span></p></figure>\n");
	add_table(out, chart, arena);
}

static uint64_t part_total(const struct chart *chart, const struct chart_part *part)
{
	uint64_t total = 0;

	for (size_t slot = 0; slot < chart->range->slots; slot++)
		total += chart->counts[part->row][slot];
	return total;
}

void tiles_add(struct text *out, const struct chart *chart)
{
	uint64_t total = 0;

	for (size_t i = 0; i < chart->part_count; i++)
		total += part_total(chart, &chart->parts[i]);
	html_add(out, "<ul class=\"tiles\">");
	for (size_t i = 0; i < chart->part_count; i++) {
		uint64_t count = part_total(chart, &chart->parts[i]);

		text_printf(out, "<li><span class=\"key %s\"></span><span class=\"word\">%s</span> <strong>",
			    chart->parts[i].css, chart->parts[i].word);
		html_number(out, count);
		html_add(out, "</strong>");
		if (total)
			text_printf(out, " <span class=\"part\">%.1f %%</span>", 100 * (double)count / (double)total);
		html_add(out, "</li>");
	}
	html_add(out, "</ul>\n");
}
