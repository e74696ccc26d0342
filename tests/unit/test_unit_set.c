/* It keeps records of units: finds them, unites aliases, sweeps what nobody needs. */

#include <stdio.h>

#include "agentd/unit_choice.h"
#include "base/buf.h"
#include "tests/unit/test_main.h"

static enum diag_expect as_chosen(_unused_ const char *name, enum diag_expect otherwise,
                                  _unused_ void *userdata)
{
        return otherwise;
}

/* Components "name" by link, "+name" by what the target says. */
static void choose(struct unit_set *s, const char *const *names, size_t n)
{
        static const struct unit_choice_rules rules = {.expect = as_chosen};
        _cleanup_(unit_choices_done) struct unit_choices c = {0};

        for (size_t i = 0; i < n; i++) {
                bool by_target = *names[i] == '+';

                ck_assert_int_eq(unit_choices_add(&c, names[i] + by_target,
                                                  by_target ? CHOSEN_BY_TARGET : CHOSEN_BY_LINK),
                                 0);
        }
        ck_assert_int_eq(unit_choices_adopt(&c, s, &rules), 0);
}
#define CHOOSE(s, ...)                                \
        choose(s, (const char *const[]){__VA_ARGS__}, \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void assert_records(const struct unit_set *s, const char *want)
{
        _cleanup_(buf_done) struct buf b = {0};

        for (size_t i = 0; i < s->n_records; i++)
                buf_printf(&b, "%s ", s->records[i]->facts.id);
        ck_assert_str_eq(buf_cstr(&b), want);
}

static void assert_components(const struct unit_set *s, const char *want)
{
        _cleanup_(buf_done) struct buf b = {0};

        for (size_t i = 0; i < s->n_components; i++)
                buf_printf(&b, "%s=%s ", s->components[i].name, s->components[i].record->facts.id);
        ck_assert_str_eq(buf_cstr(&b), want);
}

static void add_trigger(struct unit_set *s, const char *id, const char *trigger)
{
        struct unit_record *r = unit_set_find(s, id);

        unit_facts_set(&r->facts.triggered_by[r->facts.n_triggered_by++], trigger);
}

START_TEST(finds_what_it_needs)
{
        static const char *const ids[] = {"m.service", "a.service", "z.timer", "c.mount"};
        _cleanup_(unit_set_done) struct unit_set s = {0};

        ck_assert_ptr_null(unit_set_find(&s, "a.service"));
        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                struct unit_record *r = unit_set_need(&s, ids[i]);

                ck_assert_ptr_nonnull(r);
                ck_assert(r->dirty && !r->known);
                ck_assert_str_eq(r->facts.id, ids[i]);
                ck_assert_str_eq(r->facts.name, ids[i]);
                ck_assert_ptr_eq(unit_set_need(&s, ids[i]), r);
                ck_assert_ptr_eq(unit_set_find(&s, ids[i]), r);
        }
        assert_records(&s, "a.service c.mount m.service z.timer ");
        ck_assert_ptr_null(unit_set_find(&s, "b.service"));
}
END_TEST

START_TEST(refuses_what_is_no_unit)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};

        ck_assert_ptr_null(unit_set_need(&s, "a@.service"));
        ck_assert_ptr_null(unit_set_need(&s, ""));
        ck_assert_ptr_null(unit_set_need(&s, "a b.service"));
        assert_records(&s, "");
}
END_TEST

START_TEST(holds_so_many)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};
        char id[32];

        for (unsigned i = 0; i < UNIT_SET_RECORDS_MAX; i++) {
                (void)snprintf(id, sizeof(id), "%05u.service", i * 7919 % UNIT_SET_RECORDS_MAX);
                ck_assert_ptr_nonnull(unit_set_need(&s, id));
        }
        ck_assert_uint_eq(s.n_records, UNIT_SET_RECORDS_MAX);
        ck_assert_ptr_null(unit_set_need(&s, "x.service"));
        ck_assert_ptr_nonnull(unit_set_need(&s, "00007.service"));
}
END_TEST

START_TEST(adds_what_starts_components_and_what_they_require)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};

        CHOOSE(&s, "a.service", "b.service");
        add_trigger(&s, "a.service", "a.timer");
        add_trigger(&s, "a.service", "a.path");
        unit_record_set_requirements(unit_set_find(&s, "b.service"),
                                     (const char *const[]){"c.service", "d.mount", "bad"}, 3);
        unit_set_need_related(&s);
        assert_records(&s, "a.path a.service a.timer b.service c.service d.mount ");
        assert_components(&s, "a.service=a.service b.service=b.service ");
        unit_set_sweep(&s);
        assert_records(&s, "a.path a.service a.timer b.service c.service d.mount ");
}
END_TEST

START_TEST(sweeps_what_nobody_needs)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};

        CHOOSE(&s, "a.service", "b.service");
        add_trigger(&s, "a.service", "a.timer");
        unit_set_need_related(&s);
        ck_assert_ptr_nonnull(unit_set_need(&s, "x.service"));
        unit_set_sweep(&s);
        assert_records(&s, "a.service a.timer b.service ");
        CHOOSE(&s, "b.service");
        unit_set_sweep(&s);
        assert_records(&s, "b.service ");
        unit_record_set_requirements(unit_set_find(&s, "b.service"),
                                     (const char *const[]){"c.service"}, 1);
        unit_set_need_related(&s);
        unit_record_set_requirements(unit_set_find(&s, "b.service"), NULL, 0);
        unit_set_sweep(&s);
        assert_records(&s, "b.service ");
}
END_TEST

START_TEST(unites_aliases)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};

        CHOOSE(&s, "alias.service", "b.service");
        unit_set_unite(&s, "alias.service", "real.service");
        assert_components(&s, "alias.service=real.service b.service=b.service ");
        unit_set_sweep(&s);
        assert_records(&s, "b.service real.service ");
        unit_set_unite(&s, "nobody.service", "real.service");
        unit_set_unite(&s, "b.service", "b@.service");
        assert_components(&s, "alias.service=real.service b.service=b.service ");
}
END_TEST

/* One unit under two names: people see the one that they linked, not once more the one of D-Bus. */
START_TEST(shows_a_unit_once)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};

        CHOOSE(&s, "alias.service", "+real.service", "+other.service");
        unit_set_sweep(&s);
        assert_components(&s, "alias.service=alias.service other.service=other.service "
                              "real.service=real.service ");
        unit_set_unite(&s, "alias.service", "real.service");
        unit_set_sweep(&s);
        assert_components(&s, "alias.service=real.service other.service=other.service ");
        assert_records(&s, "other.service real.service ");
}
END_TEST

START_TEST(shows_both_names_that_people_linked)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};

        CHOOSE(&s, "alias.service", "real.service");
        unit_set_unite(&s, "alias.service", "real.service");
        unit_set_sweep(&s);
        assert_components(&s, "alias.service=real.service real.service=real.service ");
}
END_TEST

static const struct {
        const char *load, *active;
        bool want;
} plains[] = {
        {"loaded",    "active",   true },
        {"loaded",    "inactive", false},
        {"loaded",    "failed",   false},
        {"not-found", "active",   false},
        {NULL,        "active",   false},
        {"loaded",    NULL,       false},
};

START_TEST(knows_what_is_plain)
{
        const struct unit_record r = {
                .facts = {.load_state = plains[_i].load, .active_state = plains[_i].active}
        };

        ck_assert_int_eq(unit_record_is_plain(&r), plains[_i].want);
}
END_TEST

START_TEST(forgets_what_it_knew)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};
        struct unit_record *r = unit_set_need(&s, "a.service");

        unit_record_set_requirements(r, (const char *const[]){"b.service"}, 1);
        ck_assert(r->requirements_known);
        ck_assert_uint_eq(r->requirements.n, 1);
        r->dirty = false;
        r->asked = r->known = r->fixed_known = r->fixed_old = r->reread = true;
        r->refused = r->resolving = r->read_state = r->file_state_known = true;
        r->conditions_mono_usec = 7;
        unit_record_forget(r);
        ck_assert(r->dirty);
        ck_assert(!r->asked && !r->known && !r->fixed_known && !r->fixed_old && !r->reread);
        ck_assert(!r->file_state_known && !r->requirements_known && !r->refused);
        ck_assert(!r->resolving && !r->read_state && !r->conditions_mono_usec);
}
END_TEST

START_TEST(doubts_unit_files_after_a_reload)
{
        struct unit_record r = {.known = true,
                                .fixed_known = true,
                                .requirements_known = true,
                                .file_state_known = true,
                                .conditions_mono_usec = 7};

        unit_record_reloaded(&r);
        ck_assert(r.known && r.fixed_known && r.fixed_old && r.reread);
        ck_assert(!r.requirements_known && !r.file_state_known && !r.read_state);
        ck_assert_uint_eq(r.conditions_mono_usec, 7); /* systemd has forgotten how each went */
}
END_TEST

static unsigned expects(const struct unit_set *s, const char *id)
{
        return unit_set_find(s, id)->expects;
}

START_TEST(tells_records_what_is_expected)
{
        _cleanup_(unit_set_done) struct unit_set s = {0};
        const unsigned must = 1u << DIAG_EXPECT_AUTO, may = 1u << DIAG_EXPECT_OPTIONAL;

        CHOOSE(&s, "a.service", "+b.service", "+alias.service");
        ck_assert_uint_eq(expects(&s, "a.service"), must);
        ck_assert_uint_eq(expects(&s, "b.service"), may);
        add_trigger(&s, "a.service", "a.timer");
        unit_set_need_related(&s);
        unit_set_unite(&s, "alias.service", "a.service");
        ck_assert_uint_eq(expects(&s, "a.service"), must | may);
        unit_set_sweep(&s); /* the alias is a double: what is linked counts */
        unit_set_expect(&s);
        ck_assert_uint_eq(expects(&s, "a.timer"), 0);
        ck_assert_uint_eq(expects(&s, "a.service"), must);
        CHOOSE(&s, "+a.service");
        ck_assert_uint_eq(expects(&s, "a.service"), may);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_set");
        TCase *tc = tcase_create("unit_set");

        tcase_set_timeout(tc, 60);
        tcase_add_test(tc, finds_what_it_needs);
        tcase_add_test(tc, refuses_what_is_no_unit);
        tcase_add_test(tc, holds_so_many);
        tcase_add_test(tc, adds_what_starts_components_and_what_they_require);
        tcase_add_test(tc, sweeps_what_nobody_needs);
        tcase_add_test(tc, unites_aliases);
        tcase_add_test(tc, shows_a_unit_once);
        tcase_add_test(tc, shows_both_names_that_people_linked);
        tcase_add_loop_test(tc, knows_what_is_plain, 0, ELEMENTSOF(plains));
        tcase_add_test(tc, forgets_what_it_knew);
        tcase_add_test(tc, doubts_unit_files_after_a_reload);
        tcase_add_test(tc, tells_records_what_is_expected);
        suite_add_tcase(s, tc);
        return test_main(s);
}
