/*
 * stop_thread TID SECONDS - stop one thread of a program, and none of its others, for a while
 *
 * A signal would stop all of them. A program whose loop hangs while its other threads go on answering
 * is what this makes of it. Prints "stopped" once the thread stands still; whatever ends us lets it go on.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
        (void)fprintf(stderr, "stop_thread: %s: %s\n", what, strerror(errno));
        return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
        pid_t tid = argc == 3 ? (pid_t)atoi(argv[1]) : 0;
        unsigned seconds = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
        int status;

        if (tid <= 0 || seconds == 0) {
                (void)fputs("stop_thread: it takes TID SECONDS\n", stderr);
                return 2;
        }
        if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
                return fail("PTRACE_SEIZE");
        if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
                return fail("PTRACE_INTERRUPT");
        if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
                return fail("waitpid");
        if (puts("stopped") < 0 || fflush(stdout) < 0)
                return fail("stdout");
        while (seconds > 0)
                seconds = sleep(seconds);
        if (ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0)
                return fail("PTRACE_DETACH");
        return EXIT_SUCCESS;
}
