/*
 * metric_print.c - all metrics of the table as one text.
 */
#include "web_private.h"

#define METRICS_MAX (2 * 1024 * 1024)

struct slice web_metrics_print(const struct web_state *state, const struct engine *engine, bool openmetrics,
			       struct arena *arena)
{
	struct metric_samples samples = {.openmetrics = openmetrics};

	text_init(&samples.text, arena, METRICS_MAX);
	for (const struct metric *metric = web_metrics; metric->name; metric++) {
		samples.metric = metric;
		samples.count = 0;
		metric->read(&samples, state, engine);
	}
	if (openmetrics)
		text_add(&samples.text, SLICE("# EOF\n"));
	return text_slice(&samples.text);
}
