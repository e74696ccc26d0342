#pragma once

/*
 * The last lines that the journal has of a unit, and of systemd about it: exit codes, start limits,
 * the out-of-memory killer. Read by journalctl as a child, so that a slow disk blocks nobody; few at
 * a time, bounded in time and bytes, newest kept, redacted.
 */

#include "base/loop.h"

#define JOURNAL_TAIL_LINES 50u

struct journal_tail;

/** journal_tail_new() - @changed: a tail is there or has become another. */
int journal_tail_new(struct journal_tail **ret, struct loop *l, void (*changed)(void *userdata),
                     void *userdata);
struct journal_tail *journal_tail_free(struct journal_tail *t);

/**
 * journal_tail_want() - the tail of @unit is wanted
 * @stamp: changes when there may be something new to read
 *
 * Reads it now or soon, once for each stamp, and once more a second later: the journal may lag
 * behind the signal. Units that were not wanted since the last journal_tail_trim() are forgotten.
 */
void journal_tail_want(struct journal_tail *t, const char *unit, uint64_t stamp);
void journal_tail_trim(struct journal_tail *t);

/** journal_tail_get() - borrowed until the loop turns; "" while there is none. */
const char *journal_tail_get(const struct journal_tail *t, const char *unit, bool *ret_truncated);

/** journal_tail_is_idle() - nothing is being read or due now. */
bool journal_tail_is_idle(const struct journal_tail *t);

DEFINE_CLEANUP(struct journal_tail *, journal_tail_free);
