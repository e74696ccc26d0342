/* It counts restarts, and knows when a loop is one and when it is over. */

#include <inttypes.h>

#include "base/mono.h"
#include "model/unit.h"
#include "tests/unit/test_main.h"

#define S   USEC_PER_SEC
#define MIN USEC_PER_MIN
#define T   (100000 * S) /* when we looked for the first time */

/* One look after the other: when, what NRestarts was, and since when the unit was active. */
struct look {
        uint64_t at_usec;
        uint32_t n_restarts;
        uint64_t active_usec;
};
#define LOOKS_MAX 14

static void look_at(struct diag_restarts *r, const struct look *looks)
{
        for (size_t i = 0; i < LOOKS_MAX && looks[i].at_usec; i++) {
                const struct diag_unit u = {
                        .n_restarts = looks[i].n_restarts,
                        .active_enter_mono_usec = looks[i].active_usec,
                };

                diag_restarts_note(r, &u, looks[i].at_usec);
        }
}

/* clang-format off */
static const struct {
        const char *name;
        struct look looks[LOOKS_MAX];
        uint64_t want_end; /* 0: no loop */
        unsigned want_recent;
        bool want_presumed;
} cases[] = {
        {"never looked", {{0}}, 0, 0, false},
        {"never restarts", {{T, 0, T}, {T + S, 0, T}}, 0, 0, false},
        {"two restarts are no loop",
         {{T, 0, 0}, {T + 10 * S, 1, 0}, {T + 20 * S, 2, 0}}, 0, 2, false},
        {"three are: it ends after a minute of quiet",
         {{T, 0, 0}, {T + 10 * S, 1, 0}, {T + 20 * S, 2, 0}, {T + 30 * S, 3, 0}},
         T + 90 * S, 3, false},
        {"three at once, in one look",
         {{T, 0, 0}, {T + 10 * S, 3, 0}}, T + 70 * S, 3, false},
        {"a look without a restart changes nothing",
         {{T, 0, 0}, {T + 10 * S, 3, 0}, {T + 60 * S, 3, 0}, {T + 500 * S, 3, 0}},
         T + 70 * S, 3, false},
        {"slow: after 5 gaps, where that is longer",
         {{T, 0, 0}, {T + 100 * S, 1, 0}, {T + 200 * S, 2, 0}, {T + 300 * S, 3, 0}},
         T + 800 * S, 3, false},
        {"5 gaps of 12 s are a minute",
         {{T, 0, 0}, {T + 12 * S, 1, 0}, {T + 24 * S, 2, 0}, {T + 36 * S, 3, 0}},
         T + 96 * S, 3, false},
        {"5 gaps of 13 s are more than a minute",
         {{T, 0, 0}, {T + 13 * S, 1, 0}, {T + 26 * S, 2, 0}, {T + 39 * S, 3, 0}},
         T + 104 * S, 3, false},
        {"one long gap among short ones: the median counts",
         {{T, 0, 0}, {T + S, 1, 0}, {T + 2 * S, 2, 0}, {T + 402 * S, 3, 0}, {T + 403 * S, 4, 0}},
         T + 463 * S, 4, false},
        {"gaps that shrink: they are sorted",
         {{T, 0, 0}, {T + S, 1, 0}, {T + 201 * S, 2, 0}, {T + 301 * S, 3, 0},
          {T + 321 * S, 4, 0}}, T + 821 * S, 4, false},
        {"gaps in disorder: they are sorted",
         {{T, 0, 0}, {T + S, 1, 0}, {T + 31 * S, 2, 0}, {T + 131 * S, 3, 0}, {T + 141 * S, 4, 0},
          {T + 201 * S, 5, 0}, {T + 221 * S, 6, 0}}, T + 371 * S, 6, false},
        {"very slow: 3 within 10 minutes",
         {{T, 0, 0}, {T + S, 1, 0}, {T + 300 * S, 2, 0}, {T + 600 * S, 3, 0}},
         T + 600 * S + 1500 * S, 3, false},
        {"too slow: 3 in exactly 10 minutes are not within",
         {{T, 0, 0}, {T + S, 1, 0}, {T + 300 * S, 2, 0}, {T + 601 * S, 3, 0}}, 0, 2, false},
        {"3 restarts, and a fourth much later: that was another loop",
         {{T, 0, 0}, {T + S, 3, 0}, {T + 30 * MIN, 4, 0}}, 0, 1, false},
        {"the ring holds 8",
         {{T, 0, 0}, {T + 100 * S, 1, 0}, {T + 200 * S, 2, 0}, {T + 201 * S, 3, 0},
          {T + 202 * S, 4, 0}, {T + 203 * S, 5, 0}, {T + 204 * S, 6, 0}, {T + 205 * S, 7, 0},
          {T + 206 * S, 8, 0}, {T + 207 * S, 9, 0}, {T + 208 * S, 10, 0}}, T + 268 * S, 8, false},
        {"the ring forgets the oldest",
         {{T, 0, 0}, {T + S, 8, 0}, {T + 30 * MIN, 9, 0}, {T + 30 * MIN + S, 10, 0}}, 0, 2, false},
        {"a thousand in one look",
         {{T, 0, 0}, {T + S, 1000, 0}}, T + 61 * S, 8, false},
        {"started by hand: a new life",
         {{T, 0, 0}, {T + 10 * S, 3, 0}, {T + 20 * S, 0, 0}}, 0, 0, false},
        {"started by hand: counted anew",
         {{T, 0, 0}, {T + 10 * S, 5, 0}, {T + 20 * S, 1, 0}, {T + 30 * S, 2, 0}}, 0, 1, false},

        /* --- it was there before us --- */
        {"had restarted 3 times, active for 59 s: presumed",
         {{T, 3, T - 59 * S}}, T + 60 * S, 0, true},
        {"had restarted twice", {{T, 2, T - 1 * S}}, 0, 0, false},
        {"had restarted often, active for a minute", {{T, 400, T - 60 * S}}, 0, 0, false},
        {"had restarted often, was never active", {{T, 400, 0}}, 0, 0, false},
        {"had restarted often, is counted from when we came",
         {{T, 400, T - 900 * S}, {T + S, 402, 0}}, 0, 2, false},
        {"presumed, and restarts: seen once",
         {{T, 3, T - 1 * S}, {T + 10 * S, 4, 0}}, T + 70 * S, 1, true},
        {"presumed, and restarts thrice: no more presumed",
         {{T, 3, T - 1 * S}, {T + 10 * S, 4, 0}, {T + 20 * S, 5, 0}, {T + 30 * S, 6, 0}},
         T + 90 * S, 3, false},
        {"presumed, and restarts often: all that was seen counts",
         {{T, 3, T - 1 * S}, {T + 10 * S, 13, 0}}, T + 70 * S, 8, false},
        {"presumed, and quiet for a minute: it was none",
         {{T, 3, T - 1 * S}, {T + 60 * S, 3, 0}}, 0, 0, false},
        {"presumed and quiet, then two restarts: no loop",
         {{T, 3, T - 1 * S}, {T + 60 * S, 4, 0}, {T + 61 * S, 5, 0}}, 0, 2, false},
        {"presumed, and restarts twice: still presumed",
         {{T, 3, T - 1 * S}, {T + 10 * S, 4, 0}, {T + 20 * S, 5, 0}}, T + 80 * S, 2, true},
        {"presumed long ago, restarts slowly",
         {{T, 3, T - 1 * S}, {T + 50 * S, 4, 0}, {T + 290 * S, 5, 0}, {T + 690 * S, 5, 0}},
         T + 1490 * S, 1, true},
        {"presumed, and quiet for less than a minute",
         {{T, 3, T - 1 * S}, {T + 60 * S - 1, 3, 0}}, T + 60 * S, 0, true},
        {"presumed, and started by hand",
         {{T, 3, T - 1 * S}, {T + 10 * S, 0, 0}}, 0, 0, false},
};
/* clang-format on */

static uint64_t last_look(const struct look *looks)
{
        uint64_t last = T;

        for (size_t i = 0; i < LOOKS_MAX && looks[i].at_usec; i++)
                last = looks[i].at_usec;
        return last;
}

START_TEST(counts)
{
        struct diag_restarts r = {0};
        uint64_t now = last_look(cases[_i].looks), end;

        look_at(&r, cases[_i].looks);
        end = diag_restarts_loop_end(&r);
        ck_assert_msg(end == cases[_i].want_end, "%s: ends %" PRIu64 " s after", cases[_i].name,
                      end ? (end - T) / S : 0);
        ck_assert_msg(diag_restarts_recent(&r, now) == cases[_i].want_recent, "%s: %u recent",
                      cases[_i].name, diag_restarts_recent(&r, now));
        ck_assert_msg(r.presumed == cases[_i].want_presumed, "%s: presumed is %d", cases[_i].name,
                      r.presumed);
        ck_assert_uint_le(r.n, DIAG_RESTARTS_KEPT);
}
END_TEST

START_TEST(forgets_what_is_older_than_10_minutes)
{
        static const struct look looks[LOOKS_MAX] = {
                {T,         0, 0},
                {T + S,     1, 0},
                {T + 2 * S, 2, 0}
        };
        struct diag_restarts r = {0};

        look_at(&r, looks);
        ck_assert_uint_eq(diag_restarts_recent(&r, T + S + 10 * MIN - 1), 2);
        ck_assert_uint_eq(diag_restarts_recent(&r, T + S + 10 * MIN), 1);
        ck_assert_uint_eq(diag_restarts_recent(&r, T + 2 * S + 10 * MIN), 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("unit_restarts");
        TCase *tc = tcase_create("restarts");

        tcase_add_loop_test(tc, counts, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, forgets_what_is_older_than_10_minutes);
        suite_add_tcase(s, tc);
        return test_main(s);
}
