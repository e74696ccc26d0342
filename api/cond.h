#pragma once

/* Waiting on a condition until a moment of CLOCK_MONOTONIC; for the few threads of api/. */

#include <pthread.h>
#include <time.h>

#include "base/mono.h"

static inline void cond_init_mono(pthread_cond_t *c)
{
        pthread_condattr_t attr;

        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(c, &attr);
        pthread_condattr_destroy(&attr);
}

/** cond_wait_until() - @c: from cond_init_mono(); @mono_usec may be USEC_INFINITY; may return early */
static inline void cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t mono_usec)
{
        struct timespec ts = {
                .tv_sec = (time_t)(mono_usec / USEC_PER_SEC),
                .tv_nsec = (long)(mono_usec % USEC_PER_SEC * 1000),
        };

        if (mono_usec == USEC_INFINITY)
                pthread_cond_wait(c, lock);
        else
                pthread_cond_timedwait(c, lock, &ts);
}
