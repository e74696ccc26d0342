/*
 * It sleeps through a night: CLOCK_BOOTTIME has gone on, CLOCK_MONOTONIC has not. What ages does so by
 * the first, so that nobody is told what was true last evening. What takes too long does so by the
 * second, which systemd stamps its units with: nobody was stuck, restarted or quiet while asleep.
 */

#include <pthread.h>

#include "agentd/wake_damper.h"
#include "api/conditional.h"
#include "api/node_answer.h"
#include "base/mono.h"
#include "model/unit.h"
#include "tests/unit/test_main.h"

#define S        USEC_PER_SEC
#define HOUR     (3600 * S)
#define T        (UINT64_C(100000) * S)
#define INSTANCE UINT64_C(7)

/* The linker puts these in the place of base/mono.h's: there, all clocks show the same. */
uint64_t __wrap_now_mono_usec(void);
uint64_t __wrap_now_boot_usec(void);
uint64_t __wrap_now_wall_usec(void);
uint64_t __real_now_mono_usec(void);

static uint64_t mono = T; /* 0: the real one */
static uint64_t asleep;   /* in all */

uint64_t __wrap_now_mono_usec(void)
{
        return mono ? mono : __real_now_mono_usec();
}

uint64_t __wrap_now_boot_usec(void)
{
        return now_mono_usec() + asleep;
}

uint64_t __wrap_now_wall_usec(void)
{
        return now_boot_usec() + 1000 * HOUR;
}

static void wake_up(void)
{
        mono = T;
        asleep = 3 * HOUR; /* not the first night */
}

static struct feed *open_feed(void)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system nothing = {0};
        const struct diag_component c = {.name = "a.service", .health = DIAG_HEALTHY};
        struct diag_report *r;
        struct feed *f;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        r->instance = INSTANCE;
        r->phase = DIAG_PHASE_RUNNING;
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_int_eq(diag_report_seal(r, NULL, now_wall_usec(), NULL, NULL), 0);
        ck_assert_int_eq(feed_new(&f, NULL, r), 0);
        feed_confirm(f);
        feed_beat(f);
        return f;
}

/* --- ages ------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
        const char *name;
        uint64_t slept, awake; /* then somebody asks */
        bool beats, confirmed; /* after waking */
        bool want_stale;
        const char *want_text;
} nights[] = {
        {"a nap", 10 * S, 5 * S, false, false, false, NULL},
        {"a nap that is just short enough", 19 * S, 1 * S, false, false, false, NULL},
        {"a nap that is not", 19 * S, 1 * S + 1, false, false, true,
         "diag-agentd itself has been stuck for 20 s"},
        {"a night", 8 * HOUR, 0, false, false, true,
         "diag-agentd itself has been stuck for 28800 s"},
        {"a night, and the loop turns", 8 * HOUR, 1 * S, true, false, true,
         "systemd has not answered for 28801 s"},
        {"a night, and systemd has answered", 8 * HOUR, 1 * S, true, true, false, NULL},
};
/* clang-format on */

START_TEST(ages_in_its_sleep)
{
        _cleanup_(feed_freep) struct feed *f = open_feed();
        _cleanup_(feed_view_done) struct feed_view v = {0};

        asleep += nights[_i].slept;
        mono += nights[_i].awake;
        if (nights[_i].beats)
                feed_beat(f);
        if (nights[_i].confirmed)
                feed_confirm(f);
        ck_assert_int_eq(feed_look(f, &v), 0);
        ck_assert_msg(v.stale == nights[_i].want_stale, "%s", nights[_i].name);
        ck_assert_int_eq(v.report->health, v.stale ? DIAG_UNKNOWN : DIAG_HEALTHY);
        if (v.stale)
                ck_assert_str_eq(v.report->node_text, nights[_i].want_text);
        else /* whoever waits looks again while it is awake: the clock that it waits by stands still too */
                ck_assert_uint_le(v.stale_at_mono_usec, mono + 20 * S + USEC_PER_MSEC);
}
END_TEST

static int spell(_unused_ const struct request *q, struct reply *r, const struct feed_view *v)
{
        return reply_text(r, 200, "%s", diag_health_to_string(v->report->health));
}

static unsigned ask(struct feed *f, struct reply *r)
{
        static const struct node_spelling spelling = {.strong = true, .spell = spell};
        struct node_host host = {.feed = f};
        char etag[ETAG_MAX];
        const struct request q = {.if_none_match =
                                          etag_format(etag, INSTANCE, feed_current(f)->seq, false),
                                  .prefer = "wait=30",
                                  .received_mono_usec = now_mono_usec(),
                                  .host = &host};

        ck_assert_int_eq(node_answer(&q, r, &spelling), 0);
        return r->status;
}

START_TEST(says_unchanged_only_to_what_it_vouches_for)
{
        _cleanup_(feed_freep) struct feed *f = open_feed();
        _cleanup_(reply_done) struct reply evening = {0}, night = {0}, morning = {0};

        ck_assert_uint_eq(ask(f, &evening), 304);
        asleep += 8 * HOUR;
        ck_assert_uint_eq(ask(f, &night), 200);
        ck_assert_ptr_nonnull(strstr(blob_data(night.body), "unknown"));
        for (size_t i = 0; i < night.n_headers; i++)
                ck_assert_str_ne(night.headers[i].name, "ETag");
        feed_beat(f);
        feed_confirm(f);
        ck_assert_uint_eq(ask(f, &morning), 304);
}
END_TEST

/* --- what takes too long ------------------------------------------------------------------------ */

START_TEST(is_not_stuck_while_asleep)
{
        const struct diag_unit u = {.load_state = "loaded",
                                    .active_state = "activating",
                                    .sub_state = "start",
                                    .type = "notify",
                                    .timeout_start_usec = USEC_INFINITY,
                                    .state_change_mono_usec = T,
                                    .inactive_exit_mono_usec = T};
        struct diag_unit_context c = {.no_facts = "",
                                      .failed_dependency = "",
                                      .stuck_after_usec = 600 * S,
                                      .stuck_after_oneshot_usec = USEC_INFINITY};

        mono += 20 * S;
        asleep += 8 * HOUR;
        c.now_mono_usec = now_mono_usec();
        ck_assert_int_eq(diag_unit_judge(&u, &c).code, DIAG_CODE_STARTING);
        ck_assert_uint_eq(diag_unit_judge_again_at(&u, &c), T + 600 * S);
        mono += 580 * S;
        c.now_mono_usec = now_mono_usec();
        ck_assert_int_eq(diag_unit_judge(&u, &c).code, DIAG_CODE_STUCK_STARTING);
}
END_TEST

/* A night between two crashes is no quiet night: nothing ran. */
START_TEST(loops_on_after_a_night)
{
        struct diag_restarts r = {0};
        struct diag_unit u = {0};

        for (unsigned i = 0; i <= 3; i++) {
                u.n_restarts = i;
                diag_restarts_note(&r, &u, now_mono_usec());
                mono += 10 * S;
                asleep += i == 2 ? 8 * HOUR : 0;
        }
        ck_assert_uint_eq(diag_restarts_recent(&r, now_mono_usec()), 3);
        ck_assert_uint_eq(diag_restarts_loop_end(&r), T + 90 * S);
}
END_TEST

START_TEST(damps_on_after_a_night)
{
        _cleanup_(wake_damper_freep) struct wake_damper *d = NULL;

        ck_assert_int_eq(wake_damper_new(&d), 0);
        ck_assert_uint_eq(wake_damper_note(d, "a.service", now_mono_usec()), T);
        ck_assert_uint_eq(wake_damper_note(d, "a.service", now_mono_usec()), T + S);
        asleep += 8 * HOUR;
        mono += 2 * S;
        ck_assert_uint_eq(wake_damper_note(d, "a.service", now_mono_usec()), T + 3 * S);
}
END_TEST

/* --- who waits ------------------------------------------------------------------------------------ */

struct waiting {
        struct parked_entry entry;
        pthread_mutex_t lock;
        pthread_cond_t resumed;
        uint64_t resumed_mono_usec;
};

static void on_resume(struct parked_entry *e)
{
        struct waiting *w = CONTAINER_OF(e, struct waiting, entry);

        pthread_mutex_lock(&w->lock);
        w->resumed_mono_usec = __real_now_mono_usec();
        pthread_cond_signal(&w->resumed);
        pthread_mutex_unlock(&w->lock);
}

/* The kernel's clock, for that is what its thread sleeps by: not a moment too early, and not never. */
START_TEST(waits_while_awake)
{
        struct waiting w = {.entry.resume = on_resume,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .resumed = PTHREAD_COND_INITIALIZER};
        _cleanup_(parked_freep) struct parked *p = NULL;
        uint64_t until;

        mono = 0;
        asleep += 8 * HOUR;
        until = now_mono_usec() + 30 * USEC_PER_MSEC;
        ck_assert_int_eq(parked_new(&p), 0);
        ck_assert(parked_add(p, &w.entry, parked_ticket(p), until));
        pthread_mutex_lock(&w.lock);
        while (!w.resumed_mono_usec)
                pthread_cond_wait(&w.resumed, &w.lock);
        pthread_mutex_unlock(&w.lock);
        ck_assert_uint_ge(w.resumed_mono_usec, until);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("suspend");
        TCase *tc = tcase_create("suspend");

        tcase_add_checked_fixture(tc, wake_up, NULL);
        tcase_add_loop_test(tc, ages_in_its_sleep, 0, ELEMENTSOF(nights));
        tcase_add_test(tc, says_unchanged_only_to_what_it_vouches_for);
        tcase_add_test(tc, is_not_stuck_while_asleep);
        tcase_add_test(tc, loops_on_after_a_night);
        tcase_add_test(tc, damps_on_after_a_night);
        tcase_add_test(tc, waits_while_awake);
        suite_add_tcase(s, tc);
        return test_main(s);
}
