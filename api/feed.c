/*
 * The slot between the loop and the HTTP threads. The lock makes "read the pointer, then count" one
 * step; nothing else happens under it. The signs of life are atomics: they change without a report.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "api/feed.h"
#include "base/mono.h"

struct feed {
        pthread_mutex_t lock; /* guards current */
        struct diag_report *current;
        atomic_uint_fast64_t wake_seq;
        atomic_uint_fast64_t confirmed_boot_usec; /* 0: never */
        atomic_uint_fast64_t beat_boot_usec;
        struct parked *parked;
};

int feed_new(struct feed **ret, struct parked *parked, struct diag_report *taken)
{
        struct feed *f = calloc(1, sizeof(*f));

        if (!f) {
                diag_report_unref(taken);
                return -ENOMEM;
        }
        pthread_mutex_init(&f->lock, NULL);
        f->current = taken;
        f->parked = parked;
        atomic_init(&f->wake_seq, taken->seq);
        atomic_init(&f->confirmed_boot_usec, 0);
        atomic_init(&f->beat_boot_usec, now_boot_usec());
        *ret = f;
        return 0;
}

struct feed *feed_free(struct feed *f)
{
        if (!f)
                return NULL;
        diag_report_unref(f->current);
        pthread_mutex_destroy(&f->lock);
        free(f);
        return NULL;
}

void feed_publish(struct feed *f, struct diag_report *taken)
{
        struct diag_report *old;

        assert(taken->sealed);
        pthread_mutex_lock(&f->lock);
        old = f->current;
        f->current = taken;
        pthread_mutex_unlock(&f->lock);
        diag_report_unref(old); /* may free a large tree: never under the lock */
}

const struct diag_report *feed_current(const struct feed *f)
{
        return f->current; /* only the loop writes it, and this is the loop */
}

void feed_wake(struct feed *f, uint64_t seq)
{
        if (seq <= atomic_load_explicit(&f->wake_seq, memory_order_relaxed))
                return;
        atomic_store_explicit(&f->wake_seq, seq, memory_order_release);
        parked_wake(f->parked);
}

void feed_confirm(struct feed *f)
{
        atomic_store_explicit(&f->confirmed_boot_usec, now_boot_usec(), memory_order_release);
}

void feed_beat(struct feed *f)
{
        atomic_store_explicit(&f->beat_boot_usec, now_boot_usec(), memory_order_release);
}

uint64_t feed_confirmed_age(const struct feed *f)
{
        uint64_t at = atomic_load_explicit(&f->confirmed_boot_usec, memory_order_acquire);

        return at ? usec_since(now_boot_usec(), at) : USEC_INFINITY;
}

uint64_t feed_beat_age(const struct feed *f)
{
        return usec_since(now_boot_usec(),
                          atomic_load_explicit(&f->beat_boot_usec, memory_order_acquire));
}

static struct diag_report *take_current(struct feed *f)
{
        struct diag_report *r;

        pthread_mutex_lock(&f->lock);
        r = diag_report_ref(f->current);
        pthread_mutex_unlock(&f->lock);
        return r;
}

/* "Unknown" stays true however old it gets; only a report that claims to know can go stale. */
static bool claims_something(const struct diag_report *r)
{
        return r->counts.n[DIAG_HEALTHY] + r->counts.n[DIAG_UNHEALTHY] > 0;
}

static struct diag_report *stale_twin(const struct diag_report *r, bool loop_hangs, uint64_t age)
{
        char text[128];

        if (age == USEC_INFINITY)
                return diag_report_stale(r, "systemd has not answered yet");
        (void)snprintf(text, sizeof(text),
                       loop_hangs ? "diag-agentd itself has been stuck for %u s"
                                  : "systemd has not answered for %u s",
                       (unsigned)(age / USEC_PER_SEC));
        return diag_report_stale(r, text);
}

int feed_look(struct feed *f, struct feed_view *ret)
{
        /* The report first: signs of life that come after it speak for it or for a newer one. */
        _cleanup_(diag_report_unrefp) struct diag_report *r = take_current(f);
        uint64_t beat_age = feed_beat_age(f), facts_age = feed_confirmed_age(f);
        uint64_t left = USEC_INFINITY;
        bool loop_hangs = beat_age > FEED_BEAT_MAX_AGE_USEC;
        bool silent = facts_age > FEED_FACTS_MAX_AGE_USEC;

        *ret = (struct feed_view){
                .wake_seq = atomic_load_explicit(&f->wake_seq, memory_order_acquire),
                .confirmed_age_usec = facts_age,
                .stale = claims_something(r) && (loop_hangs || silent),
        };
        if (ret->stale) {
                ret->report = stale_twin(r, loop_hangs, loop_hangs ? beat_age : facts_age);
                return ret->report ? 0 : -ENOMEM;
        }
        if (claims_something(r)) {
                left = FEED_BEAT_MAX_AGE_USEC - beat_age;
                if (FEED_FACTS_MAX_AGE_USEC - facts_age < left)
                        left = FEED_FACTS_MAX_AGE_USEC - facts_age;
                left += USEC_PER_MSEC; /* just past it, not just before */
        }
        ret->stale_at_mono_usec = usec_add(now_mono_usec(), left);
        ret->report = TAKE_PTR(r);
        return 0;
}

void feed_view_done(struct feed_view *v)
{
        v->report = diag_report_unref(v->report);
}
