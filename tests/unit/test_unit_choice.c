/* It collects names, and what is expected of each follows from who chose it. */

#include <stdio.h>

#include "agentd/unit_choice.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

static enum diag_expect as_chosen(_unused_ const char *name, enum diag_expect otherwise,
                                  _unused_ void *userdata)
{
        return otherwise;
}

static enum diag_expect off_if_named(const char *name, enum diag_expect otherwise, void *userdata)
{
        return streq(name, userdata) ? DIAG_EXPECT_OFF : otherwise;
}

static void add(struct unit_choices *c, const char *name, enum unit_chosen_by by)
{
        ck_assert_int_eq(unit_choices_add(c, name, by), 0);
}

START_TEST(sorts_and_unites)
{
        _cleanup_(unit_choices_done) struct unit_choices c = {0};
        _cleanup_(buf_done) struct buf b = {0};

        add(&c, "c.service", CHOSEN_BY_LINK);
        add(&c, "a.service", CHOSEN_BY_GLOB);
        add(&c, "b.timer", CHOSEN_BY_TARGET);
        add(&c, "a.service", CHOSEN_BY_NAME);
        add(&c, "c.service", CHOSEN_BY_LINK);
        for (size_t i = 0; i < c.n; i++)
                buf_printf(&b, "%s %u, ", c.items[i].name, c.items[i].by);
        ck_assert_str_eq(buf_cstr(&b), "a.service 12, b.timer 2, c.service 1, ");
}
END_TEST

START_TEST(passes_over_what_is_no_unit)
{
        static const char *const names[] = {
                "", "a", "a@.service", "a b.service", "*.service", "a.service.d", "../a.service"};
        _cleanup_(unit_choices_done) struct unit_choices c = {0};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                add(&c, names[i], CHOSEN_BY_LINK);
        ck_assert_uint_eq(c.n, 0);
}
END_TEST

START_TEST(holds_so_many)
{
        _cleanup_(unit_choices_done) struct unit_choices c = {0};
        char name[32];

        for (unsigned i = 0; i < DIAG_COMPONENTS_MAX; i++) {
                (void)snprintf(name, sizeof(name), "%04u.service", i);
                add(&c, name, CHOSEN_BY_TARGET);
        }
        add(&c, "0007.service", CHOSEN_BY_LINK);
        ck_assert(!c.truncated);
        add(&c, "x.service", CHOSEN_BY_LINK);
        ck_assert(c.truncated);
        ck_assert_uint_eq(c.n, DIAG_COMPONENTS_MAX);
}
END_TEST

static const struct {
        unsigned by;
        bool target_wants_all, want_linked;
        enum diag_expect want;
} expectations[] = {
        {CHOSEN_BY_LINK,                    false, true,  DIAG_EXPECT_AUTO    },
        {CHOSEN_BY_NAME,                    false, true,  DIAG_EXPECT_AUTO    },
        {CHOSEN_BY_TARGET,                  false, false, DIAG_EXPECT_OPTIONAL},
        {CHOSEN_BY_TARGET,                  true,  false, DIAG_EXPECT_AUTO    },
        {CHOSEN_BY_GLOB,                    false, false, DIAG_EXPECT_OPTIONAL},
        {CHOSEN_BY_GLOB,                    true,  false, DIAG_EXPECT_OPTIONAL},
        {CHOSEN_BY_GLOB | CHOSEN_BY_TARGET, false, false, DIAG_EXPECT_OPTIONAL},
        {CHOSEN_BY_GLOB | CHOSEN_BY_TARGET, true,  false, DIAG_EXPECT_AUTO    },
        {CHOSEN_BY_GLOB | CHOSEN_BY_NAME,   false, true,  DIAG_EXPECT_AUTO    },
        {CHOSEN_BY_TARGET | CHOSEN_BY_LINK, false, true,  DIAG_EXPECT_AUTO    },
};

START_TEST(knows_what_is_expected)
{
        const struct unit_choice_rules rules = {
                .target_wants_all = expectations[_i].target_wants_all, .expect = as_chosen};
        _cleanup_(unit_choices_done) struct unit_choices c = {0};
        _cleanup_(unit_set_done) struct unit_set s = {0};

        for (unsigned bit = 1; bit <= CHOSEN_BY_GLOB; bit *= 2)
                if (expectations[_i].by & bit)
                        add(&c, "a.service", (enum unit_chosen_by)bit);
        ck_assert_int_eq(unit_choices_adopt(&c, &s, &rules), 0);
        ck_assert_uint_eq(s.n_components, 1);
        ck_assert_int_eq(s.components[0].expect, expectations[_i].want);
        ck_assert_int_eq(s.components[0].linked, expectations[_i].want_linked);
}
END_TEST

START_TEST(lets_the_configuration_decide)
{
        const struct unit_choice_rules rules = {.expect = off_if_named,
                                                .userdata = (char[]){"b.service"}};
        _cleanup_(unit_choices_done) struct unit_choices c = {0};
        _cleanup_(unit_set_done) struct unit_set s = {0};

        add(&c, "a.service", CHOSEN_BY_LINK);
        add(&c, "b.service", CHOSEN_BY_LINK);
        ck_assert_int_eq(unit_choices_adopt(&c, &s, &rules), 0);
        ck_assert_int_eq(s.components[0].expect, DIAG_EXPECT_AUTO);
        ck_assert_int_eq(s.components[1].expect, DIAG_EXPECT_OFF);
}
END_TEST

START_TEST(adopts_again_and_keeps_records)
{
        static const struct unit_choice_rules rules = {.expect = as_chosen};
        _cleanup_(unit_choices_done) struct unit_choices one = {0}, two = {0}, none = {0};
        _cleanup_(unit_set_done) struct unit_set s = {0};
        const struct unit_record *b;

        add(&one, "a.service", CHOSEN_BY_LINK);
        add(&one, "b.service", CHOSEN_BY_LINK);
        add(&two, "b.service", CHOSEN_BY_GLOB);
        add(&two, "c.service", CHOSEN_BY_LINK);
        ck_assert_int_eq(unit_choices_adopt(&one, &s, &rules), 0);
        b = unit_set_find(&s, "b.service");
        ck_assert(b->dirty);
        ck_assert_int_eq(unit_choices_adopt(&two, &s, &rules), 0);
        ck_assert_uint_eq(s.n_components, 2);
        ck_assert_str_eq(s.components[0].name, "b.service");
        ck_assert_int_eq(s.components[0].expect, DIAG_EXPECT_OPTIONAL);
        ck_assert_ptr_eq(s.components[0].record, b);
        ck_assert_str_eq(s.components[1].name, "c.service");
        ck_assert_ptr_nonnull(unit_set_find(&s, "a.service")); /* until the next sweep */
        ck_assert_int_eq(unit_choices_adopt(&none, &s, &rules), 0);
        ck_assert_uint_eq(s.n_components, 0);
}
END_TEST

START_TEST(knows_the_installers_units)
{
        ck_assert(unit_is_never_component("dcos-setup.service"));
        ck_assert(unit_is_never_component("dcos-link-env.service"));
        ck_assert(unit_is_never_component("dcos-download.service"));
        ck_assert(!unit_is_never_component("dcos-setup.timer"));
        ck_assert(!unit_is_never_component("dcos-net.service"));
        ck_assert(!unit_is_never_component(""));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_choice");
        TCase *tc = tcase_create("unit_choice");

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, sorts_and_unites);
        tcase_add_test(tc, passes_over_what_is_no_unit);
        tcase_add_test(tc, holds_so_many);
        tcase_add_loop_test(tc, knows_what_is_expected, 0, ELEMENTSOF(expectations));
        tcase_add_test(tc, lets_the_configuration_decide);
        tcase_add_test(tc, adopts_again_and_keeps_records);
        tcase_add_test(tc, knows_the_installers_units);
        suite_add_tcase(s, tc);
        return test_main(s);
}
