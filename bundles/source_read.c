/*
 * A process for each source. Two pipes come out of it: the bytes, and at its end what it has to say about them; a
 * command has become another program by then, and its exit status says it. We read until the bytes end, or the
 * process does, or its time is over, or nobody wants it any more; then its group is killed, whatever is left of
 * it, and its corpse waited for, but not for ever. Who has left the group becomes a child of ours when its parents
 * have ended, if we are a subreaper, as the collector is; then it is killed as well.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/archive.h"
#include "bundles/plan.h"
#include "bundles/source_child.h"

#define PIPE_BYTES  (1 << 20)
#define CHUNK       (256u * 1024u)
#define CORPSE_USEC (1 * USEC_PER_SEC)
#define STRAY_USEC  (100 * USEC_PER_MSEC)
#define GLANCE_MSEC 50 /* between looks at a process that cannot be polled: before Linux 5.3 */
#define DATA_FD     3  /* in the child */
#define STATUS_FD   4
#define FDS_MAX     65536

typedef void (*child_fn)(struct source_child *w);

struct reading {
        struct reading *outer; /* of a glob, while its files are read */
        const struct source *s;
        const struct source_context *c;
        pid_t pid;
        int data_fd, status_fd, pid_fd;
        bool exited; /* but not reaped */
        bool cut;    /* there was more than max_bytes */
        uint64_t n_left;
        uint64_t deadline_mono_usec; /* its own; moved while the sink keeps us waiting */
        char *chunk;
};

static struct reading *innermost; /* whose children are to live */

/* --- in the child ---------------------------------------------------------------------------------------- */

int source_child_write(const struct source_child *w, const void *data, size_t n)
{
        const char *p = data;

        while (n > 0) {
                ssize_t k = write(w->fd, p, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                p += k;
                n -= (size_t)k;
        }
        return 0;
}

int source_child_fail(struct source_child *w, int code, const char *fmt, ...)
{
        va_list ap;

        w->outcome.error = code;
        va_start(ap, fmt);
        (void)vsnprintf(w->outcome.text, sizeof(w->outcome.text), fmt, ap);
        va_end(ap);
        return code;
}

/* An abbreviation stays what it is. */
const char *source_why(int code, char text[static SOURCE_WHY_MAX])
{
        (void)snprintf(text, SOURCE_WHY_MAX, "%s", strerror(-code));
        if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
                text[0] |= 0x20;
        return text;
}

static int keep_only(int data_fd, int status_fd)
{
        int null_fd;

        data_fd = fcntl(data_fd, F_DUPFD, STATUS_FD + 1);
        status_fd = fcntl(status_fd, F_DUPFD, STATUS_FD + 1);
        if (data_fd < 0 || status_fd < 0 || dup2(data_fd, DATA_FD) < 0 ||
            dup3(status_fd, STATUS_FD, O_CLOEXEC) < 0)
                return -errno;
        (void)fcntl(DATA_FD, F_SETFD, FD_CLOEXEC);
        null_fd = open("/dev/null", O_RDWR);
        if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
                return -errno;
        if (syscall(SYS_close_range, STATUS_FD + 1, ~0u, 0) < 0)
                for (int fd = STATUS_FD + 1; fd < FDS_MAX; fd++)
                        (void)close(fd);
        return 0;
}

/*
 * Who hangs in a file system cannot be killed, and is left behind. A pipe of our caller's that it held would have
 * no end: not for ssh(1), which waits for that.
 */
static void let_go_of_caller(enum source_way way)
{
        struct stat st;

        if ((way == SOURCE_WAY_FILE || way == SOURCE_WAY_JOURNAL) &&
            fstat(STDERR_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
                (void)dup2(STDOUT_FILENO, STDERR_FILENO);
}

static void default_signals(void)
{
        const struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int signo = 1; signo < NSIG; signo++)
                (void)sigaction(signo, &by_default, NULL); /* those that cannot be set, are */
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
be_child(child_fn fn, struct source_child *w, pid_t parent, int data_fd, int status_fd)
{
        int k;

        default_signals();
        (void)setpgid(0, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        k = keep_only(data_fd, status_fd);
        if (k < 0 || chdir("/") < 0 || getppid() != parent)
                _exit(127);
        let_go_of_caller(w->s->way);
        w->fd = DATA_FD;
        fn(w);
        k = (int)write(STATUS_FD, &w->outcome, sizeof(w->outcome));
        _exit(k == (int)sizeof(w->outcome) ? 0 : 127);
}

/* --- starting it, and ending it ----------------------------------------------------------------------------- */

static int make_pipe(int *ret_read_fd, int *ret_write_fd)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        *ret_read_fd = fds[0];
        *ret_write_fd = fds[1];
        return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int start(struct reading *r, child_fn fn, const char *path)
{
        struct source_child w = {.s = r->s, .c = r->c, .path = path};
        _cleanup_(closep) int data_fd = -1, status_fd = -1;
        pid_t parent = getpid();
        int k = make_pipe(&r->data_fd, &data_fd);

        if (k >= 0)
                k = make_pipe(&r->status_fd, &status_fd);
        if (k < 0)
                return k;
        (void)fcntl(data_fd, F_SETPIPE_SZ, PIPE_BYTES); /* fewer wake-ups; not everybody may */
        r->pid = fork();
        if (r->pid == 0)
                be_child(fn, &w, parent, data_fd, status_fd);
        if (r->pid < 0)
                return -errno;
        r->outer = innermost;
        innermost = r;
        (void)setpgid(r->pid, r->pid); /* who comes first; the other one's may fail */
        r->pid_fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
        return 0;
}

static bool is_read(pid_t pid)
{
        const struct reading *r = innermost;

        while (r && r->pid != pid)
                r = r->outer;
        return r != NULL;
}

/* Each that dies may leave us others. Return: how many there were. */
static size_t kill_strays(void)
{
        char path[64], text[4096];
        char *end = text;
        size_t n_strays = 0;
        ssize_t n;
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        closep(&fd);
        text[n > 0 ? n : 0] = '\0';
        for (char *p = text; *p; p = end) {
                pid_t pid = (pid_t)strtol(p, &end, 10);

                if (*end != ' ') /* cut: the next time */
                        break;
                end++;
                if (is_read(pid))
                        continue;
                n_strays++;
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, WNOHANG);
        }
        return n_strays;
}

/* Whoever is no subreaper may have children that we know nothing of. */
static void end_strays(void)
{
        uint64_t deadline = now_mono_usec() + STRAY_USEC;
        int adopts = 0;

        if (prctl(PR_GET_CHILD_SUBREAPER, &adopts) < 0 || !adopts)
                return;
        while (kill_strays() > 0 && now_mono_usec() < deadline)
                (void)poll(NULL, 0, 1);
}

/* Zero, or the status as waitpid(2) has it, or -1: it cannot be killed, and is somebody else's now. */
static int bury(struct reading *r)
{
        uint64_t deadline = now_mono_usec() + CORPSE_USEC;
        int status = -1;
        pid_t k;

        (void)kill(-r->pid, SIGKILL);
        (void)kill(r->pid, SIGKILL); /* before it had its group */
        while ((k = waitpid(r->pid, &status, WNOHANG)) == 0 && now_mono_usec() < deadline) {
                struct pollfd p = {.fd = r->pid_fd, .events = POLLIN};

                (void)poll(&p, 1, r->pid_fd >= 0 ? GLANCE_MSEC : 1);
        }
        r->pid = 0;
        end_strays();
        return k > 0 ? status : -1;
}

static void reading_done(struct reading *r)
{
        if (r->pid > 0)
                (void)bury(r);
        if (innermost == r)
                innermost = r->outer;
        closep(&r->data_fd);
        closep(&r->status_fd);
        closep(&r->pid_fd);
        free(r->chunk);
}

/* --- the bytes ------------------------------------------------------------------------------------------------ */

enum pumped { PUMP_ENDED = 1, PUMP_LATE, PUMP_CANCELLED };

/* Return: > 0: so many came; 0: none, for now; -ENODATA: the end; or what the sink said. */
static int take(struct reading *r, source_sink_fn sink, void *userdata)
{
        ssize_t n = read(r->data_fd, r->chunk, CHUNK);
        uint64_t before;
        int k;

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -ENODATA;
        if (n == 0)
                return -ENODATA;
        if ((uint64_t)n > r->n_left) {
                n = (ssize_t)r->n_left;
                r->cut = true;
        }
        r->n_left -= (uint64_t)n;
        if (n == 0)
                return -ENODATA;
        before = now_mono_usec();
        k = sink(r->chunk, (size_t)n, userdata);
        r->deadline_mono_usec =
                usec_add(r->deadline_mono_usec, usec_since(now_mono_usec(), before));
        return k < 0 ? k : r->cut ? -ENODATA : 1;
}

static void look_whether_it_ended(struct reading *r)
{
        siginfo_t si = {0};

        if (waitid(P_PID, (id_t)r->pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid != 0) {
                r->exited = true;
                (void)kill(-r->pid, SIGKILL); /* whom it has left behind */
        }
}

static uint64_t next_deadline(const struct reading *r)
{
        uint64_t of_all = r->c->deadline_mono_usec ? r->c->deadline_mono_usec : USEC_INFINITY;

        return of_all < r->deadline_mono_usec ? of_all : r->deadline_mono_usec;
}

/* Until something happens, or it is time. Return: 0, or an enum pumped. */
static int wait_for_it(struct reading *r)
{
        struct pollfd p[] = {
                {.fd = r->data_fd,      .events = POLLIN            },
                {.fd = r->pid_fd,       .events = POLLIN            },
                {.fd = r->c->cancel_fd, .events = POLLIN | POLLRDHUP},
        };
        uint64_t now = now_mono_usec(), until = next_deadline(r);
        uint64_t msec;

        if (now >= until)
                return PUMP_LATE;
        msec = (until - now) / USEC_PER_MSEC + 1;
        if (r->pid_fd < 0 && msec > GLANCE_MSEC)
                msec = GLANCE_MSEC;
        if (poll(p, ELEMENTSOF(p),
                 r->exited      ? 0
                 : msec > 60000 ? 60000
                                : (int)msec) < 0 &&
            errno != EINTR)
                return PUMP_LATE;
        if (p[2].revents)
                return PUMP_CANCELLED;
        if (!r->exited && (p[1].revents || r->pid_fd < 0))
                look_whether_it_ended(r);
        return 0;
}

/* What it wrote before it ended is in the pipe by then: nobody who still holds the other end is waited for. */
static int pump(struct reading *r, source_sink_fn sink, void *userdata)
{
        for (;;) {
                bool exited = r->exited;
                int k;

                if (r->data_fd >= 0) {
                        k = take(r, sink, userdata);
                        if (k == -ENODATA) {
                                closep(&r->data_fd);
                                r->data_fd = -1;
                                if (r->cut)
                                        return PUMP_ENDED;
                        } else if (k < 0) {
                                return k;
                        } else if (k == 0 && exited) {
                                return PUMP_ENDED;
                        }
                } else if (exited) {
                        return PUMP_ENDED;
                }
                k = wait_for_it(r);
                if (k != 0)
                        return k;
        }
}

/* --- what came of it ------------------------------------------------------------------------------------------ */

static int fail(struct source_outcome *o, int code, const char *fmt, ...) _printf_(3, 4);

static int fail(struct source_outcome *o, int code, const char *fmt, ...)
{
        va_list ap;

        o->error = code;
        va_start(ap, fmt);
        (void)vsnprintf(o->text, sizeof(o->text), fmt, ap);
        va_end(ap);
        return code;
}

/* As Go says it: "signal: killed". */
static void judge_signal(struct source_outcome *o, int signo)
{
        char text[64];

        (void)snprintf(text, sizeof(text), "%s", strsignal(signo));
        for (char *p = text; *p; p++)
                if (*p >= 'A' && *p <= 'Z')
                        *p |= 0x20;
        (void)fail(o, -EIO, "signal: %s", text);
}

static void judge_exit(struct source_outcome *o, int status)
{
        if (status == -1)
                (void)fail(o, -EBUSY, "it cannot be killed, and was left behind");
        else if (WIFSIGNALED(status))
                judge_signal(o, WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
                (void)fail(o, -EIO, "exit status %d", WEXITSTATUS(status));
}

/* What it says is as hostile as what it reads. */
static bool hear(struct reading *r, struct source_outcome *o)
{
        struct source_outcome said;

        if (read(r->status_fd, &said, sizeof(said)) != sizeof(said))
                return false;
        said.text[sizeof(said.text) - 1] = '\0';
        for (char *p = said.text; *p; p++)
                if ((unsigned char)*p < ' ' || *p == 0x7f)
                        *p = '?';
        o->error = said.error > 0 ? -said.error : said.error;
        memcpy(o->text, said.text, sizeof(o->text));
        o->truncated = said.truncated;
        return true;
}

static void judge_late(const struct reading *r, struct source_outcome *o)
{
        o->truncated = true;
        o->interrupted = next_deadline(r) != r->deadline_mono_usec;
        if (o->interrupted)
                (void)fail(o, -ETIMEDOUT,
                           "the time of the whole collection was over, it was killed");
        else
                (void)fail(o, -ETIMEDOUT, "did not end within %.4g s, it was killed",
                           (double)r->s->timeout_usec / (double)USEC_PER_SEC);
}

static void judge(struct reading *r, int pumped, struct source_outcome *o)
{
        int status;

        if (pumped == PUMP_ENDED && !r->exited && !r->cut)
                look_whether_it_ended(r);
        status = bury(r);
        if (pumped == PUMP_LATE) {
                judge_late(r, o);
        } else if (pumped == PUMP_CANCELLED) {
                o->truncated = o->interrupted = true;
                (void)fail(o, -ECANCELED, "nobody wants it any more, it was killed");
        } else if (!hear(r, o) && !r->cut) {
                judge_exit(o, status);
        }
        o->truncated |= r->cut;
}

static int run(const struct source *s, const char *path, child_fn fn,
               const struct source_context *c, source_sink_fn sink, void *userdata,
               struct source_outcome *ret)
{
        uint64_t started = now_mono_usec();
        _cleanup_(reading_done) struct reading r = {
                .s = s,
                .c = c,
                .data_fd = -1,
                .status_fd = -1,
                .pid_fd = -1,
                .n_left = s->max_bytes,
                .deadline_mono_usec = usec_add(started, s->timeout_usec),
                .chunk = malloc(CHUNK),
        };
        int k = r.chunk ? start(&r, fn, path) : -ENOMEM;

        *ret = (struct source_outcome){0};
        if (k < 0) {
                (void)fail(ret, k, "cannot start a process: %s", strerror(-k));
                return 0;
        }
        k = pump(&r, sink, userdata);
        if (k > 0)
                judge(&r, k, ret);
        ret->took_usec = usec_since(now_mono_usec(), started);
        return k > 0 ? 0 : k;
}

int source_read(const struct source *s, const char *path, const struct source_context *c,
                source_sink_fn sink, void *userdata, struct source_outcome *ret)
{
        static const child_fn ways[] = {
                [SOURCE_WAY_JOURNAL] = source_read_journal, [SOURCE_WAY_FILE] = source_read_file,
                [SOURCE_WAY_COMMAND] = source_read_command, [SOURCE_WAY_HTTP] = source_read_http,
                [SOURCE_WAY_HEALTH] = source_read_health,
        };

        return run(s, path, ways[s->way], c, sink, userdata, ret);
}

/* --- entries -------------------------------------------------------------------------------------------------- */

struct expansion {
        const struct source *s;
        int (*each)(const char *path, const char *name, uint64_t size, uint64_t mtime_usec,
                    void *userdata);
        void *userdata;
        struct buf in;
        size_t n_said;
};

/* Whoever writes in a directory of logs calls files as he likes; what a terminal would obey becomes '_'. */
static int name_file(char name[static ARCHIVE_PATH_MAX], const char *path)
{
        char harmless[ARCHIVE_PATH_MAX];
        size_t n = strlen(path), n_character;

        if (plan_name_of_path(name, ARCHIVE_PATH_MAX, path) == 0)
                return 0;
        if (n >= sizeof(harmless))
                return -ENAMETOOLONG;
        for (size_t i = 0; i <= n; i += n_character) {
                n_character = i < n ? utf8_harmless(path + i, n - i) : 1;
                if (n_character)
                        memcpy(harmless + i, path + i, n_character);
                else
                        harmless[i] = '_';
                n_character += !n_character;
        }
        return plan_name_of_path(name, ARCHIVE_PATH_MAX, harmless);
}

static int say_entry(struct expansion *x, const char *path, const struct source_found *found)
{
        char name[ARCHIVE_PATH_MAX];

        if (x->n_said++ >= SOURCE_GLOB_MAX)
                return -E2BIG;
        if (!x->s->name && name_file(name, path) < 0)
                return 0; /* too long for any archive */
        return x->each(path, x->s->name ? x->s->name : name, found->size, found->mtime_usec,
                       x->userdata);
}

/* The records that are whole by now. */
static int on_records(const void *data, size_t n, void *userdata)
{
        struct expansion *x = userdata;
        size_t at = 0;
        int k = 0;

        buf_append(&x->in, data, n);
        if (x->in.error)
                return x->in.error;
        while (k >= 0 && x->in.n - at >= sizeof(struct source_found)) {
                struct source_found found;
                char path[ARCHIVE_PATH_MAX];

                memcpy(&found, x->in.data + at, sizeof(found));
                if (x->in.n - at - sizeof(found) < found.n_path)
                        break;
                if (found.n_path < sizeof(path)) {
                        memcpy(path, x->in.data + at + sizeof(found), found.n_path);
                        path[found.n_path] = '\0';
                        k = say_entry(x, path, &found);
                }
                at += sizeof(found) + found.n_path;
        }
        buf_drop_front(&x->in, at);
        return k < 0 ? k : 0;
}

int source_expand(const struct source *s, const struct source_context *c,
                  int (*each)(const char *path, const char *name, uint64_t size,
                              uint64_t mtime_usec, void *userdata),
                  void *userdata, struct source_outcome *ret)
{
        struct expansion x = {.s = s, .each = each, .userdata = userdata, .in.max = 1u << 20};
        struct source all = *s;
        int k;

        *ret = (struct source_outcome){0};
        if (s->way != SOURCE_WAY_FILE)
                return each("", s->name, 0, 0, userdata);
        all.max_bytes = UINT64_MAX; /* of the list, which has limits of its own */
        k = run(&all, s->path, source_glob, c, on_records, &x, ret);
        buf_done(&x.in);
        return k;
}
