/* Real processes, each ended within a second or two whatever happens. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/child.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define LIMIT_BYTES 1024u

static struct loop *loop;
static struct child *child;
static struct child_result result;
static char *output;
static unsigned n_done;

static void setup(void)
{
        sigset_t s;

        sigemptyset(&s);
        sigaddset(&s, SIGCHLD);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &s, NULL), 0);
        ck_assert_int_eq(loop_new(&loop), 0);
        child = NULL;
        n_done = 0;
}

static void teardown(void)
{
        child = child_free(child);
        loop = loop_free(loop);
        free(output);
        output = NULL;
}

static void on_done(const struct child_result *r, _unused_ void *userdata)
{
        n_done++;
        result = *r;
        output = strndup(r->output, r->n_output);
        child = child_free(child);
        loop_quit(loop, 0);
}

static void run(const char *command, uint64_t timeout_usec)
{
        const char *const argv[] = {"sh", "-c", command, NULL};
        struct err e = {0};

        ck_assert_msg(
                child_start(&child, loop, argv, timeout_usec, LIMIT_BYTES, on_done, NULL, &e) == 0,
                "%s", e.text);
        ck_assert_int_eq(loop_run(loop), 0);
        ck_assert_uint_eq(n_done, 1);
}

/* clang-format off */
static const struct {
        const char *command;
        int exit_status, signal;
        const char *output;
} cases[] = {
        {"echo out; echo err >&2", 0, 0, "out\nerr\n"},
        {"exit 3", 3, 0, ""},
        {"kill -SEGV $$", -1, SIGSEGV, ""},
        {"cat", 0, 0, ""}, /* its input is empty, not ours */
        {"(sleep 0.2; echo late) & echo soon", 0, 0, "soon\nlate\n"}, /* ends when all have ended */
};
/* clang-format on */

START_TEST(tells_how_a_command_ended)
{
        run(cases[_i].command, 5 * USEC_PER_SEC);
        ck_assert_int_eq(result.exit_status, cases[_i].exit_status);
        ck_assert_int_eq(result.signal, cases[_i].signal);
        ck_assert_str_eq(output, cases[_i].output);
        ck_assert(!result.timed_out && !result.truncated);
}
END_TEST

START_TEST(keeps_the_newest_output)
{
        run("i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done", 20 * USEC_PER_SEC);
        ck_assert(result.truncated);
        ck_assert_uint_eq(result.n_output, LIMIT_BYTES);
        ck_assert_str_eq(output + LIMIT_BYTES - 5, "1999\n");
}
END_TEST

START_TEST(kills_a_command_and_its_children_at_the_deadline)
{
        pid_t grandchild;

        run("echo before; sleep 60 & echo $!; wait", 300 * USEC_PER_MSEC);
        ck_assert(result.timed_out);
        ck_assert_int_eq(result.exit_status, -1);
        ck_assert_int_eq(sscanf(output, "before\n%d", &grandchild), 1);
        for (unsigned i = 0; i < 100 && kill(grandchild, 0) == 0; i++) {
                char path[64], state = 'Z';
                FILE *f;

                (void)snprintf(path, sizeof(path), "/proc/%d/stat", grandchild);
                f = fopen(path, "re");
                if (f) {
                        ck_assert_int_eq(fscanf(f, "%*d %*s %c", &state), 1);
                        (void)fclose(f);
                }
                if (state == 'Z')
                        return; /* dead; this machine's init has not come round to it */
                (void)usleep(20000);
        }
        ck_assert_int_ne(kill(grandchild, 0), 0);
}
END_TEST

START_TEST(does_not_wait_for_whom_it_abandons)
{
        const char *const argv[] = {"sleep", "60", NULL};
        uint64_t before = now_mono_usec();
        struct err e;

        ck_assert_int_eq(
                child_start(&child, loop, argv, USEC_PER_MIN, LIMIT_BYTES, on_done, NULL, &e), 0);
        child = child_free(child);
        ck_assert_uint_eq(n_done, 0);
        ck_assert(now_mono_usec() - before < 5 * USEC_PER_SEC);
        /* The loop reaps it, and goes on. */
        for (unsigned i = 0; i < 5; i++)
                ck_assert_int_ge(sd_event_run(loop_event(loop), 100 * USEC_PER_MSEC), 0);
        ck_assert_uint_eq(n_done, 0);
}
END_TEST

START_TEST(names_a_command_that_is_not_there)
{
        const char *const argv[] = {"/nowhere/command", NULL};
        struct err e;

        ck_assert_int_eq(
                child_start(&child, loop, argv, USEC_PER_SEC, LIMIT_BYTES, on_done, NULL, &e),
                -ENOENT);
        ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/command"));
        ck_assert_ptr_null(child);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("child");
        TCase *tc = tcase_create("child");

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, tells_how_a_command_ended, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, keeps_the_newest_output);
        tcase_add_test(tc, kills_a_command_and_its_children_at_the_deadline);
        tcase_add_test(tc, does_not_wait_for_whom_it_abandons);
        tcase_add_test(tc, names_a_command_that_is_not_there);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
