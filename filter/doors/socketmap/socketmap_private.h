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

#endif
