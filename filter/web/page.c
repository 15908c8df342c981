/*
 * page.c - the page at /: what there is to see.
 */
#include "web_private.h"

void page_overview(const struct request *request, struct answer *answer_r)
{
	(void)request;
	answer_r->type = "text/html; charset=utf-8";
	answer_r->body =
	    SLICE("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sekisho</title></head>"
		  "<body><h1>Sekisho</h1><ul><li><a href=\"/metrics\">metrics</a></li>"
		  "<li><a href=\"/healthz\">health</a></li></ul></body></html>\n");
}
