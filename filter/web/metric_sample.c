/*
 * metric_sample.c - the lines of metrics as text: the format of Prometheus 0.0.4, and OpenMetrics 1.0, which differs in
 * a few words.
 */
#include "web_private.h"
#include <math.h>

#define LABEL_MAX 200 /* bytes of a value: the path of a policy file with its line */

const char *const metric_type_names[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

/* ---- lines ----------------------------------------------------------------------------------------------- */

/* Backslash, quote and line end are escaped (Prometheus text format; OpenMetrics 1.0, "escaped-string"). */
static void add_escaped(struct text *text, struct slice value)
{
	value = slice_head(value, LABEL_MAX);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\n')
			text_add(text, SLICE("\\n"));
		else if (is_control(c) || (unsigned char)c > 0x7e)
			text_add_char(text, '?');
		else {
			if (c == '\\' || c == '"')
				text_add_char(text, '\\');
			text_add_char(text, c);
		}
	}
}

static void add_labels(struct text *text, const struct label *labels, size_t count, const char *bound)
{
	if (count == 0 && !bound)
		return;
	for (size_t i = 0; i < count; i++) {
		text_printf(text, "%c%s=\"", i ? ',' : '{', labels[i].name);
		add_escaped(text, labels[i].value);
		text_add_char(text, '"');
	}
	if (bound)
		text_printf(text, "%cle=\"%s\"", count ? ',' : '{', bound);
	text_add_char(text, '}');
}

static void add_value(struct text *text, double value)
{
	if (value == floor(value) && fabs(value) < 9e15)
		text_printf(text, " %.0f\n", value);
	else
		text_printf(text, " %.6f\n", value);
}

/* Before the first sample of a metric. In OpenMetrics a counter has its name without "_total". */
static void add_head(struct metric_samples *samples)
{
	const struct metric *metric = samples->metric;
	const char *end = metric->type == METRIC_COUNTER && !samples->openmetrics ? "_total" : "";

	if (samples->count++ > 0)
		return;
	text_printf(&samples->text, "# HELP %s%s ", metric->name, end);
	for (const char *p = metric->about; *p; p++) {
		if (samples->openmetrics && *p == '"')
			text_add_char(&samples->text, '\\');
		text_add_char(&samples->text, *p);
	}
	text_printf(&samples->text, "\n# TYPE %s%s %s\n", metric->name, end, metric_type_names[metric->type]);
	if (samples->openmetrics && metric->unit[0])
		text_printf(&samples->text, "# UNIT %s %s\n", metric->name, metric->unit);
}

void sample_add(struct metric_samples *samples, double value, const struct label *labels, size_t count)
{
	const struct metric *metric = samples->metric;

	add_head(samples);
	text_printf(&samples->text, "%s%s", metric->name, metric->type == METRIC_COUNTER ? "_total" : "");
	add_labels(&samples->text, labels, count, NULL);
	add_value(&samples->text, value);
}

static void add_part(struct metric_samples *samples, const char *part, const struct label *labels, size_t count,
		     const char *bound, double value)
{
	text_printf(&samples->text, "%s_%s", samples->metric->name, part);
	add_labels(&samples->text, labels, count, bound);
	add_value(&samples->text, value);
}

void sample_histogram(struct metric_samples *samples, const struct meter_times *times, const struct label *labels,
		      size_t count)
{
	uint64_t below = 0;
	char bound[32];

	add_head(samples);
	for (size_t i = 0; i < METER_BOUNDS; i++) {
		below += times->counts[i];
		snprintf(bound, sizeof(bound), "%g", (double)meter_bounds_us[i] / 1e6);
		if (samples->openmetrics && !strpbrk(bound, ".e"))
			strcat(bound, ".0");
		add_part(samples, "bucket", labels, count, bound, (double)below);
	}
	add_part(samples, "bucket", labels, count, "+Inf", (double)times->total);
	add_part(samples, "sum", labels, count, NULL, (double)times->sum_us / 1e6);
	add_part(samples, "count", labels, count, NULL, (double)times->total);
}
