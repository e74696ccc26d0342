/* It says one line per thing, and not too often. */

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

/* stderr goes to a file while a test speaks; each test is a process of its own. */
static int capture_fd;

static void capture(void)
{
        capture_fd = memfd_create("stderr", MFD_CLOEXEC);
        ck_assert_int_ge(capture_fd, 0);
        ck_assert_int_ge(dup2(capture_fd, STDERR_FILENO), 0);
        ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
        log_open("test");
}

static const char *captured(void)
{
        static char text[8192];
        ssize_t n = pread(capture_fd, text, sizeof(text) - 1, 0);

        ck_assert_int_ge(n, 0);
        text[n] = '\0';
        return text;
}

static const struct {
        const char *word;
        int r;
        enum log_level want;
} words[] = {
        {"error",   0,       LEVEL_ERROR  },
        {"warning", 0,       LEVEL_WARNING},
        {"notice",  0,       LEVEL_NOTICE },
        {"info",    0,       LEVEL_INFO   },
        {"debug",   0,       LEVEL_DEBUG  },
        {"",        -EINVAL, LEVEL_INFO   },
        {"Error",   -EINVAL, LEVEL_INFO   },
        {"err",     -EINVAL, LEVEL_INFO   },
        {"7",       -EINVAL, LEVEL_INFO   },
};

START_TEST(knows_its_levels)
{
        enum log_level level = LEVEL_INFO;

        ck_assert_int_eq(log_level_from_string(words[_i].word, &level), words[_i].r);
        ck_assert_int_eq(level, words[_i].want);
}
END_TEST

START_TEST(speaks_from_a_level_on)
{
        capture();
        log_set_level(LEVEL_NOTICE);
        log_info("not said");
        log_notice("said %d", 1);
        log_warning("watch");
        log_error("help");
        ck_assert_str_eq(captured(), "test: said 1\ntest: warning: watch\ntest: error: help\n");
}
END_TEST

static const struct {
        const char *said, *line;
} lines[] = {
        {"a\nforged\x1b[0m\x7f",              "test: a forged [0m \n"                    },
        {"caf\xc3\xa9 \xe2\x82\xac \xc2\xa0", "test: caf\xc3\xa9 \xe2\x82\xac \xc2\xa0\n"},
        {"a\xc2\x9b"
         "2J\xc2\x80.",              "test: a  2J  .\n"                         },
        {"a\x9b"
         "2J\x85\xff",               "test: a 2J  \n"                           },
        {"a\xc3\x1b[0m",                      "test: a  [0m\n"                           },
        {"a\xc0\x8a"
         "b",                        "test: a  b\n"                             },
        {"a\xe2\x82",                         "test: a  \n"                              },
};

START_TEST(keeps_a_line_one_line)
{
        capture();
        log_info("%s", lines[_i].said);
        ck_assert_str_eq(captured(), lines[_i].line);
}
END_TEST

START_TEST(cuts_what_is_too_long)
{
        char text[5000];

        capture();
        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        log_info("%s", text);
        ck_assert_uint_lt(strlen(captured()), 2200);
        ck_assert_int_eq(captured()[strlen(captured()) - 1], '\n');
}
END_TEST

START_TEST(falls_back_to_the_message)
{
        static const struct log_field fields[] = {
                {"UNIT", "x" },
                {NULL,   NULL}
        };

        capture();
        log_record(LEVEL_NOTICE, "00000000000000000000000000000000", fields, "became %s unhealthy");
        log_record(LEVEL_DEBUG, "00000000000000000000000000000000", fields, "not said");
        ck_assert_str_eq(captured(), "test: became %s unhealthy\n");
}
END_TEST

START_TEST(counts_what_it_holds_back)
{
        uint64_t usec = 1000 * USEC_PER_SEC;
        struct log_ratelimit r = {0};
        unsigned n = 99;

        clock_fake(&usec);
        ck_assert(log_ratelimit_pass(&r, &n));
        ck_assert_uint_eq(n, 0);
        ck_assert(!log_ratelimit_pass(&r, &n));
        usec += USEC_PER_MIN - 1;
        ck_assert(!log_ratelimit_pass(&r, &n));
        usec += 1;
        ck_assert(log_ratelimit_pass(&r, &n));
        ck_assert_uint_eq(n, 2);
        usec += USEC_PER_MIN;
        ck_assert(log_ratelimit_pass(&r, &n));
        ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("log");
        TCase *tc = tcase_create("lines");

        tcase_add_loop_test(tc, knows_its_levels, 0, ELEMENTSOF(words));
        tcase_add_test(tc, speaks_from_a_level_on);
        tcase_add_loop_test(tc, keeps_a_line_one_line, 0, ELEMENTSOF(lines));
        tcase_add_test(tc, cuts_what_is_too_long);
        tcase_add_test(tc, falls_back_to_the_message);
        tcase_add_test(tc, counts_what_it_holds_back);
        suite_add_tcase(s, tc);
        return test_main(s);
}
