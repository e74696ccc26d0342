#pragma once

/* One probe of a real kind, asked by a real prober against whatever the test has put there. */

#include <signal.h>
#include <stdarg.h>

#include "base/mono.h"
#include "probes/prober.h"
#include "tests/unit/test_main.h"

static struct loop *loop;
static struct fetcher *fetcher;
static struct probe_settings *settings;
static struct prober *prober;
static struct diag_probe result;

static inline void one_probe_setup(void)
{
        sigset_t s;

        sigemptyset(&s);
        sigaddset(&s, SIGCHLD);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &s, NULL), 0);
        ck_assert_int_eq(loop_new(&loop), 0);
        ck_assert_int_eq(fetcher_new(&fetcher, loop, NULL), 0);
}

static inline void one_probe_teardown(void)
{
        prober = prober_free(prober);
        settings = probe_settings_free(settings);
        fetcher = fetcher_free(fetcher);
        loop = loop_free(loop);
}

static inline void wait_for_result(uint64_t n)
{
        while (prober_n_results(prober) < n) /* the test's own deadline is the bound */
                ck_assert_int_ge(sd_event_run(loop_event(loop), USEC_PER_SEC), 0);
        prober_get(prober, 0, &result);
}

/** begin_to_ask() - pairs of key and value, ends with NULL. One answer decides. */
static inline void begin_to_ask(const char *key, ...)
{
        const struct probe_settings *list[1];
        struct err e = {0};
        va_list ap;

        ck_assert_int_eq(probe_settings_new(&settings, "p"), 0);
        ck_assert_int_eq(probe_settings_set(settings, "Component", "c", &e), 0);
        ck_assert_int_eq(probe_settings_set(settings, "FailAfter", "1", &e), 0);
        va_start(ap, key);
        for (; key; key = va_arg(ap, const char *))
                ck_assert_msg(probe_settings_set(settings, key, va_arg(ap, const char *), &e) == 0,
                              "%s: %s", key, e.text);
        va_end(ap);
        ck_assert_msg(probe_settings_check(settings, &e) == 0, "%s", e.text);
        list[0] = settings;
        ck_assert_int_eq(prober_new(&prober, loop, fetcher, list, 1, NULL, "boot", NULL, NULL), 0);
        prober_skip(prober, 0, true); /* and back: now, not within a second */
        prober_skip(prober, 0, false);
}

#define ask(...)                           \
        do {                               \
                begin_to_ask(__VA_ARGS__); \
                wait_for_result(1);        \
        } while (0)

static inline void must_be(enum diag_health health, enum diag_code code, const char *text)
{
        ck_assert_str_eq(result.text, text);
        ck_assert_str_eq(diag_code_to_string(result.code), diag_code_to_string(code));
        ck_assert_int_eq(result.health, health);
}
