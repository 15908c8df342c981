/*
 * metric_table.c - the section ALL METRICS of sekisho-metrics(7).
 */
#include "tables.h"
#include "web.h"

#include <stdio.h>

void metrics_print(void)
{
	for (const struct metric *metric = web_metrics; metric->name; metric++) {
		printf(".It Li %s%s\n", metric->name, metric->type == METRIC_COUNTER ? "_total" : "");
		print_text(metric->about);
		printf("%s%s%s%s%s%s.\n",
		       metric->type == METRIC_GAUGE     ? "A gauge"
		       : metric->type == METRIC_COUNTER ? "A counter"
							: "A histogram",
		       metric->unit[0] ? " in " : "", metric->unit, metric->labels[0] ? ", with the labels " : "",
		       metric->labels, "");
	}
}
