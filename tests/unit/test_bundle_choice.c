/* It understands what is to go into a bundle, and asks for that and nothing else. */

#include <errno.h>
#include <stdio.h>

#include "base/mono.h"
#include "cli/bundle_choice.h"
#include "tests/unit/test_main.h"

#define NOW_WALL_USEC \
        (UINT64_C(1795262400) * USEC_PER_SEC + 123456) /* 2026-11-21T12:00:00.123456Z */

static const struct {
        const char *value, *want; /* NULL: it is no time */
} times[] = {
        {"now",                                                                                  "2026-11-21T12:00:00.123Z"},
        {"24h",                                                                                  "2026-11-20T12:00:00.123Z"},
        {"90",                                                                                   "2026-11-21T11:58:30.123Z"},
        {"1d 12h",                                                                               "2026-11-20T00:00:00.123Z"},
        {"0",                                                                                    "2026-11-21T12:00:00.123Z"},
        {"2026-11-21T10:00:00Z",                                                                 "2026-11-21T10:00:00.000Z"},
        {"2026-11-21T10:00:00.5+01:00",                                                          "2026-11-21T09:00:00.500Z"},
        {"2026-11-21 10:00:05",                                                                  "2026-11-21T10:00:05.000Z"},
        {"2026-11-21T10:00:05",                                                                  "2026-11-21T10:00:05.000Z"},
        {"2026-11-21 10:00",                                                                     "2026-11-21T10:00:00.000Z"},
        {"2026-11-21",                                                                           "2026-11-21T00:00:00.000Z"},
        {"10:00",                                                                                "2026-11-21T10:00:00.000Z"},
        {"10:00:05",                                                                             "2026-11-21T10:00:05.000Z"},
        {"2027-01-01",                                                                           "2027-01-01T00:00:00.000Z"},
        {"",                                                                                     NULL                      },
        {" ",                                                                                    NULL                      },
        {"infinity",                                                                             NULL                      },
        {"100000w",                                                                              NULL                      },
        {"yesterday",                                                                            NULL                      },
        {"-1h",                                                                                  NULL                      },
        {"25:00",                                                                                NULL                      },
        {"10:60",                                                                                NULL                      },
        {"10",                                                                                   "2026-11-21T11:59:50.123Z"},
        {"1:00",                                                                                 NULL                      },
        {"10:0",                                                                                 NULL                      },
        {"10:00 ",                                                                               NULL                      },
        {"10:00Z",                                                                               NULL                      },
        {"2026-11-31",                                                                           NULL                      },
        {"2026-11-21 ",                                                                          NULL                      },
        {"2026-11-21-10:00",                                                                     NULL                      },
        {"2026-11-21  10:00",                                                                    NULL                      },
        {"2026-11-21 10",                                                                        NULL                      },
        {"1970-01-01",                                                                           NULL                      },
        {"2026-11-21 10:00:00.0000000000000000000000000000000000000000000000000000000000000000",
         NULL                                                                                                              },
};

START_TEST(reads_time)
{
        uint64_t usec = 7;
        char text[RFC3339_MAX];
        struct err e = {0};
        int r = bundle_choice_read_time(&usec, "--since", times[_i].value, NOW_WALL_USEC, &e);

        if (!times[_i].want) {
                ck_assert_msg(r == -EINVAL && usec == 7 && strstr(e.text, "--since \""), "%s: %d",
                              times[_i].value, r);
                return;
        }
        ck_assert_msg(r == 0, "%s: %s", times[_i].value, e.text);
        ck_assert_str_eq(rfc3339_format(text, usec), times[_i].want);
        ck_assert_uint_eq(usec % USEC_PER_MSEC, 0);
}
END_TEST

#define HOUR (3600 * USEC_PER_SEC)

static const struct {
        uint64_t since, until;
        const char *want; /* NULL: it is well */
} windows[] = {
        {0,                    0,                    NULL              },
        {NOW_WALL_USEC - HOUR, 0,                    NULL              },
        {0,                    NOW_WALL_USEC - HOUR, NULL              },
        {NOW_WALL_USEC - HOUR, NOW_WALL_USEC + HOUR, NULL              },
        {NOW_WALL_USEC + HOUR, 0,                    "has not come yet"},
        {NOW_WALL_USEC,        0,                    "is not before"   },
        {NOW_WALL_USEC - HOUR, NOW_WALL_USEC - HOUR, "is not before"   },
};

START_TEST(checks_window)
{
        const struct bundle_choice c = {.since_wall_usec = windows[_i].since,
                                        .until_wall_usec = windows[_i].until};
        struct err e = {0};

        ck_assert_int_eq(bundle_choice_check(&c, NOW_WALL_USEC, &e),
                         windows[_i].want ? -EINVAL : 0);
        ck_assert_msg(!windows[_i].want || strstr(e.text, windows[_i].want), "%s", e.text);
}
END_TEST

static const struct {
        const char *file, *want;
} formats[] = {
        {"a.tar.zst", "tar.zst"},
        {"a.tzst",    "tar.zst"},
        {"a.tar.gz",  "tar.gz" },
        {"/b/a.tgz",  "tar.gz" },
        {"a.b.zip",   "zip"    },
        {".zip",      NULL     },
        {"a",         NULL     },
        {"a.gz",      NULL     },
        {"d/",        NULL     },
        {"",          NULL     },
};

START_TEST(guesses_format)
{
        const char *f = bundle_choice_guess_format(formats[_i].file);

        ck_assert_msg(formats[_i].want ? f && streq(f, formats[_i].want) : !f, "%s: %s",
                      formats[_i].file, str_or(f, "none"));
}
END_TEST

START_TEST(takes_no_more_words_than_there_can_be)
{
        struct bundle_choice c = {0};
        struct err e = {0};
        char word[16];

        for (unsigned i = 0; i < BUNDLE_CHOICE_WORDS_MAX; i++) {
                (void)snprintf(word, sizeof(word), "%u,0", i);
                ck_assert_int_eq(bundle_choice_add_words(&c.nodes, "--nodes", word, &e), 0);
        }
        ck_assert_uint_eq(c.nodes.n, BUNDLE_CHOICE_WORDS_MAX);
        ck_assert_int_eq(bundle_choice_add_words(&c.nodes, "--nodes", "more", &e), -EINVAL);
        ck_assert_str_eq(e.text, "--nodes has more than 1000 words");
        bundle_choice_done(&c);
}
END_TEST

START_TEST(writes_what_was_said)
{
        _cleanup_(buf_done) struct buf all = {0}, nothing = {0};
        struct bundle_choice c = {.format = "zip",
                                  .id = "x",
                                  .no_redact = true,
                                  .since_wall_usec = 1000,
                                  .until_wall_usec = NOW_WALL_USEC};

        bundle_choice_write(&nothing, &(struct bundle_choice){0});
        ck_assert_str_eq(buf_cstr(&nothing), "{}");
        ck_assert_int_eq(bundle_choice_add_words(&c.nodes, "--nodes", "a,\"b\"", NULL), 0);
        ck_assert_int_eq(bundle_choice_add_words(&c.kinds, "--only", "host", NULL), 0);
        bundle_choice_write(&all, &c);
        ck_assert_str_eq(
                buf_cstr(&all),
                "{\"id\":\"x\",\"nodes\":[\"a\",\"\\\"b\\\"\"],"
                "\"since\":\"1970-01-01T00:00:00.001Z\",\"until\":\"2026-11-21T12:00:00.123Z\","
                "\"kinds\":[\"host\"],\"format\":\"zip\",\"redact\":false}");
        bundle_choice_done(&c);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("bundle_choice");
        TCase *tc = tcase_create("bundle_choice");

        tcase_add_loop_test(tc, reads_time, 0, ELEMENTSOF(times));
        tcase_add_loop_test(tc, checks_window, 0, ELEMENTSOF(windows));
        tcase_add_loop_test(tc, guesses_format, 0, ELEMENTSOF(formats));
        tcase_add_test(tc, takes_no_more_words_than_there_can_be);
        tcase_add_test(tc, writes_what_was_said);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
