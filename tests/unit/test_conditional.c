/* It reads what a client has already, and how long it would wait. */

#include "api/conditional.h"
#include "tests/unit/test_main.h"

#define INSTANCE UINT64_C(0x9f3c2a11d0b4e677)
#define OURS     "9f3c2a11d0b4e677"

static const struct {
        const char *header;
        enum etag_known want;
        uint64_t seq;
} tags[] = {
        {NULL,                                             ETAG_NONE,  0         },
        {"",                                               ETAG_NONE,  0         },
        {"*",                                              ETAG_ANY,   0         },
        {" * ",                                            ETAG_ANY,   0         },
        {"*x",                                             ETAG_NONE,  0         },
        {"\"*\"",                                          ETAG_NONE,  0         },
        {"\"" OURS ".1841\"",                              ETAG_KNOWN, 1841      },
        {"W/\"" OURS ".1841\"",                            ETAG_KNOWN, 1841      },
        {"\"" OURS ".0\"",                                 ETAG_KNOWN, 0         },
        {"\"" OURS ".18446744073709551615\"",              ETAG_KNOWN, UINT64_MAX},
        {"\"" OURS ".18446744073709551616\"",              ETAG_NONE,  0         },
        {"\"" OURS ".99999999999999999999999999\"",        ETAG_NONE,  0         },
 /* lists */
        {"\"a\", \"" OURS ".7\"",                          ETAG_KNOWN, 7         },
        {"\"" OURS ".7\",\"" OURS ".9\",W/\"" OURS ".8\"", ETAG_KNOWN, 9         },
        {" ,, \"" OURS ".7\" ,\t, ",                       ETAG_KNOWN, 7         },
        {"\"a,b\", \"" OURS ".7\"",                        ETAG_KNOWN, 7         },
        {"\"" OURS ".7\", *",                              ETAG_KNOWN, 7         },
        {"\"" OURS ".7\", nonsense, \"" OURS ".9\"",       ETAG_KNOWN, 7         },
 /* somebody else's */
        {"\"0f3c2a11d0b4e677.1841\"",                      ETAG_NONE,  0         },
        {"\"\"",                                           ETAG_NONE,  0         },
        {"\"abc\"",                                        ETAG_NONE,  0         },
 /* not as we write them */
        {OURS ".1841",                                     ETAG_NONE,  0         },
        {"\"" OURS ".1841",                                ETAG_NONE,  0         },
        {"w/\"" OURS ".1841\"",                            ETAG_NONE,  0         },
        {"W/",                                             ETAG_NONE,  0         },
        {"W",                                              ETAG_NONE,  0         },
        {"\"9F3C2A11D0B4E677.1\"",                         ETAG_NONE,  0         },
        {"\"" OURS ".\"",                                  ETAG_NONE,  0         },
        {"\"" OURS "\"",                                   ETAG_NONE,  0         },
        {"\"" OURS "x1\"",                                 ETAG_NONE,  0         },
        {"\"" OURS ".01\"",                                ETAG_NONE,  0         },
        {"\"" OURS ".-1\"",                                ETAG_NONE,  0         },
        {"\"" OURS ".1 \"",                                ETAG_NONE,  0         },
};

START_TEST(reads_if_none_match)
{
        uint64_t seq = 0;

        ck_assert_msg(etag_known(tags[_i].header, INSTANCE, &seq) == tags[_i].want, "%s",
                      tags[_i].header);
        ck_assert_uint_eq(seq, tags[_i].seq);
}
END_TEST

START_TEST(reads_what_it_writes)
{
        static const uint64_t values[] = {0, 1, 10, INSTANCE, UINT64_MAX};
        char buf[ETAG_MAX];
        uint64_t seq;

        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                for (size_t j = 0; j < ELEMENTSOF(values); j++) {
                        etag_format(buf, values[i], values[j], (i + j) % 2 == 0);
                        ck_assert_int_eq(etag_known(buf, values[i], &seq), ETAG_KNOWN);
                        ck_assert_uint_eq(seq, values[j]);
                        ck_assert_int_eq(etag_known(buf, values[i] ^ 2, &seq), ETAG_NONE);
                }
        ck_assert_str_eq(etag_format(buf, INSTANCE, 1841, false), "\"" OURS ".1841\"");
        ck_assert_str_eq(etag_format(buf, 1, 2, true), "W/\"0000000000000001.2\"");
}
END_TEST

static const struct {
        const char *header;
        unsigned want;
} waits[] = {
        {NULL,                                       0 },
        {"",                                         0 },
        {"wait=25",                                  25},
        {"wait=1",                                   1 },
        {"wait=60",                                  60},
        {"wait=61",                                  60},
        {"wait=99999999999999999999999",             60},
        {"WAIT=25",                                  25},
        {"wait = 25",                                25},
        {"wait\t=\t25",                              25},
        {"wait=\"25\"",                              25},
        {"wait=25; jitter=500",                      25},
        {"respond-async, wait=10",                   10},
        {"respond-async; x=\"a,b;wait=9\", wait=10", 10},
        {"foo=\"bar\\\", wait=9\", wait=10",         10},
        {"a;;b, wait=10",                            10},
        {"a;,wait=10",                               10},
        {" , ,wait=10",                              10},
        {"wait=10, wait=20",                         10},
        {"return=minimal, wait=7, x",                7 },
 /* not ours */
        {"foo; wait=5",                              0 },
        {"await=5",                                  0 },
        {"waiting=5",                                0 },
        {"foo=\"wait=5\"",                           0 },
        {"foo=\"wait=5",                             0 },
 /* not usable */
        {"wait",                                     0 },
        {"wait=",                                    0 },
        {"wait=\"\"",                                0 },
        {"wait=\"",                                  0 },
        {"wait=0",                                   0 },
        {"wait=-5",                                  0 },
        {"wait=5s",                                  0 },
        {"wait=1.5",                                 0 },
        {"wait=1 2",                                 1 },
        {"@, wait=5",                                0 },
        {"a b, wait=5",                              0 },
};

START_TEST(reads_prefer)
{
        ck_assert_msg(prefer_wait(waits[_i].header) == waits[_i].want, "%s: %u", waits[_i].header,
                      prefer_wait(waits[_i].header));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("conditional");
        TCase *tc = tcase_create("conditional");

        tcase_add_loop_test(tc, reads_if_none_match, 0, ELEMENTSOF(tags));
        tcase_add_test(tc, reads_what_it_writes);
        tcase_add_loop_test(tc, reads_prefer, 0, ELEMENTSOF(waits));
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
