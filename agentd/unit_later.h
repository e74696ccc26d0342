#pragma once

/*
 * What can wait is read when nothing else is to be done: one unit at a time, each in its turn, in
 * batches with pauses. After each of many reloads there are a thousand units to be read again, and
 * that must not be all that PID 1 does.
 */

#include "agentd/unit_set.h"
#include "base/loop.h"

struct unit_later;

struct unit_later_ops {
        /* Ask systemd this of that unit; enum unit_detail, ored. */
        void (*ask)(struct unit_record *r, unsigned details, void *userdata);
        /* A pause is over: call unit_later_go_on() when nothing else is under way. */
        void (*resume)(void *userdata);
};

/** unit_later_new() - @set, @ops and @userdata are borrowed and outlive it. 0 or -errno. */
int unit_later_new(struct unit_later **ret, struct loop *l, struct unit_set *set,
                   const struct unit_later_ops *ops, void *userdata);
struct unit_later *unit_later_free(struct unit_later *later);

enum unit_later_step {
        UNIT_LATER_ASKED = 1, /* ask() was called: go on once that was answered */
        UNIT_LATER_PAUSE,     /* resume() follows */
        UNIT_LATER_DONE,      /* nothing is missing any more, and something is known that was not */
        UNIT_LATER_NOTHING,   /* nothing was missing */
};
enum unit_later_step unit_later_go_on(struct unit_later *later);

/** unit_later_stop() - the bus is away: no pause ends, the batch is forgotten. */
void unit_later_stop(struct unit_later *later);

/**
 * unit_later_doubt() - let some units, not plainly active ones, be read again; call it each minute
 *
 * There are changes that no signal and no row tell: `systemctl reset-failed` changes the result of a
 * unit that is not failed, one that was unloaded is loaded from another file, a file is newer than what
 * systemd has read.
 */
void unit_later_doubt(struct unit_later *later);

DEFINE_CLEANUP(struct unit_later *, unit_later_free);
