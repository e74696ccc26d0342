/* The child belongs to nobody: it ends by itself, or with its pipe, or with us. The loop reaps it. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "aggregator/relay.h"
#include "base/log.h"
#include "base/mono.h"

#define STALL_USEC (70 * USEC_PER_SEC) /* a little longer than the child's own: it can say more */

#define RELAY_WORDS_MAX 14u

static unsigned n_running; /* one loop, one thread */

static void drop_floating(sd_event_source *s)
{
        sd_event_source_ref(s);
        (void)sd_event_source_set_floating(s, false);
        sd_event_source_disable_unref(s);
}

static int on_exit_event(sd_event_source *s, const siginfo_t *si, _unused_ void *userdata)
{
        n_running--;
        if (si->si_code == CLD_EXITED && si->si_status != 0)
                log_debug("a relay ended with status %d", si->si_status);
        drop_floating(s);
        return 0;
}

/* By itself, but for its output: our standard error is where its words go. */
static int spawn(pid_t *ret, const char *const argv[], int output_fd)
{
        static char *const environment[] = {NULL};
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, all;
        int k;

        sigemptyset(&none);
        sigfillset(&all);
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawnattr_init(&attributes);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &all);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        k = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (k == 0)
                k = posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
        if (k == 0)
                k = posix_spawn(ret, argv[0], &actions, &attributes, (char *const *)argv,
                                environment);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
        return -k;
}

static int watch(struct loop *l, pid_t pid)
{
        sd_event_source *s = NULL;
        int k = sd_event_add_child(loop_event(l), &s, pid, WEXITED, on_exit_event, NULL);

        if (k >= 0)
                k = sd_event_source_set_floating(s, true);
        if (k < 0) { /* nobody would see it end */
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
        }
        sd_event_source_unref(s);
        return k < 0 ? k : 0;
}

static int run(struct loop *l, const char *program, const struct relay_request *q, int output_fd)
{
        char from[24], n_bytes[24];
        const char *argv[RELAY_WORDS_MAX] = {program, "--relay", q->url, "--from",
                                             from,    "--bytes", n_bytes};
        size_t n = 7;
        pid_t pid = 0;
        int k;

        (void)snprintf(from, sizeof(from), "%" PRIu64, q->from);
        (void)snprintf(n_bytes, sizeof(n_bytes), "%" PRIu64, q->n);
        if (q->ca_file) {
                argv[n++] = "--ca";
                argv[n++] = q->ca_file;
                argv[n++] = "--cert";
                argv[n++] = q->cert_file;
                argv[n++] = "--key";
                argv[n++] = q->key_file;
        }
        argv[n] = NULL;
        k = spawn(&pid, argv, output_fd);
        if (k >= 0)
                k = watch(l, pid);
        if (k >= 0)
                n_running++;
        return k;
}

int relay_start(struct stream **ret, struct loop *l, const char *program,
                const struct relay_request *q, struct err *e)
{
        _cleanup_(closep) int reading = -1, writing = -1;
        int fds[2], k = 0;

        if (n_running >= RELAYS_MAX)
                return err_set(e, -EBUSY, "%u files of other masters are on their way already",
                               n_running);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return err_set(e, -errno, "no pipe: %s", strerror(errno));
        reading = fds[0];
        writing = fds[1];
        if (q->n)
                k = run(l, program, q, writing);
        if (k >= 0)
                k = stream_new(ret, TAKE_FD(reading), q->n, STALL_USEC, 0, NULL, NULL);
        return k < 0 ? err_set(e, k, "%s: %s", program, strerror(-k)) : 0;
}
