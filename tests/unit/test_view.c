/* What is published is the answer, for as long as somebody vouches for it. */

#include "api/view.h"
#include "tests/unit/small_cluster.h"

#define S       USEC_PER_SEC
#define MAX_AGE (15 * S)
#define BEAT    VIEW_BEAT_MAX_AGE_USEC

static uint64_t now = SMALL_BOOT;
static struct parked *parked;
static struct view *view;

static void set_up(void)
{
        clock_fake(&now);
        ck_assert_int_eq(parked_new(&parked), 0);
        ck_assert_int_eq(view_new(&view, parked, small_cluster(small_nodes, 1, NULL)), 0);
}

static void tear_down(void)
{
        view = view_free(view);
        parked = parked_free(parked);
}

static struct view_look look(void)
{
        struct view_look l;

        view_look(view, &l);
        ck_assert_ptr_nonnull(l.snapshot);
        view_look_done(&l);
        ck_assert_ptr_null(l.snapshot);
        return l;
}

START_TEST(gets_old)
{
        static const struct {
                uint64_t confirmed_ago, beat_ago;
                bool want_stale;
                uint64_t want_left;
        } cases[] = {
                {0,           0,        false, MAX_AGE     },
                {MAX_AGE,     0,        false, 0           },
                {MAX_AGE + 1, 0,        true,  0           },
                {0,           BEAT,     false, 0           },
                {0,           BEAT + 1, true,  0           },
                {0,           8 * S,    false, BEAT - 8 * S},
                {100 * S,     100 * S,  true,  0           },
        };

        parked = parked_free(parked); /* its thread reads the clock, too */
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct view_look l;

                now = SMALL_BOOT;
                view_confirm(view);
                now = SMALL_BOOT + cases[i].confirmed_ago - cases[i].beat_ago;
                if (cases[i].beat_ago > cases[i].confirmed_ago)
                        now = SMALL_BOOT;
                view_beat(view);
                now += cases[i].beat_ago;
                if (cases[i].beat_ago > cases[i].confirmed_ago)
                        view_confirm(view);
                l = look();
                ck_assert_msg(l.stale == cases[i].want_stale, "case %zu", i);
                ck_assert_uint_eq(l.age_usec, cases[i].confirmed_ago);
                ck_assert_uint_eq(l.stale_at_mono_usec, now + cases[i].want_left + USEC_PER_MSEC);
        }
}
END_TEST

START_TEST(shows_what_was_published_last)
{
        struct diag_snapshot *next = small_cluster(small_nodes, 3, view_current(view));
        struct view_look before, after;

        view_look(view, &before);
        view_publish(view, next);
        view_look(view, &after);
        ck_assert_ptr_eq(after.snapshot, next);
        ck_assert_ptr_eq(view_current(view), next);
        /* Who has the one of before keeps it. */
        ck_assert_uint_eq(before.snapshot->n_members, 1);
        view_look_done(&before);
        view_look_done(&after);
}
END_TEST

static void resume(struct parked_entry *e)
{
        (void)e;
}

START_TEST(wakes_who_waits)
{
        struct parked_entry e = {.resume = resume};
        uint64_t ticket = parked_ticket(parked);

        view_publish(view, small_cluster(small_nodes, 2, view_current(view)));
        ck_assert(!parked_add(parked, &e, ticket, USEC_INFINITY));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("view");
        TCase *tc = tcase_create("view");

        tcase_add_checked_fixture(tc, set_up, tear_down);
        tcase_add_test(tc, gets_old);
        tcase_add_test(tc, shows_what_was_published_last);
        tcase_add_test(tc, wakes_who_waits);
        suite_add_tcase(s, tc);
        return test_main(s);
}
