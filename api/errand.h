#pragma once

/*
 * What only the loop can do, asked for by a request. The handler's first run makes an errand and
 * parks; the loop does it and wakes who is parked; then the handler runs again, finds it done, and
 * answers. No thread ever blocks for another. An errand that was not begun in time is taken back,
 * so that it does not happen after its request was told that it did not; one that was begun is
 * waited for.
 *
 *     errand_new() → fill in errand_data() → errand_start() → errand_await() until it is done
 */

#include "api/parked.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/loop.h"
#include "base/mono.h"

#define ERRAND_BEGIN_USEC (5 * USEC_PER_SEC) /* after the request came; else it never begins */
#define ERRAND_END_USEC \
        (60 * USEC_PER_SEC) /* after the request came; who waits longer is sent away */

/** All errands of one loop. */
struct errands;

/** errands_new() - @parked: is woken whenever one was done; both are borrowed */
int errands_new(struct errands **ret, struct loop *l, struct parked *parked);

/** errands_free() - no request is left, and the loop does not turn: what waits is dropped. */
struct errands *errands_free(struct errands *all);

struct errand;

/**
 * errand_new() - not queued yet
 * @ret:    of the request: q->errand
 * @n_data: bytes of what it is about, zeroed; goes with the errand. Nothing in it is freed
 * @run:    called on the loop, at most once; writes its outcome into the data
 * Return: 0 or -ENOMEM.
 */
int errand_new(struct errand **ret, size_t n_data, void (*run)(void *data));

/** errand_data() - the caller's up to errand_start() and from ERRAND_DONE; in between the loop's. */
void *errand_data(struct errand *e);

/** errand_start() - queue it; in vain where @q may not wait. Any thread. 0 or -ENOMEM. */
int errand_start(struct errand *e, struct errands *all, const struct request *q);

enum errand_result {
        ERRAND_ANSWERED =
                0,   /* @r was made: parked, or 503 "busy" (not done) or "unfinished" (begun) */
        ERRAND_DONE, /* it is for the caller to answer */
};

/** errand_await() - is it done? Any thread. Return: as above, or -ENOMEM. */
int errand_await(struct errand *e, const struct request *q, struct reply *r);

/** errand_unref() - what waits in the queue is done all the same. NULL is fine. */
struct errand *errand_unref(struct errand *e);

DEFINE_CLEANUP(struct errands *, errands_free);
DEFINE_CLEANUP(struct errand *, errand_unref);
