#pragma once

/*
 * Real ZooKeeper servers for a test: each a java(1) of its own (tests/fakes/zookeeper-server), on a
 * loopback address that no other process has. They die with whoever started them.
 *
 *     zookeeper_begin()                  once, before anything else: a place for what they store
 *     zookeeper_start(), _await() …      alone, or as members of an ensemble
 *     zookeeper_end()                    in the same process as zookeeper_begin()
 */

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "aggregator/zk.h"
#include "base/cleanup.h"
#include "base/mono.h"

#define ZOOKEEPER_PATIENCE_USEC \
        (60 * USEC_PER_SEC) /* a bound, not a measure: machines can be slow */
#define ZOOKEEPER_POLL_USEC  10000
#define ZOOKEEPER_ANSWER_MAX 4096u

struct zookeeper {
        unsigned id, n_members; /* id: from 1 */
        unsigned port;
        pid_t pid; /* 0: it does not run */
        char address[16];
        char hosts[32]; /* "ADDRESS:PORT" */
        char dir[96];
};

static char zookeeper_root[64];

static inline void zookeeper_run(const char *command)
{
        int status = system(command); /* NOLINT: it is a test's own */

        assert(status == 0);
        (void)status;
}

static inline void zookeeper_begin(void)
{
        const char *made;

        (void)snprintf(zookeeper_root, sizeof(zookeeper_root), "/tmp/diag-zookeeper-XXXXXX");
        made = mkdtemp(zookeeper_root);
        assert(made);
        (void)made;
}

static inline void zookeeper_end(void)
{
        char command[128];

        (void)snprintf(command, sizeof(command), "rm -rf '%s'", zookeeper_root);
        zookeeper_run(command);
}

/* Members of one ensemble have one address, and ports of their own. Pids have 22 bits. */
static inline void zookeeper_init(struct zookeeper *z, unsigned id, unsigned n_members)
{
        unsigned pid = (unsigned)getpid();
        char command[160];

        *z = (struct zookeeper){.id = id, .n_members = n_members, .port = 2180 + id};
        (void)snprintf(z->address, sizeof(z->address), "127.%u.%u.%u", 64 + (pid >> 16 & 63),
                       pid >> 8 & 255, pid & 255);
        (void)snprintf(z->hosts, sizeof(z->hosts), "%s:%u", z->address, z->port);
        (void)snprintf(z->dir, sizeof(z->dir), "%s/%u-%u", zookeeper_root, pid, id);
        (void)snprintf(command, sizeof(command), "mkdir -p '%s'", z->dir);
        zookeeper_run(command);
}

static inline void zookeeper_exec(const struct zookeeper *z)
{
        char port[16], id[16], servers[3][64];
        const char *argv[] = {"tests/fakes/zookeeper-server",
                              z->dir,
                              z->address,
                              port,
                              z->n_members > 1 ? id : NULL,
                              servers[0],
                              servers[1],
                              servers[2],
                              NULL};
        sigset_t none;

        (void)snprintf(port, sizeof(port), "%u", z->port);
        (void)snprintf(id, sizeof(id), "%u", z->id);
        for (unsigned i = 0; i < 3; i++)
                (void)snprintf(servers[i], sizeof(servers[i]), "%s:%u:%u", z->address, 2890 + i,
                               3890 + i);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)setpgid(0, 0);
        (void)execv(argv[0], (char *const *)argv);
        _exit(127);
}

/** zookeeper_start() - with what it stored before. One or three members. */
static inline void zookeeper_start(struct zookeeper *z)
{
        z->pid = fork();
        assert(z->pid >= 0);
        if (z->pid == 0)
                zookeeper_exec(z);
}

/** zookeeper_ask() - one of its four-letter words; what it answered, "" if it did not. */
static inline void zookeeper_ask(const struct zookeeper *z, const char *word,
                                 char ret[static ZOOKEEPER_ANSWER_MAX])
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)z->port)};
        struct timeval patience = {.tv_sec = 2};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        size_t n = 0;
        ssize_t k;

        (void)inet_pton(AF_INET, z->address, &sa.sin_addr);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 &&
            send(fd, word, strlen(word), MSG_NOSIGNAL) > 0)
                while (n + 1 < ZOOKEEPER_ANSWER_MAX &&
                       (k = recv(fd, ret + n, ZOOKEEPER_ANSWER_MAX - 1 - n, 0)) > 0)
                        n += (size_t)k;
        ret[n] = '\0';
        close(fd);
}

/** zookeeper_await() - until it serves: of an ensemble most must run. */
static inline void zookeeper_await(const struct zookeeper *z)
{
        uint64_t end = now_mono_usec() + ZOOKEEPER_PATIENCE_USEC;
        char answer[ZOOKEEPER_ANSWER_MAX];

        do {
                zookeeper_ask(z, "srvr", answer);
                if (strstr(answer, "Mode: "))
                        return;
                (void)usleep(ZOOKEEPER_POLL_USEC);
        } while (now_mono_usec() < end);
        assert(!"ZooKeeper does not serve");
}

static inline void zookeeper_signal(const struct zookeeper *z, int signo)
{
        (void)kill(z->pid, signo);
}

static inline bool zookeeper_thread_is_stopped(const struct zookeeper *z, const char *tid)
{
        char path[64], stat[256] = "";
        const char *end;
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int)z->pid, tid);
        f = fopen(path, "re");
        if (!f)
                return true; /* it has ended */
        (void)!fgets(stat, sizeof(stat), f);
        (void)fclose(f);
        end = strrchr(stat, ')');
        return end && end[2] == 'T';
}

static inline bool zookeeper_is_stopped(const struct zookeeper *z)
{
        bool stopped = true;
        const struct dirent *d;
        char path[64];
        DIR *tasks;

        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)z->pid);
        tasks = opendir(path);
        assert(tasks);
        while ((d = readdir(tasks)))
                if (*d->d_name != '.')
                        stopped = zookeeper_thread_is_stopped(z, d->d_name) && stopped;
        (void)closedir(tasks);
        return stopped;
}

/** zookeeper_freeze() - until zookeeper_thaw(); when this returns, none of its threads runs any more. */
static inline void zookeeper_freeze(const struct zookeeper *z)
{
        zookeeper_signal(z, SIGSTOP);
        while (!zookeeper_is_stopped(z))
                (void)usleep(ZOOKEEPER_POLL_USEC);
}

static inline void zookeeper_thaw(const struct zookeeper *z)
{
        zookeeper_signal(z, SIGCONT);
}

/** zookeeper_kill() - at once, as a power failure would. */
static inline void zookeeper_kill(struct zookeeper *z)
{
        if (z->pid <= 0)
                return;
        zookeeper_signal(z, SIGKILL);
        (void)waitpid(z->pid, NULL, 0);
        z->pid = 0;
}

/** zookeeper_wipe() - what it stored is gone. It must not run. */
static inline void zookeeper_wipe(const struct zookeeper *z)
{
        char command[160];

        (void)snprintf(command, sizeof(command), "rm -rf '%s/data/version-2'", z->dir);
        zookeeper_run(command);
}

/** zookeeper_visit() - a session of the test's own; with a @secret what it makes is ours, else open. */
static inline struct zk *zookeeper_visit(const struct zookeeper *z, const char *secret)
{
        const struct zk_conf conf = {
                .hosts = z->hosts, .secret = secret, .session_usec = 10 * USEC_PER_SEC};
        uint64_t end = now_mono_usec() + ZOOKEEPER_PATIENCE_USEC;
        struct zk *visitor;
        int k = zk_new(&visitor);

        assert(k == 0);
        k = zk_open(visitor, &conf, NULL);
        assert(k == 0);
        (void)k;
        while (zk_wait(visitor, end).session != ZK_SESSION_CONNECTED)
                assert(now_mono_usec() < end);
        return visitor;
}

/** zookeeper_make() - one znode. zookeeper_made() - "" if it is not there. */
static inline int zookeeper_make(struct zk *visitor, const char *path, const char *data)
{
        const struct zk_op op = {
                .kind = ZK_OP_CREATE, .path = path, .data = data, .n_data = strlen(data)};

        return zk_commit(visitor, &op, 1);
}

static inline int zookeeper_delete(struct zk *visitor, const char *path)
{
        const struct zk_op op = {.kind = ZK_OP_DELETE, .path = path, .version = -1};

        return zk_commit(visitor, &op, 1);
}

/** zookeeper_read() - its data, free(); NULL if it is not there, or not for us. */
static inline char *zookeeper_read(struct zk *visitor, const char *path)
{
        char *text = NULL;
        size_t n;

        return zk_get(visitor, path, ZK_NO_WATCH, &text, &n, NULL) == 0 ? text : NULL;
}
