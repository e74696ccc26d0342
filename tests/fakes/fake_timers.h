#pragma once

/*
 * Time that passes when a test says so: all three clocks, and the timers of base/loop.h, which the linker
 * replaces (fake_timers_wraps in tests/meson.build). What sockets bring comes in real time, in between.
 */

#include <errno.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define FAKE_START_USEC (100000 * USEC_PER_SEC)

struct loop_timer {
        TAILQ_ENTRY(loop_timer) link;
        void (*fn)(void *userdata);
        void *userdata;
        uint64_t due_mono_usec;
        bool set;
};

static TAILQ_HEAD(, loop_timer) fake_timers = TAILQ_HEAD_INITIALIZER(fake_timers);
static uint64_t fake_usec = FAKE_START_USEC;

int __wrap_loop_timer_new(struct loop_timer **ret, struct loop *l, void (*fn)(void *userdata),
                          void *userdata);
struct loop_timer *__wrap_loop_timer_free(struct loop_timer *t);
void __wrap_loop_timer_set(struct loop_timer *t, uint64_t mono_usec, uint64_t slack_usec);
void __wrap_loop_timer_stop(struct loop_timer *t);
bool __wrap_loop_timer_is_set(const struct loop_timer *t);

int __wrap_loop_timer_new(struct loop_timer **ret, _unused_ struct loop *l,
                          void (*fn)(void *userdata), void *userdata)
{
        struct loop_timer *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->fn = fn;
        t->userdata = userdata;
        TAILQ_INSERT_TAIL(&fake_timers, t, link);
        *ret = t;
        return 0;
}

struct loop_timer *__wrap_loop_timer_free(struct loop_timer *t)
{
        if (t) {
                TAILQ_REMOVE(&fake_timers, t, link);
                free(t);
        }
        return NULL;
}

void __wrap_loop_timer_set(struct loop_timer *t, uint64_t mono_usec, _unused_ uint64_t slack_usec)
{
        t->due_mono_usec = mono_usec;
        t->set = true;
}

void __wrap_loop_timer_stop(struct loop_timer *t)
{
        t->set = false;
}

bool __wrap_loop_timer_is_set(const struct loop_timer *t)
{
        return t->set;
}

static inline void fake_time_begin(void)
{
        fake_usec = FAKE_START_USEC;
        clock_fake(&fake_usec);
}

static inline void fake_time_end(void)
{
        clock_fake(NULL);
}

/* The first that is due by then; NULL: none. */
static inline struct loop_timer *fake_timer_due(uint64_t mono_usec)
{
        struct loop_timer *t, *first = NULL;

        TAILQ_FOREACH (t, &fake_timers, link)
                if (t->set && t->due_mono_usec <= mono_usec &&
                    (!first || t->due_mono_usec < first->due_mono_usec))
                        first = t;
        return first;
}

/** fake_timers_fire() - one that is due by @mono_usec, the clock set to when it was; false: none is */
static inline bool fake_timers_fire(uint64_t mono_usec)
{
        struct loop_timer *t = fake_timer_due(mono_usec);

        if (!t)
                return false;
        if (t->due_mono_usec > fake_usec)
                fake_usec = t->due_mono_usec;
        t->set = false;
        t->fn(t->userdata);
        return true;
}
