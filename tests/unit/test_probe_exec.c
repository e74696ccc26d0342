/* Command lines, what an exit status means, and real children. */

#include <errno.h>
#include <stdio.h>

#include "probes/probe_exec.h"
#include "tests/unit/one_probe.h"

/* clang-format off */
static const struct {
        const char *command, *words; /* each word with '|' behind it; NULL: refused */
} commands[] = {
        {"/bin/true", "/bin/true|"},
        {"  /bin/a  b\tc ", "/bin/a|b|c|"},
        {"/bin/a \"b c\" 'd e'", "/bin/a|b c|d e|"},
        {"/bin/a --x=\"b c\"d '' \"\"", "/bin/a|--x=b cd|||"},
        {"/bin/a \"it's\" 'say \"x\"'", "/bin/a|it's|say \"x\"|"},
        {"/bin/a b\\sc \"\\\"\" '\\'' \\\\", "/bin/a|b c|\"|'|\\|"},
        {"/bin/sh -c \"echo\\ta; exit 1\"", "/bin/sh|-c|echo\ta; exit 1|"},
        {"/bin/a $X %i *", "/bin/a|$X|%i|*|"},
        {"bin/a", NULL},
        {"-/bin/a", NULL},
        {"\"\" /bin/a", NULL},
        {"/bin/a \"b", NULL},
        {"/bin/a 'b\"", NULL},
        {"/bin/a b\\", NULL},
        {"/bin/a \\x41", NULL},
        {"   ", NULL},
        {"", NULL},
};

static const struct {
        struct child_result r;
        enum diag_health health;
        enum diag_code code;
        const char *text;
} judgements[] = {
        {{.exit_status = 0}, DIAG_HEALTHY, DIAG_CODE_OK, ""},
        {{.exit_status = 1}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "the command exited with status 1 (warning)"},
        {{.exit_status = 2}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED, "the command exited with status 2 (critical)"},
        {{.exit_status = 3}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "the command exited with status 3 (unknown)"},
        {{.exit_status = 4}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "the command exited with status 4, which says nothing of health"},
        {{.exit_status = 127}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "the command exited with status 127, which says nothing of health"},
        {{.exit_status = -1, .signal = SIGSEGV}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "the command was killed by SIGSEGV"},
        {{.exit_status = -1, .exec_error = -EACCES}, DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN, "cannot run /bin/a: Permission denied"},
        {{.exit_status = -1, .timed_out = true}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "the command did not end within 5 s"},
        {{.exit_status = 0, .timed_out = true}, DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "the command did not end within 5 s"},
};
/* clang-format on */

START_TEST(splits_a_command)
{
        _cleanup_(string_list_done) struct string_list words = {0};
        _cleanup_(buf_done) struct buf joined = {0};
        struct err e = {0};
        int r = exec_split(commands[_i].command, &words, &e);

        ck_assert_int_eq(r == 0, commands[_i].words != NULL);
        for (size_t i = 0; i < words.n; i++)
                buf_printf(&joined, "%s|", words.items[i]);
        ck_assert_str_eq(buf_cstr(&joined), commands[_i].words ? commands[_i].words : "");
        ck_assert_int_eq(r < 0, e.text[0] != '\0');
}
END_TEST

START_TEST(takes_only_so_many_words)
{
        _cleanup_(string_list_done) struct string_list words = {0};
        _cleanup_(buf_done) struct buf command = {0};
        struct err e;

        buf_puts(&command, "/bin/a");
        for (unsigned i = 1; i < EXEC_WORDS_MAX; i++)
                buf_puts(&command, " b");
        ck_assert_int_eq(exec_split(buf_cstr(&command), &words, &e), 0);
        ck_assert_uint_eq(words.n, EXEC_WORDS_MAX);
        string_list_done(&words);
        buf_puts(&command, " b");
        ck_assert_int_eq(exec_split(buf_cstr(&command), &words, &e), -E2BIG);
}
END_TEST

START_TEST(judges)
{
        struct probe_verdict v;

        exec_judge(&judgements[_i].r, "/bin/a", 5 * USEC_PER_SEC, &v);
        ck_assert_str_eq(v.text, judgements[_i].text);
        ck_assert_int_eq(v.health, judgements[_i].health);
        ck_assert_int_eq(v.code, judgements[_i].code);
}
END_TEST

START_TEST(runs_a_command)
{
        ask("Kind", "exec", "Command", "/bin/sh -c 'echo fine; echo really >&2'", NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_str_eq(result.output, "fine\nreally\n");
}
END_TEST

START_TEST(tells_what_a_command_that_failed_printed)
{
        ask("Kind", "exec", "Command", "/bin/sh -c 'echo 97 %; password=hunter2 env; exit 2'",
            NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_FAILED,
                "the command exited with status 2 (critical)");
        ck_assert_ptr_nonnull(strstr(result.output, "97 %\n"));
        ck_assert_ptr_nonnull(strstr(result.output, "password=[redacted]"));
        ck_assert_ptr_null(strstr(result.output, "hunter2"));
}
END_TEST

START_TEST(keeps_the_newest_output)
{
        ask("Kind", "exec", "Command",
            "/bin/sh -c 'i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done'", NULL);
        must_be(DIAG_HEALTHY, DIAG_CODE_OK, "");
        ck_assert_uint_eq(strlen(result.output), PROBE_OUTPUT_MAX);
        ck_assert_str_eq(result.output + PROBE_OUTPUT_MAX - 6, "19999\n");
}
END_TEST

START_TEST(inherits_nothing_but_where_to_write)
{
        ck_assert_int_eq(setenv("NOTIFY_SOCKET", "/run/nobody", 1), 0);
        ck_assert_int_eq(setenv("WATCHDOG_USEC", "1", 1), 0);
        ck_assert_int_eq(setenv("LISTEN_FDS", "3", 1), 0);
        ck_assert_int_eq(setenv("TMPDIR", "/run/room", 1), 0);
        ask("Kind", "exec", "Command", "/usr/bin/env", NULL);
        ck_assert_str_eq(result.output,
                         "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                         "LANG=C.UTF-8\n"
                         "TMPDIR=/run/room\n");
        ck_assert_int_eq(unsetenv("TMPDIR"), 0);
}
END_TEST

START_TEST(says_that_a_command_is_not_there)
{
        ask("Kind", "exec", "Command", "/nowhere/x", NULL);
        must_be(DIAG_UNKNOWN, DIAG_CODE_PROBE_UNKNOWN,
                "cannot run /nowhere/x: No such file or directory");
        ck_assert_str_eq(result.output, "");
}
END_TEST

/* Dead, or about to be reaped by an init that has not come round to it. */
static bool is_gone(pid_t pid)
{
        char path[64], state = 'Z';
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f)
                return true;
        ck_assert_int_ge(fscanf(f, "%*d %*s %c", &state), 0);
        (void)fclose(f);
        return state == 'Z';
}

static void must_go(pid_t pid)
{
        while (!is_gone(pid)) /* the test's own deadline is the bound */
                (void)usleep(20000);
}

START_TEST(kills_a_command_that_hangs_and_its_children)
{
        pid_t grandchild;

        ask("Kind", "exec", "Timeout", "300ms", "Command", "/bin/sh -c 'sleep 60 & echo $!; wait'",
            NULL);
        must_be(DIAG_UNHEALTHY, DIAG_CODE_PROBE_TIMEOUT, "the command did not end within 0.3 s");
        ck_assert_int_eq(sscanf(result.output, "%d", &grandchild), 1);
        must_go(grandchild);
}
END_TEST

START_TEST(kills_what_runs_when_it_is_skipped)
{
        char dir[] = "/tmp/test_probe_exec.XXXXXX", path[64], command[320];
        FILE *f = NULL;
        pid_t pid = 0;

        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/pid", dir);
        (void)snprintf(command, sizeof(command),
                       "/bin/sh -c 'echo $$ >%s.new; mv %s.new %s; exec sleep 60'", path, path,
                       path);
        begin_to_ask("Kind", "exec", "Command", command, NULL);
        for (; !f; f = fopen(path, "re"))
                ck_assert_int_ge(sd_event_run(loop_event(loop), 20 * USEC_PER_MSEC), 0);
        ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
        (void)fclose(f);
        ck_assert(!is_gone(pid));
        prober_skip(prober, 0, true);
        must_go(pid);
        ck_assert_uint_eq(prober_n_results(prober), 0);
        (void)unlink(path);
        (void)rmdir(dir);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("probe_exec");
        TCase *tc = tcase_create("probe_exec");

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, one_probe_setup, one_probe_teardown);
        tcase_add_loop_test(tc, splits_a_command, 0, ELEMENTSOF(commands));
        tcase_add_test(tc, takes_only_so_many_words);
        tcase_add_loop_test(tc, judges, 0, ELEMENTSOF(judgements));
        tcase_add_test(tc, runs_a_command);
        tcase_add_test(tc, tells_what_a_command_that_failed_printed);
        tcase_add_test(tc, keeps_the_newest_output);
        tcase_add_test(tc, inherits_nothing_but_where_to_write);
        tcase_add_test(tc, says_that_a_command_is_not_there);
        tcase_add_test(tc, kills_a_command_that_hangs_and_its_children);
        tcase_add_test(tc, kills_what_runs_when_it_is_skipped);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
