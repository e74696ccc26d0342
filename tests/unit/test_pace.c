/* It asks at its interval, sooner after a failure, and never more seldom than that. */

#include "aggregator/pace.h"
#include "base/cleanup.h"
#include "tests/unit/test_main.h"

#define S USEC_PER_SEC

static const struct {
        uint64_t interval;
        uint64_t failing[5]; /* s, one failure after the other */
} cases[] = {
        {30, {5, 10, 20, 30, 30}},
        {60, {5, 10, 20, 40, 60}},
        {6,  {5, 6, 6, 6, 6}    },
        {5,  {5, 5, 5, 5, 5}    },
        {1,  {1, 1, 1, 1, 1}    },
};

START_TEST(comes_back_sooner)
{
        struct pace p = {.interval_usec = cases[_i].interval * S};

        for (unsigned again = 0; again < 2; again++) {
                ck_assert_uint_eq(pace_after(&p, true), cases[_i].interval * S);
                for (size_t i = 0; i < ELEMENTSOF(cases[_i].failing); i++)
                        ck_assert_uint_eq(pace_after(&p, false), cases[_i].failing[i] * S);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("pace");
        TCase *t = tcase_create("pace");

        tcase_add_loop_test(t, comes_back_sooner, 0, ELEMENTSOF(cases));
        suite_add_tcase(suite, t);
        return test_main(suite);
}
