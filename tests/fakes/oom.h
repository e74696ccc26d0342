#pragma once

/* What the test_oom_*.c have in common: a scenario runs again and again, one more allocation each time. */

#include <errno.h>
#include <stdio.h>

#include "tests/fakes/fail_alloc.h"
#include "tests/unit/test_main.h"

#define OOM_ALLOCATIONS_MAX 10000u

/* For run(): check's own macros allocate, and would be made to fail themselves. */
#define ensure(expression) ((expression) ? (void)0 : oom_wrong(__FILE__, __LINE__, #expression))

static inline void oom_wrong(const char *file, int line, const char *expression)
{
        (void)fail_alloc_end();
        ck_abort_msg("%s:%d: not so: %s", file, line, expression);
}

struct oom_scenario {
        const char *name;
        /**
         * run() - do it, from nothing to nothing
         *
         * Whatever it says has worked, it has looked at: a result that is there is the right one. Frees
         * what it made. Return: 0, or the -ENOMEM that it was told.
         */
        int (*run)(void);
};

/* Fail the first, the second … until there is none left to fail: alone, and with all that follow. */
static inline void oom_run(const struct oom_scenario *s)
{
        static const uint64_t counts[] = {1, FAIL_ALLOC_REST};

        for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
                uint64_t n, n_failed = 1;
                int k = 0;

                for (n = 1; n_failed > 0; n++) {
                        ck_assert_msg(n < OOM_ALLOCATIONS_MAX, "%s: never comes through", s->name);
                        fail_alloc_begin(n, counts[i]);
                        k = s->run();
                        n_failed = fail_alloc_end();
                        ck_assert_msg(k == 0 || (k == -ENOMEM && n_failed > 0),
                                      "%s: allocation %u: %s", s->name, (unsigned)n, strerror(-k));
                }
                ck_assert_msg(k == 0 && n > 2, "%s: allocates nothing, or nothing was made to fail",
                              s->name);
        }
}
