/*
 * What does it cost to keep a question open at each of many machines? Needs no node:
 *
 *     parked_polls [N]...
 *
 * For each N (100, 1000, 10000): rounds of plain questions to N addresses of 127.0.0.0/8, cold and over
 * kept connections; then a poll parked at each, ten seconds of silence, and all answered together. A
 * forked child plays all the machines. The figures are of the asking process alone, but the child shares
 * its cores.
 */

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mono.h"
#include "net/fetch.h"

#define N_SHARDS      32u
#define N_AT_ONCE     512u
#define N_MAX         15000ul
#define BODY_BYTES    10240u
#define REPLY_MAX     (BODY_BYTES + 256u)
#define TIMEOUT_USEC  (60 * USEC_PER_SEC)
#define SILENCE_USEC  (10 * USEC_PER_SEC)
#define FILES_SPARE   100u
#define HOSTS_PER_NET 250u
#define BACKLOG       4096
#define EVENTS_MAX    256
#define URL_MAX       64u
#define REQUEST_MAX   4096u

static void must(bool ok, const char *what)
{
        if (ok)
                return;
        perror(what);
        exit(1);
}

/* --- the machines --------------------------------------------------------------------------------- */

struct machines {
        int listen_fd, control_fd, epoll_fd;
        unsigned long n, n_parked;
        int *parked;
        char reply[REPLY_MAX];
        size_t n_reply;
};

static void watch(const struct machines *m, int fd)
{
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

        must(epoll_ctl(m->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void reply(const struct machines *m, int fd)
{
        must(send(fd, m->reply, m->n_reply, MSG_NOSIGNAL) == (ssize_t)m->n_reply, "send");
}

static void take_clients(const struct machines *m)
{
        int fd;

        while ((fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
                watch(m, fd);
}

static void take_request(struct machines *m, int fd)
{
        char request[REQUEST_MAX];
        ssize_t n = recv(fd, request, sizeof(request), 0);

        if (n <= 0) {
                close(fd);
        } else if (memcmp(request, "GET /park", strlen("GET /park")) != 0) {
                reply(m, fd);
        } else {
                m->parked[m->n_parked++] = fd;
                if (m->n_parked == m->n)
                        must(write(m->control_fd, "p", 1) == 1, "write");
        }
}

static void take_command(struct machines *m)
{
        char command;

        if (read(m->control_fd, &command, 1) != 1)
                exit(0);
        for (; m->n_parked; m->n_parked--)
                reply(m, m->parked[m->n_parked - 1]);
}

static void machines_run(struct machines *m)
{
        struct epoll_event events[EVENTS_MAX];

        m->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        m->parked = calloc(m->n, sizeof(*m->parked));
        must(m->epoll_fd >= 0 && m->parked, "epoll_create1");
        m->n_reply = (size_t)snprintf(m->reply, sizeof(m->reply),
                                      "HTTP/1.1 200 OK\r\nContent-Length: %u\r\nETag: \"a\"\r\n"
                                      "\r\n%*s",
                                      BODY_BYTES, (int)BODY_BYTES, "");
        watch(m, m->listen_fd);
        watch(m, m->control_fd);
        for (;;) {
                int n = epoll_wait(m->epoll_fd, events, EVENTS_MAX, -1);

                for (int i = 0; i < n; i++)
                        if (events[i].data.fd == m->listen_fd)
                                take_clients(m);
                        else if (events[i].data.fd == m->control_fd)
                                take_command(m);
                        else
                                take_request(m, events[i].data.fd);
        }
}

/* All addresses of the loopback device, and no other. */
static int listen_everywhere(unsigned *ret_port)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t n = sizeof(sa);

        must(fd >= 0, "socket");
        must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0, "SO_BINDTODEVICE");
        must(bind(fd, (struct sockaddr *)&sa, n) == 0 && listen(fd, BACKLOG) == 0, "bind");
        must(getsockname(fd, (struct sockaddr *)&sa, &n) == 0, "getsockname");
        *ret_port = ntohs(sa.sin_port);
        return fd;
}

/* --- who asks them -------------------------------------------------------------------------------- */

struct asker {
        struct loop *loop;
        struct fetcher *fetcher;
        struct fetch **fetches;
        const char *path;
        unsigned long n, n_begun, n_ended, n_at_once;
        unsigned port;
        int control_fd;
};

/* Since when, and of what. */
struct stopwatch {
        uint64_t mono_usec, cpu_usec, longest_turn_usec;
};

static uint64_t cpu_usec(void)
{
        struct rusage r;

        must(getrusage(RUSAGE_SELF, &r) == 0, "getrusage");
        return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * USEC_PER_SEC +
               (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static struct stopwatch stopwatch_start(void)
{
        return (struct stopwatch){.mono_usec = now_mono_usec(), .cpu_usec = cpu_usec()};
}

static void stopwatch_print(const struct stopwatch *w, const char *title)
{
        printf("    %-28s %6.0f ms wall %6.0f ms CPU   longest turn %5.1f ms\n", title,
               (double)(now_mono_usec() - w->mono_usec) / 1e3,
               (double)(cpu_usec() - w->cpu_usec) / 1e3, (double)w->longest_turn_usec / 1e3);
        (void)fflush(stdout);
}

static unsigned long rss_anon_kib(void)
{
        unsigned long kib = 0;
        FILE *f = fopen("/proc/self/status", "re");
        char line[256];

        must(f != NULL, "/proc/self/status");
        while (fgets(line, sizeof(line), f))
                if (sscanf(line, "RssAnon: %lu", &kib) == 1)
                        break;
        (void)fclose(f);
        return kib;
}

static void begin_next(struct asker *a);

static void on_done(const struct fetch_result *r, void *userdata)
{
        struct asker *a = userdata;

        if (r->error || r->n_body != BODY_BYTES) {
                (void)fprintf(stderr, "%s: %s\n", a->path, r->error ? r->text : "short");
                exit(1);
        }
        a->n_ended++;
        begin_next(a);
}

static void begin_next(struct asker *a)
{
        static const char *const headers[] = {"If-None-Match: \"a\"", "Prefer: wait=60", NULL};
        static const char *const wanted[] = {"ETag", "Preference-Applied", NULL};
        unsigned long i = a->n_begun;
        char url[URL_MAX];
        struct fetch_request q = {
                .url = url,
                .headers = headers,
                .wanted_headers = wanted,
                .timeout_usec = TIMEOUT_USEC,
                .max_bytes = BODY_BYTES,
        };
        struct err e = {0};

        if (i == a->n)
                return;
        a->n_begun++;
        (void)snprintf(url, sizeof(url), "http://127.1.%lu.%lu:%u%s", i / HOSTS_PER_NET,
                       i % HOSTS_PER_NET + 1, a->port, a->path);
        if (fetch_start(&a->fetches[i], a->fetcher, &q, on_done, a, &e) < 0) {
                (void)fprintf(stderr, "%s\n", e.text);
                exit(1);
        }
}

static void turn(struct asker *a, struct stopwatch *w, uint64_t wait_usec)
{
        uint64_t began, took;
        int k = sd_event_prepare(loop_event(a->loop));

        if (k == 0)
                k = sd_event_wait(loop_event(a->loop), wait_usec);
        must(k >= 0, "sd_event_wait");
        if (k == 0)
                return;
        began = now_mono_usec();
        must(sd_event_dispatch(loop_event(a->loop)) >= 0, "sd_event_dispatch");
        took = now_mono_usec() - began;
        if (took > w->longest_turn_usec)
                w->longest_turn_usec = took;
}

static void begin(struct asker *a, const char *path, unsigned long n_at_once)
{
        a->path = path;
        a->n_begun = a->n_ended = 0;
        for (unsigned long i = 0; i < n_at_once && i < a->n; i++)
                begin_next(a);
}

static void finish(struct asker *a, struct stopwatch *w)
{
        while (a->n_ended < a->n)
                turn(a, w, UINT64_MAX);
        for (unsigned long i = 0; i < a->n; i++)
                a->fetches[i] = fetch_free(a->fetches[i]);
}

static void ask_round(struct asker *a, const char *title)
{
        struct stopwatch w = stopwatch_start();

        begin(a, "/report", N_AT_ONCE);
        finish(a, &w);
        stopwatch_print(&w, title);
}

static int on_parked(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata)
{
        char news;

        must(read(fd, &news, 1) == 1, "read");
        *(bool *)userdata = true;
        return 0;
}

static void park(struct asker *a)
{
        unsigned long before_kib = rss_anon_kib();
        struct stopwatch w = stopwatch_start();
        sd_event_source *source = NULL;
        bool all_parked = false;

        must(sd_event_add_io(loop_event(a->loop), &source, a->control_fd, EPOLLIN, on_parked,
                             &all_parked) >= 0,
             "sd_event_add_io");
        begin(a, "/park", a->n);
        while (!all_parked)
                turn(a, &w, UINT64_MAX);
        sd_event_source_disable_unref(source);
        stopwatch_print(&w, "parking them");
        printf("    RssAnon while parked          %6lu KiB, of this since the rounds %.1f KiB each\n",
               rss_anon_kib(), (double)(rss_anon_kib() - before_kib) / (double)a->n);
}

static void stay_parked(struct asker *a)
{
        struct stopwatch w = stopwatch_start();
        uint64_t end_usec = w.mono_usec + SILENCE_USEC, now;

        while ((now = now_mono_usec()) < end_usec)
                turn(a, &w, end_usec - now);
        stopwatch_print(&w, "parked");
}

static void answer_all(struct asker *a)
{
        struct stopwatch w = stopwatch_start();

        must(write(a->control_fd, "a", 1) == 1, "write");
        finish(a, &w);
        stopwatch_print(&w, "all answered together");
}

static void asker_run(struct asker *a)
{
        const struct fetcher_options options = {
                .n_shards = N_SHARDS,
                .n_running_max = (unsigned)a->n,
                .n_kept_max = (unsigned)a->n,
                .buffer_bytes = FETCH_BUFFER_MIN,
        };
        unsigned long before_kib;

        a->fetches = calloc(a->n, sizeof(struct fetch *));
        must(a->fetches && loop_new(&a->loop) >= 0 &&
                     fetcher_new(&a->fetcher, a->loop, &options) >= 0,
             "fetcher_new");
        before_kib = rss_anon_kib();
        printf("%lu machines\n", a->n);
        ask_round(a, "a round, cold");
        ask_round(a, "a round, warm");
        ask_round(a, "a round, warm");
        park(a);
        printf("    a parked poll with its connection %.1f KiB (RssAnon)\n",
               (double)(rss_anon_kib() - before_kib) / (double)a->n);
        stay_parked(a);
        answer_all(a);
        fetcher_free(a->fetcher);
        loop_free(a->loop);
        free(a->fetches);
}

/* --- both ----------------------------------------------------------------------------------------- */

static void measure(unsigned long n)
{
        struct machines m = {.n = n};
        struct asker a = {.n = n};
        int control[2];
        pid_t child;

        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) == 0, "socketpair");
        m.listen_fd = listen_everywhere(&a.port);
        child = fork();
        must(child >= 0, "fork");
        m.control_fd = control[0];
        a.control_fd = control[1];
        if (child == 0) {
                close(control[1]); /* its end tells the child to end */
                machines_run(&m);
        }
        close(m.listen_fd);
        close(control[0]);
        asker_run(&a);
        close(a.control_fd);
        must(waitpid(child, NULL, 0) == child, "waitpid");
}

/* One process for each: what the allocator keeps of the last would be in the next one's figures. */
static void measure_apart(unsigned long n)
{
        pid_t child;
        int status;

        (void)fflush(stdout);
        child = fork();
        must(child >= 0, "fork");
        if (child == 0) {
                measure(n);
                exit(0);
        }
        must(waitpid(child, &status, 0) == child, "waitpid");
        if (status != 0)
                exit(1);
}

static void raise_limit(void)
{
        struct rlimit files;

        must(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
        files.rlim_cur = files.rlim_max;
        must(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
}

static void measure_checked(unsigned long n)
{
        struct rlimit files;

        must(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
        if (n == 0 || n > N_MAX || n + FILES_SPARE > files.rlim_cur) {
                (void)fprintf(stderr, "parked_polls: 1 to %lu, and no more than open files\n",
                              N_MAX);
                exit(2);
        }
        measure_apart(n);
}

int main(int argc, char **argv)
{
        static const unsigned long usual[] = {100, 1000, 10000};

        (void)signal(SIGPIPE, SIG_IGN);
        raise_limit();
        for (int i = 1; i < argc; i++)
                measure_checked(strtoul(argv[i], NULL, 10));
        for (size_t i = 0; argc == 1 && i < ELEMENTSOF(usual); i++)
                measure_checked(usual[i]);
        return 0;
}
