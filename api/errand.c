/*
 * Errands of one loop: a queue under one lock, which decides who was first, the loop that begins an
 * errand or the request that takes it back. A letter to the loop names the queue and not the
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
        struct ref ref;      /* the request's, and the queue's until it was done */
        struct errands *all; /* NULL before it is queued: then nobody else knows it */
        enum errand_state state;
        STAILQ_ENTRY(errand) link;
        void (*run)(void *data);
        alignas(max_align_t) char data[];
};

STAILQ_HEAD(errand_queue, errand);

struct errands {
        struct loop *loop;
        struct parked *parked;
        pthread_mutex_t lock; /* guards the queue, and state and link of every errand */
        struct errand_queue queue;
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
        *ret = all;
        return 0;
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

struct errands *errands_free(struct errands *all)
{
        struct errand *e;

        if (!all)
                return NULL;
        while ((e = begin_next(all)))
                errand_unref(e);
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

/* A letter may find the queue empty: the one before it did all, or they were taken back. */
static void on_letter(void *arg)
{
        struct errands *all = arg;
        struct errand *e;

        while ((e = begin_next(all))) {
                e->run(e->data);
                set_state(e, ERRAND_STATE_DONE);
                errand_unref(e);
                parked_wake(all->parked);
        }
}

/* --- one of them ------------------------------------------------------------------------------ */

int errand_new(struct errand **ret, size_t n_data, void (*run)(void *data))
{
        struct errand *e = calloc(1, sizeof(*e) + n_data);

        if (!e)
                return -ENOMEM;
        ref_init(&e->ref);
        e->run = run;
        *ret = e;
        return 0;
}

struct errand *errand_unref(struct errand *e)
{
        if (e && ref_dec(&e->ref))
                free(e);
        return NULL;
}

void *errand_data(struct errand *e)
{
        return e->data;
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
        errand_unref(e);
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

static int await_end(const struct request *q, struct reply *r, uint64_t now)
{
        uint64_t end = usec_add(q->received_mono_usec, ERRAND_END_USEC);

        if (q->may_park && now < end)
                return reply_park(r, end);
        return reply_error(
                r, 503, "unfinished",
                "diag-agentd has begun, and not ended yet: look later whether it was done");
}

static int refuse(struct reply *r, bool late)
{
        if (late)
                return reply_error(r, 503, "busy",
                                   "diag-agentd's loop did not get to it: nothing was done");
        return reply_error(r, 503, "busy",
                           "too many requests wait, or diag-agentd is stopping: nothing was done");
}

int errand_await(struct errand *e, const struct request *q, struct reply *r)
{
        uint64_t now = now_mono_usec();
        uint64_t begin = usec_add(q->received_mono_usec, ERRAND_BEGIN_USEC);

        switch (look(e, q->may_park && now < begin)) {
        case ERRAND_STATE_DONE:
                return ERRAND_DONE;
        case ERRAND_STATE_QUEUED:
                return reply_park(r, begin);
        case ERRAND_STATE_BEGUN:
                return await_end(q, r, now);
        default:
                return refuse(r, now >= begin);
        }
}
