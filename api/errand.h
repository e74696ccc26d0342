#pragma once

/*
 * What only the loop can do, asked for by a request. The handler's first run makes an errand and
 * parks; the loop does it and wakes that one request; then the handler runs again, finds it done, and
 * answers. No thread ever blocks for another. An errand that was not begun in time is taken back,
 * so that it does not happen after its request was told that it did not; one that was begun is
 * waited for, as long as the request may take.
 *
 *     errand_new() → fill in errand_data() → errand_start() → errand_await() until it is done
 *
 * What takes the loop longer than a moment (a question to somebody else) is made by errand_new_later():
 * its run may say ERRAND_LATER, and the loop ends it with errand_finish() when it has the answer.
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

/** errands_new() - @parked: its entry that waits for an errand is woken; both are borrowed */
int errands_new(struct errands **ret, struct loop *l, struct parked *parked);

/**
 * errands_free() - no request is left, and the loop does not turn: what waits is dropped
 * Whoever said ERRAND_LATER has finished all by then.
 */
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

enum errand_progress {
        ERRAND_OVER = 0, /* the data is complete */
        ERRAND_LATER,    /* the loop keeps the errand, and calls errand_finish() for it, once */
};

/** What an errand is. All but run may be zero. */
struct errand_terms {
        size_t n_data; /* bytes of what it is about, zeroed; goes with the errand */

        /* On the loop, at most once. Before ERRAND_LATER is returned, too, it may have been finished. */
        enum errand_progress (*run)(struct errand *e, void *data);

        /*
         * On the loop, at most once, of one that is not finished: nobody waits any more, so that what is
         * done for it may be given up. It is still to be finished; that may happen in here. (A change
         * whose request went before it was begun is not told so: see errand_is_awaited().)
         */
        void (*abandoned)(struct errand *e, void *data);

        void (*done)(void *data); /* frees what the data owns; last of all, any thread */

        uint64_t begin_usec, end_usec; /* after the request came; 0: the constants above */
        unsigned late_status;          /* for who has waited up to the end: 504, or 503 */

        /*
         * It changes nothing: who hangs up gives it up, begun or not, and who loses the right to ask
         * gets no answer. Else it is done, and told, to the end.
         */
        bool only_reads;
};

/** errand_new_later() - as errand_new(). @terms are copied. */
int errand_new_later(struct errand **ret, const struct errand_terms *terms);

/** errand_data() - the caller's up to errand_start() and from ERRAND_DONE; in between the loop's. */
void *errand_data(struct errand *e);

/** errand_start() - queue it; in vain where @q may not wait. Any thread. 0 or -ENOMEM. */
int errand_start(struct errand *e, struct errands *all, const struct request *q);

enum errand_result {
        ERRAND_ANSWERED = 0, /* @r was made: parked, or of errand_await() "busy" or "unfinished" */
        ERRAND_DONE,         /* it is for the caller to answer */

        /* Of errand_wait() only, for the caller to say in his own words: */
        ERRAND_BUSY,       /* it was not begun, and never will be */
        ERRAND_UNFINISHED, /* it was begun; the request has waited long enough; its data is not ours */
};

/**
 * errand_await() - is it done? Any thread.
 *
 * Who waits in vain is told so in API v2's words: 503 "busy", when nothing was done, else late_status
 * and "unfinished". Return: as above, or -ENOMEM.
 */
int errand_await(struct errand *e, const struct request *q, struct reply *r);

/** errand_wait() - the same; only parks, and leaves all answers to the caller. Return: as above. */
enum errand_result errand_wait(struct errand *e, const struct request *q, struct reply *r);

/** errand_finish() - of one that was to end later; it may be gone afterwards. On the loop. */
void errand_finish(struct errand *e);

/** errand_is_awaited() - is there still a request that wants to know? On the loop. */
bool errand_is_awaited(struct errand *e);

/** errand_only_reads() - see struct errand_terms */
bool errand_only_reads(const struct errand *e);

/**
 * errand_unref() - the request's reference: it waits no more. NULL is fine.
 * What was queued is done all the same, unless it only reads.
 */
struct errand *errand_unref(struct errand *e);

DEFINE_CLEANUP(struct errands *, errands_free);
DEFINE_CLEANUP(struct errand *, errand_unref);
