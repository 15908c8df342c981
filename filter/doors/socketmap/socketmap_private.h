/*
 * socketmap_private.h - what the files of the socketmap door share.
 */
#ifndef SEKISHO_DOORS_SOCKETMAP_PRIVATE_H
#define SEKISHO_DOORS_SOCKETMAP_PRIVATE_H

#include "server.h"

#define REQUEST_MAX (16 * 1024) /* bytes; keys are addresses and names */

/* frame.c: a netstring ("5:hello,"), as server.h says; its content. */
size_t netstring_frame(struct slice bytes);
struct slice netstring_content(struct slice frame);

/* maps.c */
enum found { FOUND, FOUND_NOTHING, FOUND_TROUBLE, FOUND_NO_MAP };

/* The value for the key in the map, in the arena. FOUND_TROUBLE, FOUND_NO_MAP: the value says why. */
enum found map_find(struct engine *, struct slice map, struct slice key, struct arena *, struct slice *value_r);

/* srs.c: the same of an address; why nothing is found, too. */
enum found srs_find(struct engine *, enum srs_direction, struct slice key, struct arena *, struct slice *value_r);

/* The tcp table protocol: a request, as server.h says; a key from its %XX, false: it has a wrong one; a value. */
size_t table_frame(struct slice bytes);
bool table_decode(struct slice text, struct arena *, struct slice *key_r);
void table_encode(struct text *answer, struct slice value);

#endif
