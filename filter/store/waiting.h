/*
 * waiting.h - who is told that the call of this thread waits for a server. An answer that comes within WAITING_QUICK_US
 * is not worth telling: handing the other sessions of a thread over takes longer.
 */
#ifndef SEKISHO_STORE_WAITING_H
#define SEKISHO_STORE_WAITING_H

#include "base.h"

#define WAITING_QUICK_US 100

/* Around a call. hook NULL: nobody is told. */
void waiting_begin(const struct wait_hook *hook);
void waiting_end(void);

/* Tells now, if that was not done yet in this call; in another thread, nothing. */
void waiting_tell(void);
/* How long to wait at first, when `left_us` are left at the time now_us (clock_us). */
int64_t waiting_step(int64_t now_us, int64_t left_us);

#endif
