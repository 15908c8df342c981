/*
 * xml_module.c - the module of libxml2: nothing but the table of its functions.
 */
#include "xml_library.h"

extern const struct xml_library library_xml;
const struct xml_library library_xml = LIBRARY_VALUES(LIBRARY_XML_VERSION, XML_FUNCTIONS);
