/* It asks what can wait: each unit in its turn, in batches with pauses. */

#include <stdio.h>

#include "agentd/unit_later.h"
#include "tests/unit/test_main.h"

#define UNITS 40u
#define BATCH 16u

struct fixture {
        struct loop *loop;
        struct unit_set set;
        struct unit_later *later;
        char asked[UNITS * 8][16]; /* in this order */
        unsigned n_asked;
};

static void on_ask(struct unit_record *r, unsigned details, void *userdata)
{
        struct fixture *f = userdata;

        ck_assert_uint_ne(details, 0);
        (void)snprintf(f->asked[f->n_asked++], sizeof(f->asked[0]), "%s", r->facts.id);
}

static void on_resume(void *userdata)
{
        struct fixture *f = userdata;

        loop_quit(f->loop, 7);
}

static void set_up(struct fixture *f, const char *active_state)
{
        static const struct unit_later_ops ops = {.ask = on_ask, .resume = on_resume};

        ck_assert_int_eq(loop_new(&f->loop), 0);
        ck_assert_int_eq(unit_later_new(&f->later, f->loop, &f->set, &ops, f), 0);
        for (unsigned i = 0; i < UNITS; i++) {
                char id[16];
                struct unit_record *r;

                (void)snprintf(id, sizeof(id), "%02u.service", i);
                r = unit_set_need(&f->set, id);
                r->has_row = r->known = r->fixed_known = true;
                unit_facts_set(&r->facts.load_state, "loaded");
                unit_facts_set(&r->facts.active_state, active_state);
        }
}

static void tear_down(struct fixture *f)
{
        unit_later_free(f->later);
        unit_set_done(&f->set);
        loop_free(f->loop);
}

static void reload(struct fixture *f)
{
        for (size_t i = 0; i < f->set.n_records; i++)
                unit_record_reloaded(f->set.records[i]);
}

static void expect_asked(struct fixture *f, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                ck_assert_int_eq(unit_later_go_on(f->later), UNIT_LATER_ASKED);
}

static void expect_pause(struct fixture *f)
{
        ck_assert_int_eq(unit_later_go_on(f->later), UNIT_LATER_PAUSE);
        ck_assert_int_eq(unit_later_go_on(f->later), UNIT_LATER_PAUSE);
        unit_later_stop(f->later); /* a loop runs but once: what ends a pause has its own test */
}

START_TEST(asks_everything_once)
{
        struct fixture f = {0};

        set_up(&f, "active");
        ck_assert_int_eq(unit_later_go_on(f.later), UNIT_LATER_NOTHING);
        reload(&f);
        expect_asked(&f, BATCH);
        expect_pause(&f);
        expect_asked(&f, BATCH);
        expect_pause(&f);
        expect_asked(&f, UNITS - 2 * BATCH);
        ck_assert_int_eq(unit_later_go_on(f.later), UNIT_LATER_DONE);
        ck_assert_int_eq(unit_later_go_on(f.later), UNIT_LATER_NOTHING);
        ck_assert_uint_eq(f.n_asked, UNITS);
        for (unsigned i = 0; i < UNITS; i++)
                ck_assert_str_eq(f.asked[i], f.set.records[i]->facts.id);
        tear_down(&f);
}
END_TEST

/* Reloads that come faster than units are read: the last of them have their turn, too. */
START_TEST(gives_each_unit_its_turn)
{
        struct fixture f = {0};

        set_up(&f, "active");
        for (unsigned round = 0; round < 3; round++) {
                reload(&f);
                expect_asked(&f, BATCH);
                expect_pause(&f);
        }
        for (unsigned i = 0; i < 3 * BATCH; i++)
                ck_assert_str_eq(f.asked[i], f.set.records[i % UNITS]->facts.id);
        tear_down(&f);
}
END_TEST

START_TEST(says_when_a_pause_is_over)
{
        struct fixture f = {0};

        set_up(&f, "active");
        reload(&f);
        expect_asked(&f, BATCH);
        ck_assert_int_eq(unit_later_go_on(f.later), UNIT_LATER_PAUSE);
        ck_assert_int_eq(loop_run(f.loop), 7);
        expect_asked(&f, BATCH);
        tear_down(&f);
}
END_TEST

START_TEST(doubts_some_of_what_is_not_up)
{
        struct fixture f = {0};
        unsigned n = 0;

        set_up(&f, "failed");
        unit_facts_set(&f.set.records[0]->facts.active_state, "active");
        f.set.records[1]->has_row = false;
        unit_later_doubt(f.later);
        for (size_t i = 0; i < f.set.n_records; i++)
                n += f.set.records[i]->fixed_old;
        ck_assert_uint_gt(n, 0);
        ck_assert_uint_lt(n, UNITS / 2);
        ck_assert(!f.set.records[0]->fixed_old && !f.set.records[1]->fixed_old);
        expect_asked(&f, n);
        ck_assert_int_eq(unit_later_go_on(f.later), UNIT_LATER_DONE);
        for (unsigned minute = 0; minute < UNITS / n; minute++)
                unit_later_doubt(f.later);
        ck_assert(f.set.records[2]->fixed_old && f.set.records[UNITS - 1]->fixed_old);
        tear_down(&f);
}
END_TEST

START_TEST(has_nothing_to_do_without_units)
{
        struct fixture f = {0};

        set_up(&f, "active");
        unit_set_done(&f.set);
        unit_later_doubt(f.later);
        ck_assert_int_eq(unit_later_go_on(f.later), UNIT_LATER_NOTHING);
        tear_down(&f);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_later");
        TCase *tc = tcase_create("unit_later");

        tcase_add_test(tc, asks_everything_once);
        tcase_add_test(tc, gives_each_unit_its_turn);
        tcase_add_test(tc, says_when_a_pause_is_over);
        tcase_add_test(tc, doubts_some_of_what_is_not_up);
        tcase_add_test(tc, has_nothing_to_do_without_units);
        suite_add_tcase(s, tc);
        return test_main(s);
}
