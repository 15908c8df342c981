/*
 * rdata.h - records as they come over the wire.
 */
#ifndef SEKISHO_DNS_RDATA_H
#define SEKISHO_DNS_RDATA_H

#include "name.h"

/* The texts of one answer: as much as a DNS message can hold. Only names full of bytes that must be escaped come beyond
 * it. */
#define ANSWER_TEXT_MAX 65535

/* Reads uncompressed rdata; its texts are in the arena. 0, or -1: malformed. */
int rdata_read(enum dns_type, struct slice rdata, struct arena *, struct dns_record *record_r);

#endif
