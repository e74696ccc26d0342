/* It says of this process what the kernel says of it. */

#include <stdio.h>
#include <unistd.h>

#include "api/process_figures.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

static double value(const char *name)
{
        _cleanup_(buf_done) struct buf out = {0};
        char line[128];
        const char *s;

        process_figures_write(&out);
        ck_assert_int_eq(out.error, 0);
        (void)snprintf(line, sizeof(line), "\n%s ", name);
        s = strstr(buf_cstr(&out), line);
        ck_assert_msg(s, "no %s in %s", name, buf_cstr(&out));
        return strtod(s + strlen(line), NULL);
}

START_TEST(says_what_is)
{
        double n = value("process_open_fds"), now = (double)now_wall_usec() / 1e6;
        int fd = dup(STDOUT_FILENO);

        ck_assert_double_eq(value("process_open_fds"), n + 1);
        close(fd);
        ck_assert_double_ge(value("process_max_fds"), n);
        ck_assert_double_ge(value("process_resident_memory_bytes"), 100000);
        ck_assert_double_ge(value("process_virtual_memory_bytes"),
                            value("process_resident_memory_bytes"));
        ck_assert_double_ge(value("process_cpu_seconds_total"), 0);
        /* The tick before it: 10 ms, and the two clocks are not read at once. */
        ck_assert_double_le(value("process_start_time_seconds"), now + 1);
        ck_assert_double_ge(value("process_start_time_seconds"), now - 3600);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("process_figures");
        TCase *tc = tcase_create("process_figures");

        tcase_add_test(tc, says_what_is);
        suite_add_tcase(s, tc);
        return test_main(s);
}
