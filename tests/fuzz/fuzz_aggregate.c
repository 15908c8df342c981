/*
 * fuzz_aggregate.c - any bytes as a row and as a policy configuration of a store, as a report: the XML is well-formed,
 * and a row that can be read is written as one that says the same.
 */
#include "fuzz.h"

#include "../../filter/aggregate/aggregate_private.h"

#include <libxml/parser.h>

static void quiet(void *context, const char *format, ...)
{
	(void)context, (void)format;
}

/* Names are resolved, and texts bounded, once: what is written again must not change any more. */
static void check_written(const struct aggregate_message *message, struct arena *arena)
{
	unsigned char first[ROW_MAX], second[ROW_MAX];
	struct aggregate_message again;
	size_t n = row_write(message, 7, first);

	must(row_read((struct slice){(const char *)first, n}, message->domain, arena, &again));
	must(again.dkim_count <= message->dkim_count && again.reason_count == message->reason_count);
	must(slice_equal(again.header_from, message->header_from) &&
	     slice_equal(again.spf_domain, message->spf_domain));
	must(row_write(&again, 7, second) == n && memcmp(first, second, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {(const char *)data, size}, row = bytes, value, gz, xml;
	struct sheet_head head = {
	    .domain = SLICE("example.org"), .organization = bytes, .id = SLICE("1"), .keep_xml = true};
	struct arena *arena = arena_new();
	struct aggregate_message message;
	struct sheet *sheet;
	struct error err;
	xmlDocPtr doc;

	if (!slice_cut(&row, '\n', &value))
		row = bytes;
	if (!policy_read(value, &head.discovery, &head.trouble, &head.record))
		head.record = SLICE("v=DMARC1");
	xmlSetGenericErrorFunc(NULL, quiet);
	head.xml2 = xml_library_open(&err);
	sheet = sheet_open(&head);
	if (!row_is_long(row) && row_read(row, head.domain, arena, &message)) {
		check_written(&message, arena);
		sheet_row(sheet, &message, 1);
	}
	must(sheet_close(sheet, arena, &gz, &xml));
	doc = xmlReadMemory(xml.p, (int)xml.n, "report", NULL, XML_PARSE_NONET);
	must(doc);
	xmlFreeDoc(doc);
	arena_free(arena);
	return 0;
}
