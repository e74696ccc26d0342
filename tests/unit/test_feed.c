/* It hands out the report only while somebody can vouch for it. */

#include <pthread.h>
#include <stdio.h>

#include "api/feed.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define S USEC_PER_SEC
#define T (UINT64_C(1000) * S)

static uint64_t now = T;

/* A test that moves it has no parked: that one's thread looks at the clock, too. */
static void set_clock(void)
{
        now = T;
        clock_fake(&now);
}

static struct diag_report *build(enum diag_health health, const struct diag_report *previous)
{
        static const struct diag_node node = {.node_id = "n"};
        static const struct diag_system nothing = {0};
        const struct diag_component c = {.name = "a.service",
                                         .health = health,
                                         .code = DIAG_CODE_STOPPED,
                                         .text = "is stopped"};
        struct diag_report *r;

        ck_assert_int_eq(diag_report_new(&r, &node, &nothing, "dcos.target"), 0);
        r->instance = 7;
        r->phase = DIAG_PHASE_RUNNING;
        ck_assert_int_eq(diag_report_add(r, &c), 0);
        ck_assert_int_eq(diag_report_seal(r, previous, 1, NULL, NULL), 0);
        return r;
}

/* A feed with one report, confirmed and beating at T. */
static struct feed *open_feed(struct parked *p, enum diag_health health)
{
        struct feed *f;

        ck_assert_int_eq(feed_new(&f, p, build(health, NULL)), 0);
        feed_confirm(f);
        feed_beat(f);
        return f;
}

static struct parked *open_parked(void)
{
        struct parked *p;

        ck_assert_int_eq(parked_new(&p), 0);
        return p;
}

/* clang-format off */
static const struct {
        const char *name;
        uint64_t confirmed, beaten, looked; /* after T */
        enum diag_health health;
        bool want_stale;
        uint64_t want_left; /* until it must be looked at again; for those that are not stale */
        const char *want_text;
} ages[] = {
        {"fresh", 0, 0, 0, DIAG_HEALTHY, false, 20 * S, NULL},
        {"the loop is the first to be missed", 0, 0, 5 * S, DIAG_HEALTHY, false, 15 * S, NULL},
        {"systemd is the first to be missed", 0, 40 * S, 41 * S, DIAG_HEALTHY, false, 4 * S, NULL},
        {"45 s are not too old", 0, 45 * S, 45 * S, DIAG_HEALTHY, false, 0, NULL},
        {"more than 45 s are", 0, 45 * S, 45 * S + 1, DIAG_HEALTHY, true, 0,
         "systemd has not answered for 45 s"},
        {"unhealthy goes stale, too", 0, 99 * S, 100 * S, DIAG_UNHEALTHY, true, 0,
         "systemd has not answered for 100 s"},
        {"20 s without a beat are not too long", 20 * S, 0, 20 * S, DIAG_HEALTHY, false, 0, NULL},
        {"more than 20 s without a beat are", 20 * S, 0, 20 * S + 1, DIAG_HEALTHY, true, 0,
         "diag-agentd itself has been stuck for 20 s"},
        {"both: the loop is the reason", 0, 0, 90 * S, DIAG_HEALTHY, true, 0,
         "diag-agentd itself has been stuck for 90 s"},
        {"unknown stays true", 0, 0, 9000 * S, DIAG_UNKNOWN, false, USEC_INFINITY, NULL},
};
/* clang-format on */

START_TEST(checks_the_age)
{
        _cleanup_(feed_freep) struct feed *f = open_feed(NULL, ages[_i].health);
        _cleanup_(feed_view_done) struct feed_view v = {0};

        now = T + ages[_i].confirmed;
        feed_confirm(f);
        now = T + ages[_i].beaten;
        feed_beat(f);
        now = T + ages[_i].looked;
        ck_assert_int_eq(feed_look(f, &v), 0);
        ck_assert_msg(v.stale == ages[_i].want_stale, "%s", ages[_i].name);
        ck_assert_uint_eq(v.confirmed_age_usec, ages[_i].looked - ages[_i].confirmed);
        if (v.stale) {
                ck_assert_str_eq(v.report->node_text, ages[_i].want_text);
                ck_assert_int_eq(v.report->health, DIAG_UNKNOWN);
                ck_assert_int_eq(v.report->components[0].health, DIAG_UNKNOWN);
                ck_assert_int_eq(v.report->components[0].code, DIAG_CODE_FACTS_STALE);
                return;
        }
        ck_assert_ptr_eq(v.report, feed_current(f));
        ck_assert_int_eq(v.report->health, ages[_i].health);
        if (ages[_i].want_left == USEC_INFINITY)
                ck_assert_uint_eq(v.stale_at_mono_usec, USEC_INFINITY);
        else /* just past the moment, so that looking then sees it */
                ck_assert_uint_eq(v.stale_at_mono_usec, now + ages[_i].want_left + USEC_PER_MSEC);
}
END_TEST

/* Whoever waits until stale_at and looks again must see that it is stale, or wait on for ever. */
START_TEST(is_stale_when_it_said)
{
        _cleanup_(feed_freep) struct feed *f = open_feed(NULL, DIAG_HEALTHY);
        _cleanup_(feed_view_done) struct feed_view v = {0}, then = {0};

        ck_assert_int_eq(feed_look(f, &v), 0);
        ck_assert(!v.stale);
        now = v.stale_at_mono_usec;
        ck_assert_int_eq(feed_look(f, &then), 0);
        ck_assert(then.stale);
}
END_TEST

START_TEST(comes_back)
{
        _cleanup_(feed_freep) struct feed *f = open_feed(NULL, DIAG_HEALTHY);
        _cleanup_(feed_view_done) struct feed_view stale = {0}, fresh = {0};

        now = T + 100 * S;
        ck_assert_int_eq(feed_look(f, &stale), 0);
        ck_assert(stale.stale);
        ck_assert_uint_eq(stale.report->seq, feed_current(f)->seq);
        feed_beat(f);
        feed_confirm(f);
        ck_assert_int_eq(feed_look(f, &fresh), 0);
        ck_assert(!fresh.stale);
        ck_assert_int_eq(fresh.report->health, DIAG_HEALTHY);
}
END_TEST

START_TEST(does_not_believe_what_was_never_confirmed)
{
        _cleanup_(feed_freep) struct feed *f = NULL;
        _cleanup_(feed_view_done) struct feed_view v = {0};

        ck_assert_int_eq(feed_new(&f, NULL, build(DIAG_HEALTHY, NULL)), 0);
        ck_assert_uint_eq(feed_confirmed_age(f), USEC_INFINITY);
        ck_assert_int_eq(feed_look(f, &v), 0);
        ck_assert(v.stale);
        ck_assert_uint_eq(v.confirmed_age_usec, USEC_INFINITY);
        feed_view_done(&v);
        feed_confirm(f); /* being made is a first sign of life of the loop */
        ck_assert_int_eq(feed_look(f, &v), 0);
        ck_assert(!v.stale);
}
END_TEST

START_TEST(hands_out_the_newest)
{
        _cleanup_(feed_freep) struct feed *f = open_feed(NULL, DIAG_HEALTHY);
        _cleanup_(feed_view_done) struct feed_view old = {0}, new = {0};

        ck_assert_int_eq(feed_look(f, &old), 0);
        feed_publish(f, build(DIAG_UNHEALTHY, feed_current(f)));
        ck_assert_int_eq(feed_look(f, &new), 0);
        ck_assert_int_eq(old.report->health, DIAG_HEALTHY); /* mine as long as I hold it */
        ck_assert_int_eq(new.report->health, DIAG_UNHEALTHY);
        ck_assert_uint_gt(new.report->seq, old.report->seq);
}
END_TEST

START_TEST(wakes_by_number)
{
        _cleanup_(parked_freep) struct parked *p = open_parked();
        _cleanup_(feed_freep) struct feed *f = open_feed(p, DIAG_HEALTHY);
        _cleanup_(feed_view_done) struct feed_view before = {0}, published = {0}, woken = {0};
        uint64_t ticket = parked_ticket(p);

        ck_assert_int_eq(feed_look(f, &before), 0);
        ck_assert_uint_eq(before.wake_seq, before.report->seq);
        feed_publish(f, build(DIAG_UNHEALTHY, feed_current(f)));
        ck_assert_int_eq(feed_look(f, &published), 0);
        ck_assert_uint_eq(published.wake_seq, before.wake_seq); /* published is not woken */
        feed_wake(f, before.wake_seq);                          /* they know that already */
        ck_assert_uint_eq(parked_ticket(p), ticket);
        feed_wake(f, published.report->seq);
        ck_assert_uint_ne(parked_ticket(p), ticket);
        ck_assert_int_eq(feed_look(f, &woken), 0);
        ck_assert_uint_eq(woken.wake_seq, published.report->seq);
        feed_wake(f, 1); /* never back */
        feed_view_done(&woken);
        ck_assert_int_eq(feed_look(f, &woken), 0);
        ck_assert_uint_eq(woken.wake_seq, published.report->seq);
}
END_TEST

/* --- threads ------------------------------------------------------------------------------- */

#define N_READERS 4
#define N_REPORTS 400u

static atomic_bool enough;

/* What a reader sees never goes back, and the report that it holds is whole. */
static void *read_all(void *feed)
{
        uint64_t last = 0, n = 0;

        while (!atomic_load(&enough) || !n) {
                _cleanup_(feed_view_done) struct feed_view v = {0};

                if (feed_look(feed, &v) < 0 || v.report->seq < last ||
                    v.report->n_components != 1 ||
                    !streq(v.report->components[0].name, "a.service"))
                        return NULL;
                last = v.report->seq;
                n++;
        }
        return feed;
}

START_TEST(is_read_while_it_is_written)
{
        _cleanup_(parked_freep) struct parked *p = open_parked();
        _cleanup_(feed_freep) struct feed *f = NULL;
        pthread_t readers[N_READERS];
        void *ok;

        clock_fake(NULL);
        ck_assert_int_eq(feed_new(&f, p, build(DIAG_UNKNOWN, NULL)), 0);
        for (size_t i = 0; i < N_READERS; i++)
                ck_assert_int_eq(pthread_create(&readers[i], NULL, read_all, f), 0);
        for (unsigned i = 0; i < N_REPORTS; i++) {
                feed_publish(f, build(i % 2 ? DIAG_HEALTHY : DIAG_UNHEALTHY, feed_current(f)));
                feed_confirm(f);
                feed_beat(f);
                feed_wake(f, feed_current(f)->seq);
        }
        atomic_store(&enough, true);
        for (size_t i = 0; i < N_READERS; i++) {
                ck_assert_int_eq(pthread_join(readers[i], &ok), 0);
                ck_assert_ptr_eq(ok, f);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("feed");
        TCase *age = tcase_create("age"), *threads = tcase_create("threads");

        tcase_add_checked_fixture(age, set_clock, NULL);
        tcase_add_loop_test(age, checks_the_age, 0, ELEMENTSOF(ages));
        tcase_add_test(age, is_stale_when_it_said);
        tcase_add_test(age, comes_back);
        tcase_add_test(age, does_not_believe_what_was_never_confirmed);
        tcase_add_test(age, hands_out_the_newest);
        tcase_add_test(age, wakes_by_number);
        suite_add_tcase(s, age);

        tcase_set_timeout(threads, 60);
        tcase_add_test(threads, is_read_while_it_is_written);
        suite_add_tcase(s, threads);
        return test_main(s);
}
