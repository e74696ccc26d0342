#pragma once

/*
 * "This node is being worked on": a flag of the node, kept on its disk, that ends by itself. It never
 * makes anything healthy: it acknowledges what is not. On the loop only.
 */

#include "api/maintenance_json.h" /* what can be asked for can be kept */
#include "base/err.h"
#include "base/loop.h"
#include "model/report.h"

#define MAINTENANCE_MAX_USEC   MAINTENANCE_BODY_MAX_USEC
#define MAINTENANCE_REASON_MAX MAINTENANCE_BODY_REASON_MAX
#define MAINTENANCE_FILE_MAX   4096u

struct maintenance;

/**
 * maintenance_new() - and what the state file remembers of an earlier run
 * @path:    NULL: kept in memory only. Another boot counts by the wall clock, this one by CLOCK_BOOTTIME,
 *           so that setting the clock neither ends nor prolongs it. A time that cannot be (begun in the
 *           future, longer than the maximum) is cut to what can
 * @changed: called on the loop when it ends by itself, or when the clock was set by a minute or more and
 *           its times have moved along
 * @e:       names the file when it cannot be read, or makes no sense; that is no failure: e->code < 0
 *           with a return of 0. Then there is none, and the file stays as it is until the next start
 */
int maintenance_new(struct maintenance **ret, struct loop *l, const char *path, const char *boot_id,
                    void (*changed)(void *userdata), void *userdata, struct err *e);
struct maintenance *maintenance_free(struct maintenance *m);

/**
 * maintenance_start() - or prolong, or shorten: the last word counts
 * @for_usec: 1 to MAINTENANCE_MAX_USEC
 * @reason:   1 to MAINTENANCE_REASON_MAX bytes of UTF-8 without control characters
 * @by:       the same
 *
 * Return: 0; -EINVAL: one of these is not so; or -errno of writing it down. In both cases nothing has
 * changed, and @e says why.
 */
int maintenance_start(struct maintenance *m, uint64_t for_usec, const char *reason, const char *by,
                      struct err *e);

/** maintenance_stop() - 1 when there was one, else 0; or -errno: then nothing has changed. */
int maintenance_stop(struct maintenance *m, struct err *e);

/** maintenance_current() - borrowed until the loop turns; NULL: none. */
const struct diag_maintenance *maintenance_current(const struct maintenance *m);

/** maintenance_tick() - call it every few seconds: its own timer stands still while suspended. */
void maintenance_tick(struct maintenance *m);

DEFINE_CLEANUP(struct maintenance *, maintenance_free);
