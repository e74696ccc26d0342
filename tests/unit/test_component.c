/* It is as bad as the worst of its parts, and asks nothing of what is down on purpose. */

#include "model/component.h"
#include "tests/unit/test_main.h"

#define UNIT(h, c)                                                                            \
        {                                                                                     \
                .name = "u", .health = DIAG_##h, .code = DIAG_CODE_##c, .text = "of the unit" \
        }
#define PASS(n)                                                                     \
        {                                                                           \
                .name = n, .health = DIAG_HEALTHY, .code = DIAG_CODE_OK, .text = "" \
        }
#define FAIL(n)                                                                                   \
        {                                                                                         \
                .name = n, .health = DIAG_UNHEALTHY, .code = DIAG_CODE_PROBE_FAILED, .text = "no" \
        }
#define DARK(n)                                                                                 \
        {                                                                                       \
                .name = n, .health = DIAG_UNKNOWN, .code = DIAG_CODE_PROBE_LATE, .text = "late" \
        }
#define SKIP(n)                                                                                    \
        {                                                                                          \
                .name = n, .health = DIAG_UNHEALTHY, .code = DIAG_CODE_PROBE_FAILED, .text = "no", \
                .skipped = true                                                                    \
        }

/* clang-format off */
static const struct {
        const char *name;
        struct diag_component unit;
        struct diag_probe probes[3];
        enum diag_health health;
        enum diag_code code;
        const char *text;
} cases[] = {
        {"no probes", UNIT(HEALTHY, OK), {{0}}, DIAG_HEALTHY, DIAG_CODE_OK, "of the unit"},
        {"all pass", UNIT(HEALTHY, OK), {PASS("a"), PASS("b")}, DIAG_HEALTHY, DIAG_CODE_OK, "of the unit"},
        {"one fails", UNIT(HEALTHY, OK), {PASS("a"), FAIL("b")},
         DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "probe b: no"},
        {"one is late", UNIT(HEALTHY, OK), {PASS("a"), DARK("b")},
         DIAG_UNKNOWN, DIAG_CODE_PROBE_LATE, "probe b: late"},
        {"a failure is worse than not knowing", UNIT(HEALTHY, OK), {DARK("a"), FAIL("b")},
         DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "probe b: no"},
        {"not knowing does not hide a failure", UNIT(HEALTHY, OK), {FAIL("a"), DARK("b")},
         DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "probe a: no"},
        {"the first of two failures", UNIT(HEALTHY, OK), {FAIL("a"), FAIL("b")},
         DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "probe a: no"},
        {"the unit's reason comes first", UNIT(UNHEALTHY, EXIT_CODE), {FAIL("a")},
         DIAG_UNHEALTHY, DIAG_CODE_EXIT_CODE, "of the unit"},
        {"a pass does not heal the unit", UNIT(UNHEALTHY, EXIT_CODE), {PASS("a")},
         DIAG_UNHEALTHY, DIAG_CODE_EXIT_CODE, "of the unit"},
        {"a pass does not tell what systemd does not", UNIT(UNKNOWN, NO_FACTS), {PASS("a")},
         DIAG_UNKNOWN, DIAG_CODE_NO_FACTS, "of the unit"},
        {"a failure counts while systemd is silent", UNIT(UNKNOWN, NO_FACTS), {FAIL("a")},
         DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "probe a: no"},
        {"what is skipped does not count", UNIT(HEALTHY, SKIPPED), {SKIP("a")},
         DIAG_HEALTHY, DIAG_CODE_SKIPPED, "of the unit"},
        {"nothing to say", UNIT(HEALTHY, OK), {{.name = "a", .code = DIAG_CODE_PROBE_NOT_RUN, .text = ""}},
         DIAG_UNKNOWN, DIAG_CODE_PROBE_NOT_RUN, "probe a"},
};
/* clang-format on */

START_TEST(weighs)
{
        _cleanup_(arena_done) struct arena a = {0};
        struct diag_component c = cases[_i].unit;

        c.probes = cases[_i].probes;
        while (c.n_probes < ELEMENTSOF(cases[0].probes) && c.probes[c.n_probes].name)
                c.n_probes++;
        diag_component_weigh(&c, &a);
        ck_assert_msg(c.health == cases[_i].health && c.code == cases[_i].code, "%s",
                      cases[_i].name);
        ck_assert_str_eq(c.text, cases[_i].text);
}
END_TEST

static const struct {
        enum diag_code code;
        bool asked;
} states[] = {
        {DIAG_CODE_OK,         true },
        {DIAG_CODE_RELOADING,  true },
        {DIAG_CODE_EXIT_CODE,  true },
        {DIAG_CODE_CRASH_LOOP, true },
        {DIAG_CODE_STOPPED,    true },
        {DIAG_CODE_NO_FACTS,   true },
        {DIAG_CODE_OFF,        false},
        {DIAG_CODE_SKIPPED,    false},
        {DIAG_CODE_ARMED,      false},
        {DIAG_CODE_IDLE,       false},
        {DIAG_CODE_DONE,       false},
        {DIAG_CODE_WAITING,    false},
        {DIAG_CODE_STARTING,   false},
};

START_TEST(asks_only_what_should_be_up)
{
        ck_assert_msg(diag_component_may_be_asked(states[_i].code) == states[_i].asked, "%s",
                      diag_code_to_string(states[_i].code));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("component");
        TCase *parts = tcase_create("parts");

        tcase_add_loop_test(parts, weighs, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(parts, asks_only_what_should_be_up, 0, ELEMENTSOF(states));
        suite_add_tcase(s, parts);
        return test_main(s);
}
