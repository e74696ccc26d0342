/* It reads clocks, and calendars as RFC 3339 writes them. */

#include <errno.h>

#include "base/cleanup.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

START_TEST(shows_the_clock_of_a_test)
{
        uint64_t usec = 5;

        clock_fake(&usec);
        ck_assert_uint_eq(now_mono_usec(), 5);
        usec = 6;
        ck_assert_uint_eq(now_boot_usec(), 6);
        ck_assert_uint_eq(now_wall_usec(), 6);
        clock_fake(NULL);
        ck_assert_uint_ne(now_wall_usec(), 6);
}
END_TEST

START_TEST(never_runs_backwards)
{
        uint64_t before = now_mono_usec();

        ck_assert_uint_ge(now_mono_usec(), before);
        ck_assert_uint_ge(now_boot_usec(), before);
}
END_TEST

START_TEST(saturates)
{
        ck_assert_uint_eq(usec_add(1, 2), 3);
        ck_assert_uint_eq(usec_add(USEC_INFINITY, 1), USEC_INFINITY);
        ck_assert_uint_eq(usec_add(1, USEC_INFINITY), USEC_INFINITY);
        ck_assert_uint_eq(usec_since(5, 3), 2);
        ck_assert_uint_eq(usec_since(3, 5), 0);
}
END_TEST

static const struct {
        uint64_t usec;
        const char *text;
} times[] = {
        {0,                            "1970-01-01T00:00:00.000Z"},
        {UINT64_C(1795219447123999),   "2026-11-21T00:04:07.123Z"},
        {UINT64_C(951782400000000),    "2000-02-29T00:00:00.000Z"},
        {UINT64_C(253402300799999000), "9999-12-31T23:59:59.999Z"},
        {UINT64_C(253402300800000000), "0000-01-01T00:00:00.000Z"},
        {UINT64_MAX,                   "0000-01-01T00:00:00.000Z"},
};

START_TEST(writes_times)
{
        char buf[RFC3339_MAX];
        uint64_t usec;

        ck_assert_str_eq(rfc3339_format(buf, times[_i].usec), times[_i].text);
        if (times[_i].text[0] == '0')
                return;
        ck_assert_int_eq(rfc3339_parse(&usec, buf), 0);
        ck_assert_uint_eq(usec, times[_i].usec / USEC_PER_MSEC * USEC_PER_MSEC);
}
END_TEST

#define T UINT64_C(1795219447) /* 2026-11-21T00:04:07Z */

static const struct {
        const char *text;
        int r;
        uint64_t want;
} readings[] = {
        {"2026-11-21T00:04:07Z",           0,       T *USEC_PER_SEC                    },
        {"2026-11-21t00:04:07z",           0,       T *USEC_PER_SEC                    },
        {"2026-11-21T01:04:07+01:00",      0,       T *USEC_PER_SEC                    },
        {"2026-11-20T18:34:07-05:30",      0,       T *USEC_PER_SEC                    },
        {"2026-11-21T00:04:07.5Z",         0,       T *USEC_PER_SEC + 500000           },
        {"2026-11-21T00:04:07.123456789Z", 0,       T *USEC_PER_SEC + 123456           },
        {"2016-12-31T23:59:60Z",           0,       UINT64_C(1483228800) * USEC_PER_SEC},
        {"1970-01-01T00:00:00+00:01",      -EINVAL, 0                                  },
        {"1969-12-31T23:59:59Z",           -EINVAL, 0                                  },
        {"",                               -EINVAL, 0                                  },
        {"2026-11-21",                     -EINVAL, 0                                  },
        {"2026-11-21T00:04:07",            -EINVAL, 0                                  },
        {"2026-11-21T00:04:07Zx",          -EINVAL, 0                                  },
        {"2026-11-21T00:04:07.Z",          -EINVAL, 0                                  },
        {"2026-11-21T00:04:07+1:00",       -EINVAL, 0                                  },
        {"2026-11-21T00:04:07+01:000",     -EINVAL, 0                                  },
        {"2026-11-21T00:04:07+ 1:00",      -EINVAL, 0                                  },
        {"2026-11-21T00:04:07+-0:00",      -EINVAL, 0                                  },
        {"2026-11-21T00:04:07+24:00",      -EINVAL, 0                                  },
        {"2026-11-21T24:04:07Z",           -EINVAL, 0                                  },
        {"2026-13-21T00:04:07Z",           -EINVAL, 0                                  },
        {"2026-02-30T00:04:07Z",           -EINVAL, 0                                  },
        {"2025-02-29T00:04:07Z",           -EINVAL, 0                                  },
        {"2026-+1-01T00:00:00Z",           -EINVAL, 0                                  },
        {"2026- 1-01T00:00:00Z",           -EINVAL, 0                                  },
        {"2026-11-21T00:04: 7Z",           -EINVAL, 0                                  },
        {"2026-11-21T00:04:-0Z",           -EINVAL, 0                                  },
};

START_TEST(reads_times)
{
        uint64_t v = 42;

        ck_assert_int_eq(rfc3339_parse(&v, readings[_i].text), readings[_i].r);
        ck_assert_uint_eq(v, readings[_i].r < 0 ? 42 : readings[_i].want);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("mono");
        TCase *tc = tcase_create("time");

        tcase_add_test(tc, shows_the_clock_of_a_test);
        tcase_add_test(tc, never_runs_backwards);
        tcase_add_test(tc, saturates);
        tcase_add_loop_test(tc, writes_times, 0, ELEMENTSOF(times));
        tcase_add_loop_test(tc, reads_times, 0, ELEMENTSOF(readings));
        suite_add_tcase(s, tc);
        return test_main(s);
}
