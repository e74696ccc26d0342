/* Real processes, each ended within a second or two whatever happens. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
}

/* The test's own deadline is the bound, here and below. */
static void turn(void)
{
        ck_assert_int_ge(sd_event_run(loop_event(loop), 20 * USEC_PER_MSEC), 0);
}

static void run_argv(const char *const argv[], uint64_t timeout_usec)
{
        struct err e = {0};

        free(output);
        n_done = 0;
        ck_assert_msg(
                child_start(&child, loop, argv, timeout_usec, LIMIT_BYTES, on_done, NULL, &e) == 0,
                "%s", e.text);
        while (!n_done)
                turn();
}

static void run(const char *command, uint64_t timeout_usec)
{
        const char *const argv[] = {"sh", "-c", command, NULL};

        run_argv(argv, timeout_usec);
}

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
        while (!is_gone(pid))
                turn();
}

/* None that runs, and no zombie. */
static void must_have_no_children(void)
{
        siginfo_t si;

        while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0)
                turn();
        ck_assert_int_eq(errno, ECHILD);
}

static unsigned n_descriptors(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        ck_assert_ptr_nonnull(d);
        while (readdir(d))
                n++;
        (void)closedir(d);
        return n;
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
        {"sleep 77 & echo soon", 0, 0, "soon\n"}, /* what it leaves behind ends with it */
        {"ls /proc/self/fd", 0, 0, "0\n1\n2\n3\n"}, /* 3: the directory itself */
        {"grep -E 'Sig(Blk|Ign)' /proc/self/status", 0, 0, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"},
};
/* clang-format on */

START_TEST(tells_how_a_command_ended)
{
        /* As a library may have opened it, and set it. */
        int foreign = dup(STDERR_FILENO), far = fcntl(foreign, F_DUPFD, 100);

        ck_assert_int_ge(far, 100);
        (void)signal(SIGUSR1, SIG_IGN);
        run(cases[_i].command, 5 * USEC_PER_SEC);
        ck_assert_int_eq(result.exit_status, cases[_i].exit_status);
        ck_assert_int_eq(result.signal, cases[_i].signal);
        ck_assert_str_eq(output, cases[_i].output);
        ck_assert(!result.timed_out && !result.truncated && !result.exec_error);
        must_have_no_children();
        (void)close(foreign);
        (void)close(far);
}
END_TEST

START_TEST(gives_a_command_an_environment_of_its_own)
{
        const char *const argv[] = {"/usr/bin/env", NULL};
        const char *const environment[] = {"LANG=C.UTF-8", "A=b c", NULL};
        struct err e = {0};

        ck_assert_int_eq(setenv("NOTIFY_SOCKET", "/run/nobody", 1), 0);
        ck_assert_msg(child_start_env(&child, loop, argv, environment, 5 * USEC_PER_SEC,
                                      LIMIT_BYTES, on_done, NULL, &e) == 0,
                      "%s", e.text);
        while (!n_done)
                turn();
        ck_assert_str_eq(output, "LANG=C.UTF-8\nA=b c\n");
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
        must_go(grandchild);
        must_have_no_children();
}
END_TEST

/* clang-format off */
static const struct {
        const char *command;
        bool timed_out;
} left_behind[] = {
        {"sleep 77 >/dev/null 2>&1 & echo $!; exit 0", false},
        {"sleep 77 & echo $!; exit 0", false},
        {"(trap '' TERM HUP INT; sleep 77) & echo $!; kill -KILL $$", false},
        {"setsid sleep 77 >/dev/null 2>&1 & echo $!; sleep 0.3; exit 0", false}, /* escapes */
        {"setsid sleep 77 & echo $!; sleep 0.3; exit 0", true},                  /* escapes */
};
/* clang-format on */

START_TEST(kills_what_a_command_leaves_behind)
{
        bool escapes = strncmp(left_behind[_i].command, "setsid", 6) == 0;
        pid_t grandchild;

        run(left_behind[_i].command,
            left_behind[_i].timed_out ? 1500 * USEC_PER_MSEC : 20 * USEC_PER_SEC);
        ck_assert_int_eq(sscanf(output, "%d", &grandchild), 1);
        ck_assert_int_eq(result.timed_out, left_behind[_i].timed_out);
        if (escapes) {
                ck_assert(!is_gone(grandchild));
                ck_assert_int_eq(kill(grandchild, SIGKILL), 0);
        }
        must_go(grandchild);
        must_have_no_children();
}
END_TEST

/* The command has ended, and the loop has not come round to it: it is child_free() that kills. */
START_TEST(kills_what_an_abandoned_command_leaves_behind)
{
        char dir[] = "/tmp/test_child.XXXXXX", path[64], command[256];
        const char *const argv[] = {"sh", "-c", command, NULL};
        pid_t grandchild = 0;
        siginfo_t si;
        struct err e;
        FILE *f;

        ck_assert_ptr_nonnull(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/pid", dir);
        (void)snprintf(command, sizeof(command), "sleep 77 & echo $! >%s", path);
        ck_assert_int_eq(
                child_start(&child, loop, argv, USEC_PER_MIN, LIMIT_BYTES, on_done, NULL, &e), 0);
        ck_assert_int_eq(waitid(P_ALL, 0, &si, WEXITED | WNOWAIT), 0);
        f = fopen(path, "re");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(fscanf(f, "%d", &grandchild), 1);
        (void)fclose(f);
        ck_assert(!is_gone(grandchild));
        child = child_free(child);
        must_go(grandchild);
        must_have_no_children();
        ck_assert_uint_eq(n_done, 0);
        (void)unlink(path);
        (void)rmdir(dir);
}
END_TEST

static void on_done_keep(const struct child_result *r, _unused_ void *userdata)
{
        n_done++;
        result = *r;
}

START_TEST(tells_the_end_once)
{
        const char *const argv[] = {"true", NULL};
        struct err e;

        ck_assert_int_eq(
                child_start(&child, loop, argv, USEC_PER_SEC, LIMIT_BYTES, on_done_keep, NULL, &e),
                0);
        for (uint64_t end = now_mono_usec() + 1500 * USEC_PER_MSEC; now_mono_usec() < end;)
                turn();
        ck_assert_uint_eq(n_done, 1);
        ck_assert(!result.timed_out);
        must_have_no_children();
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
        must_have_no_children();
        turn();
        ck_assert_uint_eq(n_done, 0);
}
END_TEST

/* clang-format off */
static const struct {
        const char *command; /* NULL: a file with this mode and text */
        const char *text;
        mode_t mode;
        int exec_error;
} cannot[] = {
        {"/nowhere/command", NULL, 0, -ENOENT},
        {"no-such-command", NULL, 0, -ENOENT},
        {"/", NULL, 0, -EACCES},
        {NULL, "#!/bin/sh\nexit 0\n", 0644, -EACCES},
        {NULL, "exit 0\n", 0755, -ENOEXEC}, /* no shell */
        {NULL, "#!/nowhere/interpreter\n", 0755, -ENOENT},
};
/* clang-format on */

static void make_file(char path[static 32], const char *text, mode_t mode)
{
        int fd;

        (void)snprintf(path, 32, "/tmp/test_child.XXXXXX");
        fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        ck_assert_int_eq(fchmod(fd, mode), 0);
        ck_assert_int_eq(close(fd), 0);
}

START_TEST(tells_why_a_command_cannot_be_executed)
{
        char path[32] = "";
        const char *argv[] = {cannot[_i].command, NULL};

        if (!cannot[_i].command) {
                make_file(path, cannot[_i].text, cannot[_i].mode);
                argv[0] = path;
        }
        run_argv(argv, 5 * USEC_PER_SEC);
        (void)unlink(path);
        ck_assert_int_eq(result.exec_error, cannot[_i].exec_error);
        ck_assert_int_eq(result.exit_status, -1);
        ck_assert_int_eq(result.signal, 0);
        ck_assert_str_eq(output, "");
        ck_assert(!result.timed_out);
        must_have_no_children();
}
END_TEST

/* clang-format off */
static const struct {
        const char *path; /* NULL: none at all */
        int exec_error;
} paths[] = {
        {"/nowhere:/bin/sh:/usr/bin:/bin", 0}, /* one is not there, one is no directory */
        {"::/usr/bin:/bin:", 0},
        {NULL, 0},
        {"", 0},
        {":", -ENOENT}, /* not from the working directory */
        {"/nowhere", -ENOENT},
};
/* clang-format on */

START_TEST(looks_along_a_path)
{
        const char *const argv[] = {"true", NULL};

        ck_assert_int_eq(chdir("/bin"), 0);
        ck_assert_int_eq(paths[_i].path ? setenv("PATH", paths[_i].path, 1) : unsetenv("PATH"), 0);
        run_argv(argv, 5 * USEC_PER_SEC);
        ck_assert_int_eq(result.exec_error, paths[_i].exec_error);
        ck_assert_int_eq(result.exit_status, paths[_i].exec_error ? -1 : 0);
}
END_TEST

/* Who opens a file on which there is a lease waits, as at a dead disk, until it is given back. */
START_TEST(does_not_wait_for_an_exec_that_hangs)
{
        char path[32];
        const char *const argv[] = {path, NULL};
        int fd;

        make_file(path, "#!/bin/sh\nexit 0\n", 0755);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        (void)signal(SIGIO, SIG_IGN); /* the question to give it back */
        if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
                run_argv(argv, 300 * USEC_PER_MSEC);
                ck_assert(result.timed_out);
                ck_assert_int_eq(result.exit_status, -1);
                ck_assert_int_eq(result.exec_error, 0);
                must_have_no_children();
        }
        (void)close(fd);
        (void)unlink(path);
}
END_TEST

START_TEST(does_without_standard_descriptors)
{
        for (int fd = 0; fd <= _i; fd++)
                (void)close(fd);
        run("echo out; cat; echo err >&2; ls /proc/self/fd", 5 * USEC_PER_SEC);
        ck_assert_str_eq(output, "out\nerr\n0\n1\n2\n3\n");
        ck_assert_int_eq(result.exec_error, 0);
}
END_TEST

START_TEST(keeps_no_descriptors)
{
        static const char *const commands[] = {"exit 0", "sleep 60", "setsid sleep 2 & sleep 60"};
        const char *const missing[] = {"/nowhere/command", NULL};
        unsigned n = 0;

        for (unsigned i = 0; i < 3; i++) {
                for (size_t j = 0; j < ELEMENTSOF(commands); j++)
                        run(commands[j], 200 * USEC_PER_MSEC);
                run_argv(missing, 5 * USEC_PER_SEC);
                must_have_no_children();
                if (i == 0)
                        n = n_descriptors(); /* with what the loop itself needs from now on */
        }
        ck_assert_uint_eq(n_descriptors(), n);
}
END_TEST

/* With no descriptor left, with one, with two …; whatever has been started by then is not forgotten. */
START_TEST(leaves_nothing_when_descriptors_are_out)
{
        const char *const argv[] = {"sleep", "60", NULL};
        struct rlimit few = {64, 64};
        unsigned n, n_failed = 0;
        int fds[64], n_fds = 0;

        run("exit 0", 5 * USEC_PER_SEC);
        n = n_descriptors(); /* with what the loop itself needs from now on */
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        while ((fds[n_fds] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
                n_fds++;
        ck_assert_int_gt(n_fds, 8);
        for (int i = 0; i < 8; i++) {
                struct err e = {0};
                int k = child_start(&child, loop, argv, USEC_PER_MIN, LIMIT_BYTES, on_done, NULL,
                                    &e);

                if (k < 0) {
                        n_failed++;
                        ck_assert_int_eq(k, -EMFILE);
                        ck_assert_str_eq(e.text, "cannot run sleep: Too many open files");
                }
                child = child_free(child);
                (void)close(fds[--n_fds]);
        }
        ck_assert_uint_ge(n_failed, 4);
        ck_assert_uint_lt(n_failed, 8);
        while (n_fds > 0)
                (void)close(fds[--n_fds]);
        run("exit 0", 5 * USEC_PER_SEC);
        for (siginfo_t si; waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0;)
                run("exit 0", 5 * USEC_PER_SEC); /* it is the next one that looks after them */
        ck_assert_uint_eq(n_descriptors(), n);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("child");
        TCase *tc = tcase_create("child");

        tcase_set_timeout(tc, 30);
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_loop_test(tc, tells_how_a_command_ended, 0, ELEMENTSOF(cases));
        tcase_add_test(tc, gives_a_command_an_environment_of_its_own);
        tcase_add_test(tc, keeps_the_newest_output);
        tcase_add_test(tc, kills_a_command_and_its_children_at_the_deadline);
        tcase_add_test(tc, does_not_wait_for_whom_it_abandons);
        tcase_add_loop_test(tc, kills_what_a_command_leaves_behind, 0, ELEMENTSOF(left_behind));
        tcase_add_test(tc, kills_what_an_abandoned_command_leaves_behind);
        tcase_add_test(tc, tells_the_end_once);
        tcase_add_loop_test(tc, tells_why_a_command_cannot_be_executed, 0, ELEMENTSOF(cannot));
        tcase_add_loop_test(tc, looks_along_a_path, 0, ELEMENTSOF(paths));
        tcase_add_test(tc, does_not_wait_for_an_exec_that_hangs);
        tcase_add_loop_test(tc, does_without_standard_descriptors, 0, 3);
        tcase_add_test(tc, keeps_no_descriptors);
        tcase_add_test(tc, leaves_nothing_when_descriptors_are_out);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
