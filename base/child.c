/*
 * Children. Two things must end before we say so: the process, and the pipe (a grandchild may hold
 * it). The deadline is the answer to either of them not ending.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/mono.h"

#define READ_BYTES (64u * 1024u)

extern char **environ;

struct child {
        pid_t pid; /* 0 once it is reaped */
        pid_t group;
        int output_fd;
        sd_event *event; /* borrowed */
        sd_event_source *output_source, *exit_source;
        struct loop_timer *deadline;
        struct buf output;
        size_t max_bytes;
        struct child_result result;
        child_done_fn done;
        void *userdata;
};

static void kill_group(struct child *c)
{
        if (c->group > 0)
                (void)kill(-c->group, SIGKILL);
}

static void close_output(struct child *c)
{
        c->output_source = sd_event_source_disable_unref(c->output_source);
        closep(&c->output_fd);
        c->output_fd = -1;
}

static void finish_if_ended(struct child *c)
{
        if (c->pid || c->output_fd >= 0)
                return;
        loop_timer_stop(c->deadline);
        c->result.output = buf_cstr(&c->output);
        c->result.n_output = c->output.error ? 0 : c->output.n;
        c->done(&c->result, c->userdata); /* may free c */
}

static void trim(struct child *c)
{
        if (c->output.n > c->max_bytes) {
                buf_drop_front(&c->output, c->output.n - c->max_bytes);
                c->result.truncated = true;
        }
}

/* Keeps the newest; trims now and then only, so that a flood is not moved byte by byte. */
static void keep(struct child *c, const char *data, size_t n)
{
        buf_append(&c->output, data, n);
        if (c->output.n > 2 * c->max_bytes)
                trim(c);
}

static int on_output(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata)
{
        static char data[READ_BYTES]; /* one loop, one thread */
        struct child *c = userdata;
        ssize_t n = read(fd, data, sizeof(data));

        if (n > 0) {
                keep(c, data, (size_t)n);
                return 0;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        trim(c);
        close_output(c);
        finish_if_ended(c);
        return 0;
}

static int on_exit_event(_unused_ sd_event_source *s, const siginfo_t *si, void *userdata)
{
        struct child *c = userdata;

        c->pid = 0;
        c->result.exit_status = si->si_code == CLD_EXITED ? si->si_status : -1;
        c->result.signal = si->si_code == CLD_EXITED ? 0 : si->si_status;
        finish_if_ended(c);
        return 0;
}

/* A handler all the same: sd-event's default one would end the loop. */
static int on_orphan_exit(_unused_ sd_event_source *s, _unused_ const siginfo_t *si,
                          _unused_ void *userdata)
{
        return 0;
}

/*
 * A process that waits for a dead disk does not even die: nobody waits for it here. The loop reaps it
 * whenever it can.
 */
static void abandon(struct child *c)
{
        c->exit_source = sd_event_source_disable_unref(c->exit_source); /* one source for a pid */
        if (!c->pid)
                return;
        kill_group(c);
        if (sd_event_add_child(c->event, NULL, c->pid, WEXITED, on_orphan_exit, NULL) < 0)
                (void)waitpid(c->pid, NULL, WNOHANG);
        c->pid = 0;
}

static void on_deadline(void *userdata)
{
        struct child *c = userdata;

        c->result.timed_out = true;
        if (c->pid)
                c->result.exit_status = -1;
        kill_group(c); /* also whoever holds the pipe after the command itself has ended */
        abandon(c);
        if (c->output_fd >= 0) {
                trim(c);
                close_output(c);
        }
        finish_if_ended(c);
}

static int spawn(struct child *c, const char *const argv[], int write_fd)
{
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        sigset_t none, all;
        int k;

        sigemptyset(&none);
        sigfillset(&all);
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attr);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&files, write_fd, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&files, write_fd, STDERR_FILENO);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setpgroup(&attr, 0);
        posix_spawnattr_setsigmask(&attr, &none);
        posix_spawnattr_setsigdefault(&attr, &all);
        k = posix_spawnp(&c->pid, argv[0], &files, &attr, (char *const *)argv, environ);
        posix_spawnattr_destroy(&attr);
        posix_spawn_file_actions_destroy(&files);
        if (k != 0)
                c->pid = 0;
        c->group = c->pid;
        return -k;
}

static int watch(struct child *c, struct loop *l, uint64_t timeout_usec)
{
        int k;

        k = sd_event_add_io(loop_event(l), &c->output_source, c->output_fd, EPOLLIN, on_output, c);
        if (k >= 0)
                k = sd_event_add_child(loop_event(l), &c->exit_source, c->pid, WEXITED,
                                       on_exit_event, c);
        if (k >= 0)
                k = loop_timer_new(&c->deadline, l, on_deadline, c);
        if (k >= 0)
                loop_timer_set(c->deadline, usec_add(now_mono_usec(), timeout_usec), 0);
        return k;
}

int child_start(struct child **ret, struct loop *l, const char *const argv[], uint64_t timeout_usec,
                size_t max_bytes, child_done_fn done, void *userdata, struct err *e)
{
        _cleanup_(child_freep) struct child *c = calloc(1, sizeof(*c));
        int fds[2], k;

        if (!c)
                return err_set(e, -ENOMEM, "%s: out of memory", argv[0]);
        *c = (struct child){.output_fd = -1,
                            .event = loop_event(l),
                            .max_bytes = max_bytes,
                            .done = done,
                            .userdata = userdata};
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return err_set(e, -errno, "%s: cannot make a pipe: %s", argv[0], strerror(errno));
        c->output_fd = fds[0];
        /* Non-blocking is ours alone: it is a property of the open file, and the child's end is another. */
        (void)fcntl(fds[1], F_SETFL, 0);
        k = spawn(c, argv, fds[1]);
        close(fds[1]);
        if (k < 0)
                return err_set(e, k, "cannot run %s: %s", argv[0], strerror(-k));
        k = watch(c, l, timeout_usec);
        if (k < 0)
                return err_set(e, k, "cannot watch %s: %s", argv[0], strerror(-k));
        *ret = TAKE_PTR(c);
        return 0;
}

struct child *child_free(struct child *c)
{
        if (!c)
                return NULL;
        abandon(c);
        close_output(c);
        loop_timer_free(c->deadline);
        buf_done(&c->output);
        free(c);
        return NULL;
}
