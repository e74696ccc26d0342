/*
 * The slot between the loop and the HTTP threads, as in api/feed.c: the lock makes "read the pointer,
 * then count" one step; the signs of life are atomics, because they change without a snapshot.
 */

#include <errno.h>
#include <pthread.h>

#include "api/view.h"
#include "base/mono.h"

struct view {
        pthread_mutex_t lock; /* guards current */
        struct diag_snapshot *current;
        atomic_uint_fast64_t confirmed_boot_usec, beat_boot_usec;
        struct parked *parked;
};

int view_new(struct view **ret, struct parked *parked, struct diag_snapshot *taken)
{
        struct view *v = calloc(1, sizeof(*v));

        if (!v) {
                diag_snapshot_unref(taken);
                return -ENOMEM;
        }
        pthread_mutex_init(&v->lock, NULL);
        v->current = taken;
        v->parked = parked;
        atomic_init(&v->confirmed_boot_usec, now_boot_usec());
        atomic_init(&v->beat_boot_usec, now_boot_usec());
        *ret = v;
        return 0;
}

struct view *view_free(struct view *v)
{
        if (!v)
                return NULL;
        diag_snapshot_unref(v->current);
        pthread_mutex_destroy(&v->lock);
        free(v);
        return NULL;
}

void view_publish(struct view *v, struct diag_snapshot *taken)
{
        struct diag_snapshot *old;

        assert(taken->sealed);
        pthread_mutex_lock(&v->lock);
        old = v->current;
        v->current = taken;
        pthread_mutex_unlock(&v->lock);
        diag_snapshot_unref(old); /* may free many members: never under the lock */
        parked_wake(v->parked);
}

const struct diag_snapshot *view_current(const struct view *v)
{
        return v->current; /* only the loop writes it, and this is the loop */
}

void view_confirm(struct view *v)
{
        atomic_store_explicit(&v->confirmed_boot_usec, now_boot_usec(), memory_order_release);
}

void view_beat(struct view *v)
{
        atomic_store_explicit(&v->beat_boot_usec, now_boot_usec(), memory_order_release);
}

static uint64_t age_of(const atomic_uint_fast64_t *boot_usec)
{
        return usec_since(now_boot_usec(), atomic_load_explicit(boot_usec, memory_order_acquire));
}

uint64_t view_beat_age(const struct view *v)
{
        return age_of(&v->beat_boot_usec);
}

static struct diag_snapshot *take_current(struct view *v)
{
        struct diag_snapshot *s;

        pthread_mutex_lock(&v->lock);
        s = diag_snapshot_ref(v->current);
        pthread_mutex_unlock(&v->lock);
        return s;
}

static uint64_t left_of(uint64_t max, uint64_t age)
{
        return age > max ? 0 : max - age;
}

void view_look(struct view *v, struct view_look *ret)
{
        /* The snapshot first: signs of life that come after it speak for it or for a newer one. */
        struct diag_snapshot *s = take_current(v);
        uint64_t age = age_of(&v->confirmed_boot_usec), beat_age = view_beat_age(v);
        uint64_t left = left_of(s->view_max_age_usec, age);

        if (left_of(VIEW_BEAT_MAX_AGE_USEC, beat_age) < left)
                left = left_of(VIEW_BEAT_MAX_AGE_USEC, beat_age);
        *ret = (struct view_look){
                .snapshot = s,
                .stale = age > s->view_max_age_usec || beat_age > VIEW_BEAT_MAX_AGE_USEC,
                .age_usec = age,
                .stale_at_mono_usec = usec_add(now_mono_usec(), left + USEC_PER_MSEC),
        };
}

void view_look_done(struct view_look *l)
{
        l->snapshot = diag_snapshot_unref(l->snapshot);
}
