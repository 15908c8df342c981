/*
 * each.h - any and all: a test of each recipient, or of each word of a list.
 */
#ifndef SEKISHO_POLICY_EACH_H
#define SEKISHO_POLICY_EACH_H

enum each { EACH_NONE, EACH_ANY, EACH_ALL };

#endif
