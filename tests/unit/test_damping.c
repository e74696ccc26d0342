/* Answers in a row, and the health that follows. */

#include "probes/damping.h"
#include "tests/unit/test_main.h"

/* P passes, F fails, ? tells nothing, L is late; below each: h healthy, u unhealthy, ? unknown. */
static const struct {
        unsigned fail_after, pass_after;
        const char *answers, *health;
} cases[] = {
        {3, 1, "P",          "h"         },
        {3, 1, "FFF",        "??u"       },
        {3, 1, "FFPFF",      "??hhh"     },
        {3, 1, "PFFFFP",     "hhhuuh"    },
        {3, 1, "PFFPFFPFFF", "hhhhhhhhhu"},
        {1, 1, "FPFP",       "uhuh"      },
        {1, 1, "?P?",        "?h?"       },
        {3, 2, "PPFFFPFPP",  "?hhhuuuuh" },
        {3, 3, "PPFPPP",     "?????h"    },
        {3, 1, "P???",       "hhh?"      },
        {3, 1, "P?F?",       "hhh?"      },
        {3, 1, "P?FFF",      "hhhuu"     },
        {3, 1, "PFF?",       "hhh?"      },
        {3, 1, "FFF??F??",   "??uuuuuu"  }, /* a known fault is not forgotten so easily */
        {3, 1, "FFF???F",    "??uuu?u"   },
        {1, 1, "F?",         "u?"        },
        {3, 1, "PLP",        "h?h"       },
        {3, 1, "PLFFF",      "h???u"     }, /* late is not healthy again by one failure */
        {3, 1, "PFFLF",      "hhh?u"     },
        {3, 1, "FFFLF",      "??u?u"     },
        {3, 3, "PPPLP",      "??h?h"     }, /* silence is no answer: the row goes on */
        {2, 1, "L",          "?"         },
};

static void add(struct damped *d, char answer, unsigned fail_after, unsigned pass_after)
{
        struct probe_verdict v = {0};

        if (answer == 'L') {
                damped_set_late(d, "late");
                return;
        }
        if (answer == 'P')
                probe_verdict_set(&v, DIAG_HEALTHY, DIAG_CODE_OK, "%s", "");
        else if (answer == 'F')
                probe_verdict_set(&v, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "failed");
        else
                probe_verdict_set(&v, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "no idea");
        damped_add(d, &v, fail_after, pass_after);
}

START_TEST(damps)
{
        struct damped d;

        damped_reset(&d);
        for (size_t i = 0; cases[_i].answers[i]; i++) {
                add(&d, cases[_i].answers[i], cases[_i].fail_after, cases[_i].pass_after);
                ck_assert_msg("?hu"[d.health] == cases[_i].health[i], "%s[%zu]: %c, not %c",
                              cases[_i].answers, i, "?hu"[d.health], cases[_i].health[i]);
                ck_assert_int_eq(d.health == DIAG_HEALTHY, d.code == DIAG_CODE_OK);
                ck_assert_int_eq(d.health == DIAG_HEALTHY, !*d.text);
        }
}
END_TEST

START_TEST(says_why)
{
        struct damped d;

        damped_reset(&d);
        ck_assert_int_eq(d.code, DIAG_CODE_PROBE_NOT_RUN);
        ck_assert_str_eq(d.text, "has not been asked yet");
        add(&d, 'F', 2, 2);
        ck_assert_int_eq(d.code, DIAG_CODE_PROBE_UNKNOWN);
        ck_assert_str_eq(d.text, "so far: failed");
        add(&d, 'F', 2, 2);
        ck_assert_int_eq(d.code, DIAG_CODE_PROBE_FAILED);
        ck_assert_str_eq(d.text, "failed");
        add(&d, 'P', 2, 2);
        ck_assert_str_eq(d.text, "failed");
        damped_set_late(&d, "late");
        ck_assert_int_eq(d.code, DIAG_CODE_PROBE_LATE);
        ck_assert_str_eq(d.text, "late");
        damped_reset(&d);
        add(&d, 'P', 2, 2);
        ck_assert_str_eq(d.text, "passed, but not often enough yet");
}
END_TEST

START_TEST(cuts_a_long_text)
{
        struct probe_verdict v = {.health = DIAG_UNHEALTHY, .code = DIAG_CODE_PROBE_FAILED};
        struct damped d;

        memset(v.text, 'x', PROBE_TEXT_MAX);
        damped_reset(&d);
        damped_add(&d, &v, 2, 1);
        ck_assert_uint_eq(strlen(d.text), PROBE_TEXT_MAX);
        damped_add(&d, &v, 2, 1);
        ck_assert_str_eq(d.text, v.text);
}
END_TEST

START_TEST(remembers_a_window)
{
        struct damped d;

        damped_reset(&d);
        for (const char *c = "PFP?"; *c; c++)
                add(&d, *c, 3, 1);
        ck_assert_uint_eq(d.n_window, 4);
        ck_assert_uint_eq(d.window, 0xa); /* 1010, the newest last */
        for (unsigned i = 0; i < 200; i++)
                add(&d, 'P', 3, 1);
        ck_assert_uint_eq(d.n_window, DIAG_PROBE_WINDOW);
        ck_assert_uint_eq(d.window, UINT64_MAX);
        ck_assert_uint_eq(d.n_passed, DIAG_PROBE_WINDOW);
}
END_TEST

START_TEST(knows_what_is_the_same)
{
        struct damped a, b;

        damped_reset(&a);
        b = a;
        ck_assert(damped_equal(&a, &b));
        add(&a, 'P', 1, 1);
        ck_assert(!damped_equal(&a, &b));
        b = a;
        add(&b, 'P', 1, 1);
        ck_assert(damped_equal(&a, &b)); /* windows differ */
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("damping");
        TCase *tc = tcase_create("damping");

        tcase_add_loop_test(tc, damps, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, says_why);
        tcase_add_test(tc, cuts_a_long_text);
        tcase_add_test(tc, remembers_a_window);
        tcase_add_test(tc, knows_what_is_the_same);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
