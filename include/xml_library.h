/*
 * xml_library.h - libxml2, in a module (library.h).
 */
#ifndef SEKISHO_XML_LIBRARY_H
#define SEKISHO_XML_LIBRARY_H

#include "library.h"
#include <libxml/parser.h>
#include <libxml/xmlwriter.h>

#define XML_FUNCTIONS(X)                                                                                               \
	X(xmlCreatePushParserCtxt)                                                                                     \
	X(xmlCtxtGetLastError)                                                                                         \
	X(xmlCtxtUseOptions)                                                                                           \
	X(xmlDictSetLimit)                                                                                             \
	X(xmlFreeParserCtxt)                                                                                           \
	X(xmlFreeTextWriter)                                                                                           \
	X(xmlNewTextWriter)                                                                                            \
	X(xmlOutputBufferCreateIO)                                                                                     \
	X(xmlParseChunk)                                                                                               \
	X(xmlStopParser)                                                                                               \
	X(xmlTextWriterEndDocument)                                                                                    \
	X(xmlTextWriterEndElement)                                                                                     \
	X(xmlTextWriterSetIndent)                                                                                      \
	X(xmlTextWriterStartDocument)                                                                                  \
	X(xmlTextWriterStartElement)                                                                                   \
	X(xmlTextWriterWriteAttribute)                                                                                 \
	X(xmlTextWriterWriteElement)

struct xml_library LIBRARY_TABLE(XML_FUNCTIONS);
#define LIBRARY_XML_VERSION LIBXML_DOTTED_VERSION

/* NULL and err. */
static inline const struct xml_library *xml_library_open(struct error *err)
{
	return library_open("xml", LIBRARY_STAMP(LIBRARY_XML_VERSION, XML_FUNCTIONS), err);
}

#endif
