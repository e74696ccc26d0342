/*
 * Errands of one loop: a queue under one lock, which decides who was first, the loop that begins an
 * errand or the request that takes it back. A letter to the loop names the queues and not the
 * errand: so what is still queued when the loop ends has an owner.
 */

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <sys/queue.h>

#include "api/errand.h"
#include "base/ref.h"

enum errand_state {
        ERRAND_STATE_NEW = 0,
        ERRAND_STATE_QUEUED,
        ERRAND_STATE_BEGUN,
        ERRAND_STATE_DONE,
        ERRAND_STATE_WITHDRAWN,
};

struct errand {
        struct ref ref; /* the request's, that of each queue, and the loop's while it is begun */
        struct errands *all; /* NULL before it is queued: then nobody else knows it */
        enum errand_state state;
        bool left; /* the request waits no more */
        STAILQ_ENTRY(errand) link;
        struct errand_terms terms;
        void (*run_now)(void *data); /* in place of terms.run */
        alignas(max_align_t) char data[];
};

STAILQ_HEAD(errand_queue, errand);

struct errands {
        struct loop *loop;
        struct parked *parked;
        pthread_mutex_t lock; /* guards the queues, and state, left and link of every errand */
        struct errand_queue queue;
        struct errand_queue abandoned; /* begun, and nobody has told the loop yet */
};

/* --- all of them ------------------------------------------------------------------------------ */

int errands_new(struct errands **ret, struct loop *l, struct parked *parked)
{
        struct errands *all = calloc(1, sizeof(*all));

        if (!all)
                return -ENOMEM;
        all->loop = l;
        all->parked = parked;
        pthread_mutex_init(&all->lock, NULL);
        STAILQ_INIT(&all->queue);
        STAILQ_INIT(&all->abandoned);
        *ret = all;
        return 0;
}

static struct errand *errand_drop(struct errand *e)
{
        if (!ref_dec(&e->ref))
                return NULL;
        if (e->terms.done)
                e->terms.done(e->data);
        free(e);
        return NULL;
}

static struct errand *begin_next(struct errands *all)
{
        struct errand *e;

        pthread_mutex_lock(&all->lock);
        e = STAILQ_FIRST(&all->queue);
        if (e) {
                STAILQ_REMOVE_HEAD(&all->queue, link);
                e->state = ERRAND_STATE_BEGUN;
        }
        pthread_mutex_unlock(&all->lock);
        return e;
}

static struct errand *next_abandoned(struct errands *all)
{
        struct errand *e;

        pthread_mutex_lock(&all->lock);
        e = STAILQ_FIRST(&all->abandoned);
        if (e)
                STAILQ_REMOVE_HEAD(&all->abandoned, link);
        pthread_mutex_unlock(&all->lock);
        return e;
}

struct errands *errands_free(struct errands *all)
{
        struct errand *e;

        if (!all)
                return NULL;
        while ((e = begin_next(all)) || (e = next_abandoned(all)))
                errand_drop(e);
        pthread_mutex_destroy(&all->lock);
        free(all);
        return NULL;
}

static void set_state(struct errand *e, enum errand_state state)
{
        pthread_mutex_lock(&e->all->lock);
        e->state = state;
        pthread_mutex_unlock(&e->all->lock);
}

static enum errand_state state_of(struct errand *e)
{
        enum errand_state state;

        pthread_mutex_lock(&e->all->lock);
        state = e->state;
        pthread_mutex_unlock(&e->all->lock);
        return state;
}

void errand_finish(struct errand *e)
{
        struct errands *all = e->all;

        assert(state_of(e) == ERRAND_STATE_BEGUN);
        set_state(e, ERRAND_STATE_DONE);
        errand_drop(e);
        parked_wake_key(all->parked, e);
}

static enum errand_progress errand_run(struct errand *e)
{
        if (e->terms.run)
                return e->terms.run(e, e->data);
        e->run_now(e->data);
        return ERRAND_OVER;
}

/* A letter may find the queues empty: the one before it did all, or they were taken back. */
static void on_letter(void *arg)
{
        struct errands *all = arg;
        struct errand *e;

        while ((e = begin_next(all)))
                if (errand_run(e) == ERRAND_OVER)
                        errand_finish(e);
        while ((e = next_abandoned(all))) {
                if (state_of(e) == ERRAND_STATE_BEGUN)
                        e->terms.abandoned(e, e->data);
                errand_drop(e);
        }
}

/* --- one of them ------------------------------------------------------------------------------ */

static struct errand *errand_alloc(size_t n_data)
{
        struct errand *e = calloc(1, sizeof(*e) + n_data);

        if (e)
                ref_init(&e->ref);
        return e;
}

int errand_new(struct errand **ret, size_t n_data, void (*run)(void *data))
{
        struct errand *e = errand_alloc(n_data);

        if (!e)
                return -ENOMEM;
        e->run_now = run;
        e->terms.begin_usec = ERRAND_BEGIN_USEC;
        e->terms.end_usec = ERRAND_END_USEC;
        *ret = e;
        return 0;
}

int errand_new_later(struct errand **ret, const struct errand_terms *terms)
{
        struct errand *e = errand_alloc(terms->n_data);

        if (!e)
                return -ENOMEM;
        e->terms = *terms;
        if (e->terms.begin_usec == 0)
                e->terms.begin_usec = ERRAND_BEGIN_USEC;
        if (e->terms.end_usec == 0)
                e->terms.end_usec = ERRAND_END_USEC;
        *ret = e;
        return 0;
}

void *errand_data(struct errand *e)
{
        return e->data;
}

bool errand_only_reads(const struct errand *e)
{
        return e->terms.only_reads;
}

bool errand_is_awaited(struct errand *e)
{
        bool awaited;

        pthread_mutex_lock(&e->all->lock);
        awaited = !e->left;
        pthread_mutex_unlock(&e->all->lock);
        return awaited;
}

int errand_start(struct errand *e, struct errands *all, const struct request *q)
{
        int k;

        assert(e->state == ERRAND_STATE_NEW);
        e->all = all;
        if (!q->may_park) {
                set_state(e, ERRAND_STATE_WITHDRAWN);
                return 0;
        }
        pthread_mutex_lock(&all->lock);
        k = loop_post(all->loop, on_letter, all); /* on the loop it waits for our lock */
        if (k >= 0) {
                ref_inc(&e->ref);
                STAILQ_INSERT_TAIL(&all->queue, e, link);
                e->state = ERRAND_STATE_QUEUED;
        }
        pthread_mutex_unlock(&all->lock);
        return k;
}

/* With the lock held. The caller has a reference of his own. */
static void withdraw(struct errand *e)
{
        STAILQ_REMOVE(&e->all->queue, e, errand, link);
        e->state = ERRAND_STATE_WITHDRAWN;
        (void)ref_dec(&e->ref);
}

/* Likewise. When there is no memory for the letter, the loop finds out when it is done. */
static void tell_loop(struct errand *e)
{
        if (!e->terms.abandoned || loop_post(e->all->loop, on_letter, e->all) < 0)
                return;
        ref_inc(&e->ref);
        STAILQ_INSERT_TAIL(&e->all->abandoned, e, link);
}

static void leave(struct errand *e)
{
        pthread_mutex_lock(&e->all->lock);
        if (!e->left && e->state == ERRAND_STATE_BEGUN)
                tell_loop(e);
        else if (!e->left && e->state == ERRAND_STATE_QUEUED && e->terms.only_reads)
                withdraw(e);
        e->left = true;
        pthread_mutex_unlock(&e->all->lock);
}

struct errand *errand_unref(struct errand *e)
{
        if (!e)
                return NULL;
        if (e->all)
                leave(e);
        return errand_drop(e);
}

static enum errand_state look(struct errand *e, bool may_wait)
{
        enum errand_state state;

        pthread_mutex_lock(&e->all->lock);
        if (e->state == ERRAND_STATE_QUEUED && !may_wait)
                withdraw(e);
        state = e->state;
        pthread_mutex_unlock(&e->all->lock);
        return state;
}

static enum errand_result park(struct errand *e, struct reply *r, uint64_t until_mono_usec)
{
        (void)reply_park_for(r, until_mono_usec, e);
        return ERRAND_ANSWERED;
}

enum errand_result errand_wait(struct errand *e, const struct request *q, struct reply *r)
{
        uint64_t now = now_mono_usec();
        uint64_t begin = usec_add(q->received_mono_usec, e->terms.begin_usec);
        uint64_t end = usec_add(q->received_mono_usec, e->terms.end_usec);

        switch (look(e, q->may_park && now < begin)) {
        case ERRAND_STATE_DONE:
                return ERRAND_DONE;
        case ERRAND_STATE_QUEUED:
                return park(e, r, begin);
        case ERRAND_STATE_BEGUN:
                if (q->may_park && now < end)
                        return park(e, r, end);
                leave(e);
                return ERRAND_UNFINISHED;
        default:
                return ERRAND_BUSY;
        }
}

static int answer_busy(const struct errand *e, const struct request *q, struct reply *r)
{
        if (now_mono_usec() >= usec_add(q->received_mono_usec, e->terms.begin_usec))
                return reply_error(r, 503, "busy",
                                   "the daemon's loop did not get to it: nothing was done");
        return reply_error(r, 503, "busy",
                           "too many requests wait, or the daemon is stopping: nothing was done");
}

static int answer_unfinished(const struct errand *e, struct reply *r)
{
        unsigned status = e->terms.late_status ? e->terms.late_status : 503;

        if (e->terms.only_reads)
                return reply_error(r, status, "unfinished", "no answer in time");
        return reply_error(
                r, status, "unfinished",
                "the daemon has begun, and not ended yet: look later whether it was done");
}

int errand_await(struct errand *e, const struct request *q, struct reply *r)
{
        enum errand_result result = errand_wait(e, q, r);

        switch (result) {
        case ERRAND_BUSY:
                return answer_busy(e, q, r);
        case ERRAND_UNFINISHED:
                return answer_unfinished(e, r);
        default:
                return result;
        }
}
