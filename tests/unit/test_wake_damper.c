/* It damps waking: at once, then ever more seldom, and as new after a minute of quiet. */

#include <inttypes.h>
#include <stdio.h>

#include "agentd/wake_damper.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define T       (UINT64_C(10000) * USEC_PER_SEC)
#define MS      USEC_PER_MSEC
#define NOTES   12
#define ENTRIES 1024u /* as many components can be damped at a time */

/* In milliseconds after T. */
/* clang-format off */
static const struct {
        const char *name;
        struct {
                unsigned changed, want;
        } notes[NOTES]; /* end before the second that is 0 */
} cases[] = {
        {"the first change wakes at once", {{0, 0}}},
        {"the second waits for its second", {{0, 0}, {100, 1000}}},
        {"what is on its way takes others along",
         {{0, 0}, {100, 1000}, {500, 1000}, {999, 1000}}},
        {"the gap doubles", {{0, 0}, {1, 1000}, {1001, 3000}, {3001, 7000}, {7001, 15000}}},
        {"up to 30 s",
         {{0, 0}, {1, 1000}, {1001, 3000}, {3001, 7000}, {7001, 15000}, {15001, 31000},
          {31001, 61000}, {61001, 91000}, {91001, 121000}}},
        {"a change after the gap wakes at once", {{0, 0}, {1000, 1000}, {3000, 3000}}},
        {"59.9 s of quiet are not enough",
         {{0, 0}, {1, 1000}, {1001, 3000}, {60900, 60900}, {60901, 68900}}},
        {"after a minute of quiet it is as new",
         {{0, 0}, {1, 1000}, {1001, 3000}, {61001, 61001}, {61002, 62001}, {62002, 64001}}},
};
/* clang-format on */

START_TEST(damps)
{
        _cleanup_(wake_damper_freep) struct wake_damper *d = NULL;

        ck_assert_int_eq(wake_damper_new(&d), 0);
        for (size_t i = 0; i < NOTES && (i == 0 || cases[_i].notes[i].changed); i++) {
                uint64_t at = wake_damper_note(d, "a.service", T + cases[_i].notes[i].changed * MS);

                ck_assert_msg(at == T + cases[_i].notes[i].want * MS, "%s: change %zu at %" PRIu64,
                              cases[_i].name, i, (at - T) / MS);
        }
}
END_TEST

START_TEST(damps_each_component_by_itself)
{
        _cleanup_(wake_damper_freep) struct wake_damper *d = NULL;

        ck_assert_int_eq(wake_damper_new(&d), 0);
        ck_assert_uint_eq(wake_damper_note(d, "a.service", T), T);
        ck_assert_uint_eq(wake_damper_note(d, "a.service", T + 1), T + 1000 * MS);
        ck_assert_uint_eq(wake_damper_note(d, "b.service", T + 2), T + 2);
        ck_assert_uint_eq(wake_damper_note(d, "b.service", T + 3), T + 2 + 1000 * MS);
        ck_assert_uint_eq(wake_damper_note(d, "a.service", T + 4), T + 1000 * MS);
}
END_TEST

/* Never two wake-ups of one component within a second, however it changes. */
START_TEST(keeps_its_distance)
{
        _cleanup_(wake_damper_freep) struct wake_damper *d = NULL;
        uint64_t last = 0;

        ck_assert_int_eq(wake_damper_new(&d), 0);
        for (uint64_t now = T; now < T + 600 * USEC_PER_SEC; now += 18 * MS) {
                uint64_t at = wake_damper_note(d, "a.service", now);

                ck_assert_uint_ge(at, now);
                ck_assert_uint_le(at, now + 30 * USEC_PER_SEC);
                ck_assert(last == 0 || at == last || at >= last + USEC_PER_SEC);
                last = at;
        }
}
END_TEST

START_TEST(goes_without_damping_when_all_is_full)
{
        _cleanup_(wake_damper_freep) struct wake_damper *d = NULL;
        char name[32];

        ck_assert_int_eq(wake_damper_new(&d), 0);
        for (unsigned i = 0; i < ENTRIES; i++) {
                (void)snprintf(name, sizeof(name), "%u.service", i);
                ck_assert_uint_eq(wake_damper_note(d, name, T), T);
        }
        ck_assert_uint_eq(wake_damper_note(d, "x.service", T + 1), T + 1);
        ck_assert_uint_eq(wake_damper_note(d, "x.service", T + 2), T + 2);
        ck_assert_uint_eq(wake_damper_note(d, "7.service", T + 2), T + 1000 * MS);
        /* A minute later there is room again. */
        ck_assert_uint_eq(wake_damper_note(d, "x.service", T + 60001 * MS), T + 60001 * MS);
        ck_assert_uint_eq(wake_damper_note(d, "x.service", T + 60002 * MS), T + 61001 * MS);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wake_damper");
        TCase *tc = tcase_create("wake_damper");

        tcase_add_loop_test(tc, damps, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, damps_each_component_by_itself);
        tcase_add_test(tc, keeps_its_distance);
        tcase_add_test(tc, goes_without_damping_when_all_is_full);
        suite_add_tcase(s, tc);
        return test_main(s);
}
