/*
 * Children. Two things must end before we say so: the process, and the pipe (a grandchild may hold
 * it). The deadline is the answer to either of them not ending, and to an execve(2) that hangs at a dead
 * disk: that is why we fork(2). posix_spawn(3) and vfork(2) would let us wait for it.
 *
 * The process id is that of the group. Until the process is reaped nobody else can get it: it is safe to
 * kill the group before, and never after. sd-event reaps it when on_exit_event() has returned.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/mono.h"

#define READ_BYTES (64u * 1024u)
#define ERROR_FD   3     /* in the new process, until it is another program */
#define FDS_MAX    65536 /* more than we ever have */

extern char **environ;

struct child {
        pid_t pid; /* its group, too; 0 once it is reaped, or not ours any more */
        int output_fd;
        int error_fd; /* says why it could not be executed, or ends without a word */
        sd_event_source *output_source, *exit_source;
        struct loop_timer *deadline;
        struct buf output;
        size_t max_bytes;
        struct child_result result;
        child_done_fn done;
        void *userdata;
};

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

/* It has ended, and nobody else has the other end: there is nothing to wait for. 0 or -errno. */
static int read_exec_error(const struct child *c)
{
        int k;

        return read(c->error_fd, &k, sizeof(k)) == sizeof(k) ? k : 0;
}

/* A source that fired once would stay, and its process id be taken. */
static void drop_floating(sd_event_source *s)
{
        sd_event_source_ref(s);
        (void)sd_event_source_set_floating(s, false);
        sd_event_source_disable_unref(s);
}

static int on_exit_event(sd_event_source *s, const siginfo_t *si, void *userdata)
{
        struct child *c = userdata;

        if (!c) {
                drop_floating(s);
                return 0;
        }
        (void)kill(-c->pid, SIGKILL); /* whom it has left behind */
        c->pid = 0;
        c->result.exec_error = read_exec_error(c);
        c->result.exit_status =
                si->si_code == CLD_EXITED && !c->result.exec_error ? si->si_status : -1;
        c->result.signal = si->si_code == CLD_EXITED ? 0 : si->si_status;
        finish_if_ended(c);
        return 0;
}

/* Killed when nothing was left to watch them by: the next one to be started looks after them. */
static pid_t orphans[64]; /* one loop, one thread */
static size_t n_orphans;

static void reap_orphans(void)
{
        for (size_t i = 0; i < n_orphans;)
                if (waitpid(orphans[i], NULL, WNOHANG) == 0)
                        i++;
                else
                        orphans[i] = orphans[--n_orphans];
}

/*
 * A process that waits for a dead disk does not even die: nobody waits for it here. The loop reaps it
 * whenever it can, by the source that it has already: a new one may not be had.
 */
static void abandon(struct child *c)
{
        if (!c->pid) {
                c->exit_source = sd_event_source_disable_unref(c->exit_source);
                return;
        }
        (void)kill(-c->pid, SIGKILL);
        if (c->exit_source) {
                sd_event_source_set_userdata(c->exit_source, NULL);
                (void)sd_event_source_set_floating(c->exit_source, true);
                c->exit_source = sd_event_source_unref(c->exit_source);
        } else {
                orphans[n_orphans++] = c->pid; /* child_start_env() saw to it that there is room */
        }
        c->pid = 0;
}

static void on_deadline(void *userdata)
{
        struct child *c = userdata;

        c->result.timed_out = true;
        if (c->pid)
                c->result.exit_status = -1;
        abandon(c);
        if (c->output_fd >= 0) {
                trim(c);
                close_output(c);
        }
        finish_if_ended(c);
}

/*
 * --- in the new process: async-signal-safe calls only, another thread may have held any lock ---------
 */

static void reset_signals(void)
{
        const struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int signo = 1; signo < NSIG; signo++)
                (void)sigaction(signo, &by_default, NULL); /* those that cannot be set, are */
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Whatever their numbers are now. Others are really closed: exec may hang, and keep a port for ever. */
static int arrange_descriptors(int output_fd, int *error_fd)
{
        int null_fd;

        output_fd = fcntl(output_fd, F_DUPFD, ERROR_FD + 1);
        if (output_fd < 0)
                return -errno;
        if (*error_fd != ERROR_FD && dup3(*error_fd, ERROR_FD, O_CLOEXEC) < 0)
                return -errno;
        *error_fd = ERROR_FD;
        null_fd = open("/dev/null", O_RDONLY);
        if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ||
            dup2(output_fd, STDERR_FILENO) < 0)
                return -errno;
        if (close_range(ERROR_FD + 1, ~0u, 0) < 0) /* before Linux 5.9 */
                for (int fd = ERROR_FD + 1; fd < FDS_MAX; fd++)
                        (void)close(fd);
        return 0;
}

/* As execvpe(3), without its shell for what is no program, and never from the working directory. -errno. */
static int execute(const char *const argv[], const char *const environment[], const char *path)
{
        size_t n_name = strlen(argv[0]), n;
        char file[PATH_MAX];
        int k = -ENOENT;

        if (strchr(argv[0], '/')) {
                execve(argv[0], (char *const *)argv, (char *const *)environment);
                return -errno;
        }
        for (; *path; path += n + (path[n] == ':')) {
                n = strcspn(path, ":");
                if (n == 0 || n + 1 + n_name >= sizeof(file))
                        continue;
                memcpy(file, path, n);
                file[n] = '/';
                memcpy(file + n + 1, argv[0], n_name + 1);
                execve(file, (char *const *)argv, (char *const *)environment);
                if (errno == EACCES)
                        k = -EACCES;
                else if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
        }
        return k;
}

static void __attribute__((noreturn))
become(const struct child *c, const char *const argv[], const char *const environment[],
       const char *path, int output_fd, int error_fd)
{
        int k;

        close(c->output_fd); /* makes room below the limit */
        close(c->error_fd);
        reset_signals();
        k = setpgid(0, 0) < 0 ? -errno : arrange_descriptors(output_fd, &error_fd);
        if (k == 0)
                k = execute(argv, environment, path);
        while (write(error_fd, &k, sizeof(k)) < 0 && errno == EINTR)
                ;
        _exit(127);
}

/* --- starting ---------------------------------------------------------------------------------------- */

/* No handler of ours may run in the new process, nor it be killed before its group is there. */
static int spawn(struct child *c, const char *const argv[], const char *const environment[],
                 int output_fd, int error_fd)
{
        const char *path = str_or(getenv("PATH"), "/usr/bin:/bin");
        sigset_t all, before;
        pid_t pid;
        int k;

        sigfillset(&all);
        k = pthread_sigmask(SIG_SETMASK, &all, &before);
        if (k != 0)
                return -k;
        pid = fork();
        if (pid == 0)
                become(c, argv, environment, path, output_fd, error_fd);
        k = pid < 0 ? -errno : 0;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (k < 0)
                return k;
        c->pid = pid;
        (void)setpgid(pid, pid); /* who comes first; the other one's may fail, the group is there */
        return 0;
}

static int make_pipe(int *ret_read_fd, int *ret_write_fd)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_read_fd = fds[0];
        *ret_write_fd = fds[1];
        /* Ours alone: it is a property of the open file, and the child's end is another. */
        return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* All that may fail, as far as it can be done before there is a process. */
static int prepare(struct child *c, struct loop *l, uint64_t timeout_usec, int *ret_output_fd,
                   int *ret_error_fd)
{
        int k;

        reap_orphans();
        if (n_orphans == ELEMENTSOF(orphans))
                return -EAGAIN;
        k = make_pipe(&c->output_fd, ret_output_fd);
        if (k >= 0)
                k = make_pipe(&c->error_fd, ret_error_fd);
        if (k >= 0)
                k = sd_event_add_io(loop_event(l), &c->output_source, c->output_fd, EPOLLIN,
                                    on_output, c);
        if (k >= 0)
                k = loop_timer_new(&c->deadline, l, on_deadline, c);
        if (k >= 0)
                loop_timer_set(c->deadline, usec_add(now_mono_usec(), timeout_usec), 0);
        return k;
}

int child_start(struct child **ret, struct loop *l, const char *const argv[], uint64_t timeout_usec,
                size_t max_bytes, child_done_fn done, void *userdata, struct err *e)
{
        return child_start_env(ret, l, argv, NULL, timeout_usec, max_bytes, done, userdata, e);
}

int child_start_env(struct child **ret, struct loop *l, const char *const argv[],
                    const char *const environment[], uint64_t timeout_usec, size_t max_bytes,
                    child_done_fn done, void *userdata, struct err *e)
{
        _cleanup_(child_freep) struct child *c = calloc(1, sizeof(*c));
        _cleanup_(closep) int output_fd = -1, error_fd = -1;
        int k;

        if (!c)
                return err_set(e, -ENOMEM, "%s: out of memory", argv[0]);
        *c = (struct child){.output_fd = -1,
                            .error_fd = -1,
                            .max_bytes = max_bytes,
                            .done = done,
                            .userdata = userdata};
        k = prepare(c, l, timeout_usec, &output_fd, &error_fd);
        if (k >= 0)
                k = spawn(c, argv, environment ? environment : (const char *const *)environ,
                          output_fd, error_fd);
        if (k >= 0)
                k = sd_event_add_child(loop_event(l), &c->exit_source, c->pid, WEXITED,
                                       on_exit_event, c);
        if (k < 0)
                return err_set(e, k, "cannot run %s: %s", argv[0], strerror(-k));
        *ret = TAKE_PTR(c);
        return 0;
}

struct child *child_free(struct child *c)
{
        if (!c)
                return NULL;
        abandon(c);
        close_output(c);
        closep(&c->error_fd);
        loop_timer_free(c->deadline);
        buf_done(&c->output);
        free(c);
        return NULL;
}
