/*
 * xml.c - XML in pieces, by libxml2.
 *
 * No document type is accepted, and so no entity but the five of XML: those are what attacks need (entities in
 * entities, external files), and reports have none. libxml2 keeps a tag or a comment until it is complete, and a name
 * for good; both are bounded here. The only user of libxml2 for reading.
 */
#include "feedback_private.h"
#include <stdlib.h>

#define PIECE_SIZE  (16 * 1024)   /* handed to libxml2 at a time */
#define NAMES_BYTES (1024 * 1024) /* of different names in one report; the schema has 40 names */

struct xml {
	struct feedback *feedback;
	struct elements *elements;
	xmlParserCtxtPtr parser;
	const char *why;    /* it is refused, static */
	size_t since_event; /* bytes since libxml2 understood something */
};

/* libxml2 must not call back any more. */
static void refuse(struct xml *xml, const char *why)
{
	if (!why || xml->why)
		return;
	xml->why = why;
	xml->feedback->xml2->xmlStopParser(xml->parser);
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *space, int space_count,
		     const xmlChar **spaces, int attribute_count, int defaulted, const xmlChar **attributes)
{
	struct xml *xml = context;

	(void)prefix;
	(void)space_count;
	(void)spaces;
	(void)attribute_count;
	(void)defaulted;
	(void)attributes;
	xml->since_event = 0;
	refuse(xml, elements_start(xml->elements, (const char *)name, (const char *)space));
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *space)
{
	struct xml *xml = context;

	(void)name;
	(void)prefix;
	(void)space;
	xml->since_event = 0;
	if (!xml->why)
		elements_end(xml->elements);
}

static void on_text(void *context, const xmlChar *text, int n)
{
	struct xml *xml = context;

	xml->since_event = 0;
	if (!xml->why)
		elements_text(xml->elements, (struct slice){(const char *)text, (size_t)n});
}

static void on_comment(void *context, const xmlChar *text)
{
	(void)text;
	((struct xml *)context)->since_event = 0;
}

static void on_instruction(void *context, const xmlChar *target, const xmlChar *data)
{
	(void)target;
	(void)data;
	((struct xml *)context)->since_event = 0;
}

static void on_doctype(void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	(void)name;
	(void)external;
	(void)system;
	refuse(context, "it has a document type (DOCTYPE), which attacks with entities need and reports do not have");
}

/* Errors are read from the parser afterwards. */
static void on_error(void *context, xmlErrorPtr error)
{
	(void)context;
	(void)error;
}

static void *xml_open(struct content *content)
{
	static const xmlSAXHandler handlers = {.initialized = XML_SAX2_MAGIC,
					       .startElementNs = on_start,
					       .endElementNs = on_end,
					       .characters = on_text,
					       .ignorableWhitespace = on_text,
					       .cdataBlock = on_text,
					       .comment = on_comment,
					       .processingInstruction = on_instruction,
					       .internalSubset = on_doctype,
					       .serror = on_error};
	const struct xml_library *xml2 = content->feedback->xml2;
	struct xml *xml = xmalloc(sizeof(*xml));
	xmlSAXHandler copy = handlers; /* libxml2 takes it without const, and copies it */

	xml->feedback = content->feedback;
	xml->elements = elements_new(content->feedback);
	xml->parser = xml2->xmlCreatePushParserCtxt(&copy, xml, NULL, 0, NULL);
	if (!xml->parser)
		die("out of memory: a parser of XML");
	xml2->xmlCtxtUseOptions(xml->parser, XML_PARSE_NONET);
	xml2->xmlDictSetLimit(xml->parser->dict, NAMES_BYTES);
	return xml;
}

static bool xml_wrong(struct xml *xml)
{
	const xmlError *error = xml->feedback->xml2->xmlCtxtGetLastError(xml->parser);
	struct slice text = slice_trim(slice_of(error ? error->message : NULL));

	if (xml->why)
		return content_skip(xml->feedback, "%s", xml->why);
	if (error && error->code == XML_ERR_NO_MEMORY) /* libxml2 says so when its dictionary is full */
		return content_skip(xml->feedback, "it has more than %d KB of different names", NAMES_BYTES >> 10);
	return content_skip(xml->feedback, "it is not correct XML: line %d: %.*s", error ? error->line : 0,
			    (int)(text.n < 200 ? text.n : 200), text.n ? text.p : "unknown error");
}

static bool xml_bytes(void *state, struct slice chunk)
{
	struct xml *xml = state;

	while (chunk.n > 0 && !elements_complete(xml->elements)) {
		struct slice piece = slice_head(chunk, PIECE_SIZE);

		xml->since_event += piece.n;
		if (xml->feedback->xml2->xmlParseChunk(xml->parser, piece.p, (int)piece.n, 0) != XML_ERR_OK || xml->why)
			if (!elements_complete(xml->elements))
				return xml_wrong(xml);
		if (xml->since_event > FEEDBACK_TOKEN_MAX)
			return content_skip(xml->feedback, "one tag or comment is longer than %d KB",
					    FEEDBACK_TOKEN_MAX >> 10);
		chunk = slice_from(chunk, piece.n);
	}
	return true; /* after the root element, blanks, zeros and other remains are common */
}

static void xml_end(void *state)
{
	struct xml *xml = state;
	const char *why;

	if (!elements_complete(xml->elements))
		xml->feedback->xml2->xmlParseChunk(xml->parser, NULL, 0, 1); /* the last bytes may be waiting */
	if (xml->why)
		xml_wrong(xml);
	else if (!elements_complete(xml->elements))
		content_skip(xml->feedback, "the report ends early, before </feedback>");
	else if ((why = elements_finish(xml->elements)))
		content_skip(xml->feedback, "%s", why);
}

static void xml_free(void *state)
{
	struct xml *xml = state;

	xml->feedback->xml2->xmlFreeParserCtxt(xml->parser);
	elements_free(xml->elements);
	free(xml);
}

const struct content_kind content_xml = {xml_open, xml_bytes, xml_end, xml_free, .bounded = true};
