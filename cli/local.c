/*
 * A child with a deadline for a program without an event loop: first its output has to end, then
 * the child itself (it may close its output and stay). Whichever is late, the child is killed.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/mono.h"
#include "cli/local.h"

#define PROGRAM    "diag-agentd"
#define READ_BYTES 16384u

extern char **environ;

/* --- which program -------------------------------------------------------------------------------- */

/* The directory of our own executable, without a slash at its end. */
static int own_directory(char dir[static PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
        char *slash;

        if (n < 0)
                return -errno;
        dir[n] = '\0';
        slash = strrchr(dir, '/');
        if (!slash)
                return -ENOENT;
        *slash = '\0';
        return 0;
}

void local_find_program(char path[static PATH_MAX], const char *const places[], size_t n_places,
                        const char *otherwise)
{
        char dir[PATH_MAX];

        for (size_t i = 0; i < n_places && own_directory(dir) == 0; i++) {
                int n = snprintf(path, PATH_MAX, "%s/%s", dir, places[i]);

                if (n > 0 && n < PATH_MAX && access(path, X_OK) == 0)
                        return;
        }
        (void)snprintf(path, PATH_MAX, "%s", otherwise);
}

/* --- the child ------------------------------------------------------------------------------------ */

struct look {
        pid_t pid; /* 0 once it is reaped */
        int pid_fd, output_fd;
        uint64_t deadline_mono_usec;
};

static void look_done(struct look *l)
{
        if (l->pid > 0) {
                (void)kill(l->pid, SIGKILL);
                while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        closep(&l->pid_fd);
        closep(&l->output_fd);
}

static int spawn(struct look *l, const char *const argv[], int write_fd)
{
        posix_spawn_file_actions_t files;
        int k;

        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&files, write_fd, STDOUT_FILENO);
        k = posix_spawnp(&l->pid, argv[0], &files, NULL, (char *const *)argv, environ);
        posix_spawn_file_actions_destroy(&files);
        if (k != 0)
                l->pid = 0;
        return -k;
}

static int start(struct look *l, const char *const argv[])
{
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        l->output_fd = fds[0];
        r = spawn(l, argv, fds[1]);
        close(fds[1]);
        if (r < 0)
                return r;
        l->pid_fd = pidfd_open(l->pid, 0);
        return l->pid_fd < 0 ? -errno : 0;
}

/* Until @fd has something to say. 0 or -ETIMEDOUT. */
static int wait_for(const struct look *l, int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        for (;;) {
                uint64_t now = now_mono_usec();
                int n;

                if (now >= l->deadline_mono_usec)
                        return -ETIMEDOUT;
                n = poll(&p, 1, (int)((l->deadline_mono_usec - now) / USEC_PER_MSEC + 1));
                if (n > 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
        }
}

static int read_output(struct look *l, struct buf *out)
{
        char data[READ_BYTES];

        while (!out->error) {
                int r = wait_for(l, l->output_fd);
                ssize_t n;

                if (r < 0)
                        return r;
                n = read(l->output_fd, data, sizeof(data));
                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        buf_append(out, data, (size_t)n);
        }
        return out->error;
}

static int reap(struct look *l, int *ret_status)
{
        int r = wait_for(l, l->pid_fd);

        if (r < 0)
                return r;
        while (waitpid(l->pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        l->pid = 0;
        return 0;
}

static int judge_status(const char *const argv[], int status, struct err *e)
{
        if (WIFSIGNALED(status))
                return err_set(e, -ECHILD, "%s %s was killed by signal %d", argv[0], argv[1],
                               WTERMSIG(status));
        if (WEXITSTATUS(status) != 0)
                return err_set(e, -ECHILD, "%s %s failed with status %d", argv[0], argv[1],
                               WEXITSTATUS(status));
        return 0;
}

int local_run(const char *const argv[], struct buf *output, uint64_t timeout_usec, struct err *e)
{
        _cleanup_(look_done) struct look l = {
                .pid_fd = -1,
                .output_fd = -1,
                .deadline_mono_usec = usec_add(now_mono_usec(), timeout_usec),
        };
        int r, status = 0;

        r = start(&l, argv);
        if (r < 0)
                return err_set(e, r, "cannot run %s %s: %s", argv[0], argv[1], strerror(-r));
        r = read_output(&l, output);
        if (r >= 0)
                r = reap(&l, &status);
        if (r < 0)
                return err_set(e, r, "%s %s did not come to an end: %s", argv[0], argv[1],
                               strerror(-r));
        return judge_status(argv, status, e);
}

/* A name without a slash is looked up in $PATH. */
int local_look(struct buf *json, uint64_t timeout_usec, struct err *e)
{
        static const char *const places[] = {"../sbin/" PROGRAM, PROGRAM};
        char path[PATH_MAX];
        const char *const argv[] = {path, "--once", NULL};

        local_find_program(path, places, ELEMENTSOF(places), PROGRAM);
        return local_run(argv, json, timeout_usec, e);
}
