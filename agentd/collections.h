#pragma once

/*
 * Collections of this node for requests: what a request may say, how many there may be, and from the first word
 * of the collector to the last byte that its reader takes. Who hangs up ends his collection.
 *
 * Belongs to the loop.
 */

#include "api/bundle_host.h"
#include "api/feed.h"
#include "bundles/collector.h"

#define COLLECTIONS_SMALL_MAX 4u /* of LIST, ONE and ESTIMATE, at once; of archives one */

struct collections;

/**
 * collections_new()
 * @feed:   borrowed: its report says what the units of this node are
 * @socket: of the collector; copied. NULL: COLLECTOR_SOCKET
 */
int collections_new(struct collections **ret, struct loop *l, const struct feed *feed,
                    const char *socket);

/** collections_free() - all end. No stream of them is left: the server is gone. */
struct collections *collections_free(struct collections *all);

/** collections_set_role() - of this node; from now on */
void collections_set_role(struct collections *all, enum diag_role role);

/** collections_begin() - a BUNDLE_TASK_COLLECT; ends with errand_finish(), perhaps in here */
void collections_begin(struct collections *all, struct errand *e, struct bundle_task *t);

/** collections_abandon() - nobody waits for this one any more: it is finished now */
void collections_abandon(struct collections *all, struct errand *e);

/**
 * collections_start_archive() - one that is no request's: as collector_start(), and it counts
 * @q: role and units are filled in; else as it is. Return: 0, -EBUSY: another one is being made, or -errno; with @e
 */
int collections_start_archive(struct collections *all, struct collector **ret,
                              struct collect_request *q, int fd, collector_event_fn fn,
                              void *userdata, struct err *e);

/** collections_end_archive() - the same has ended, or is given up: @c is freed. NULL is fine. */
struct collector *collections_end_archive(struct collections *all, struct collector *c);

DEFINE_CLEANUP(struct collections *, collections_free);
