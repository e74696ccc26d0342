/* It asks of a unit what its judgement needs, and nothing twice. */

#include "agentd/unit_needs.h"
#include "tests/unit/test_main.h"

#define AUTO     (1u << DIAG_EXPECT_AUTO)
#define RUNNING  (1u << DIAG_EXPECT_RUNNING)
#define OPTIONAL (1u << DIAG_EXPECT_OPTIONAL)

#define ACTIVE       UNIT_DETAIL_ACTIVE
#define STATE        UNIT_DETAIL_STATE
#define FIXED        UNIT_DETAIL_FIXED
#define RULES        UNIT_DETAIL_RULES
#define CONDITIONS   UNIT_DETAIL_CONDITIONS
#define REQUIREMENTS UNIT_DETAIL_REQUIREMENTS
#define FILE_STATE   UNIT_DETAIL_FILE_STATE

/* What is known of the record before. */
enum known {
        NEW,      /* nothing */
        READ,     /* what its state needs */
        ALL,      /* everything */
        RELOADED, /* everything, then came a reload */
        DOUBTED,  /* everything, long ago */
        CHANGED,  /* everything, but its row differs */
};

static const struct {
        const char *title;
        struct diag_unit u;
        enum known known;
        unsigned expects, now, later;
} cases[] = {
        {"new, up",                {.active_state = "active"},                           NEW,      AUTO,     ACTIVE,        0             },
        {"new, failed",            {.active_state = "failed"},                           NEW,      AUTO,     STATE | FIXED, 0             },
        {"new, inactive",          {.active_state = "inactive"},                         NEW,      AUTO,     STATE | FIXED, 0             },
        {"read, up",               {.active_state = "active"},                           READ,     AUTO,     0,             FIXED         },
        {"read, then it failed",   {.active_state = "failed"},                           READ,     AUTO,     FIXED,         FIXED         },
        {"all known, up",          {.active_state = "active"},                           ALL,      AUTO,     0,             0             },
        {"all known, failed",      {.active_state = "failed"},                           ALL,      AUTO,     0,             0             },
        {"all known, stopped",
         {.active_state = "inactive", .inactive_exit_mono_usec = 1},
         ALL,                                                                                      AUTO,
         0,                                                                                                                 0             },
        {"row differs, up",        {.active_state = "active"},                           CHANGED,  AUTO,     ACTIVE,        0             },
        {"row differs, failed",    {.active_state = "failed"},                           CHANGED,  AUTO,     STATE,         0             },
        {"reload, up",             {.active_state = "active"},                           RELOADED, AUTO,     0,             ACTIVE | FIXED},
        {"reload, failed",         {.active_state = "failed"},                           RELOADED, AUTO,     0,             STATE | FIXED },
        {"reload, bad file",
         {.load_state = "bad-setting", .active_state = "failed"},
         RELOADED,                                                                                 AUTO,
         RULES,                                                                                                             STATE | FIXED },
        {"reload, starting",       {.active_state = "activating"},                       RELOADED, AUTO,     RULES,         STATE | FIXED },
        {"reload, stopping",
         {.active_state = "deactivating"},
         RELOADED,                                                                                 AUTO,
         RULES,                                                                                                             STATE | FIXED },
        {"reload, stopped",
         {.active_state = "inactive", .inactive_exit_mono_usec = 1},
         RELOADED,                                                                                 AUTO,
         RULES,                                                                                                             STATE | FIXED },
        {"doubted, failed",        {.active_state = "failed"},                           DOUBTED,  AUTO,     0,             FIXED         },
        {"doubted, starting",      {.active_state = "activating"},                       DOUBTED,  AUTO,     RULES,         FIXED         },
        {"condition not met",
         {.active_state = "inactive", .condition_mono_usec = 5},
         READ,                                                                                     AUTO,
         FIXED,                                                                                                             FIXED         },
        {"the same, and file",
         {.active_state = "inactive", .condition_mono_usec = 5},
         ALL,                                                                                      AUTO,
         CONDITIONS,                                                                                                        0             },
        {"condition met",
         {.active_state = "inactive",
          .condition_mono_usec = 5,
          .condition_result = true,
          .inactive_exit_mono_usec = 6},
         ALL,                                                                                      AUTO,
         0,                                                                                                                 0             },
        {"never started",          {.active_state = "inactive"},                         ALL,      AUTO,     REQUIREMENTS,  0             },
        {"… and queued",         {.active_state = "inactive", .job = "start"},         ALL,      AUTO,     0,             0             },
        {"… and has a trigger",
         {.active_state = "inactive", .triggered_by = {"a.timer"}, .n_triggered_by = 1},
         ALL,                                                                                      AUTO,
         0,                                                                                                                 0             },
        {"… and must run",
         {.active_state = "inactive", .triggered_by = {"a.timer"}, .n_triggered_by = 1},
         ALL,                                                                                      RUNNING,
         REQUIREMENTS,                                                                                                      0             },
        {"… and is optional",    {.active_state = "inactive"},                         ALL,      OPTIONAL, 0,             FILE_STATE    },
        {"… and no component",   {.active_state = "inactive"},                         ALL,      0,        0,             0             },
        {"up and optional",        {.active_state = "active"},                           ALL,      OPTIONAL, 0,             0             },
        {"failed and optional",    {.active_state = "failed"},                           RELOADED, OPTIONAL, 0,             STATE | FIXED },
        {"read, failed, optional", {.active_state = "failed"},                           ALL,      OPTIONAL, 0,             FILE_STATE    },
};

static struct unit_record record(size_t i)
{
        struct unit_record r = {.facts = cases[i].u, .expects = cases[i].expects, .has_row = true};
        enum known known = cases[i].known;

        if (!r.facts.load_state)
                r.facts.load_state = "loaded";
        r.known = known != NEW;
        r.fixed_known = known != NEW && known != READ;
        if (known == RELOADED)
                unit_record_reloaded(&r);
        r.fixed_old |= known == DOUBTED;
        r.read_state = known == CHANGED;
        return r;
}

START_TEST(asks_what_is_missing)
{
        const struct unit_record r = record((size_t)_i);

        ck_assert_msg(unit_needs_now(&r) == cases[_i].now, "%s: now %#x", cases[_i].title,
                      unit_needs_now(&r));
        ck_assert_msg(unit_needs_later(&r) == cases[_i].later, "%s: later %#x", cases[_i].title,
                      unit_needs_later(&r));
}
END_TEST

/* Whatever it asks, once it has asked for it there comes an end. */
START_TEST(asks_nothing_twice)
{
        struct unit_record r = record((size_t)_i);
        unsigned details, before = 0;

        while ((details = unit_needs_now(&r))) {
                ck_assert_msg(details != before, "%s: %#x again", cases[_i].title, details);
                before = details;
                unit_needs_asked(&r, details);
        }
        for (before = 0; (details = unit_needs_later(&r)); before = details) {
                ck_assert_msg(details != before, "%s: %#x again, later", cases[_i].title, details);
                unit_needs_asked(&r, details);
        }
        ck_assert_uint_eq(unit_needs_now(&r), 0);
        ck_assert(r.known && r.fixed_known && !r.fixed_old && !r.reread && !r.read_state);
}
END_TEST

START_TEST(asks_anew_about_conditions_that_were_tested_again)
{
        struct unit_record r = {
                .facts = {.load_state = "loaded",
                          .active_state = "inactive",
                          .condition_mono_usec = 5},
                .has_row = true,
                .known = true,
                .fixed_known = true,
        };

        ck_assert_uint_eq(unit_needs_now(&r), CONDITIONS);
        unit_needs_asked(&r, CONDITIONS);
        ck_assert_uint_eq(unit_needs_now(&r), 0);
        r.facts.condition_mono_usec = 6;
        ck_assert_uint_eq(unit_needs_now(&r), CONDITIONS);
}
END_TEST

START_TEST(does_not_ask_later_what_systemd_does_not_list)
{
        struct unit_record r = {.known = true};

        ck_assert_uint_eq(unit_needs_later(&r), 0);
        r.has_row = true;
        r.known = false;
        ck_assert_uint_eq(unit_needs_later(&r), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_needs");
        TCase *tc = tcase_create("unit_needs");

        tcase_add_loop_test(tc, asks_what_is_missing, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, asks_nothing_twice, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, asks_anew_about_conditions_that_were_tested_again);
        tcase_add_test(tc, does_not_ask_later_what_systemd_does_not_list);
        suite_add_tcase(s, tc);
        return test_main(s);
}
