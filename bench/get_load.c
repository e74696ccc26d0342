/*
 * How many answers a second, and how long does each take? Run inside a node:
 *
 *     get_load ADDRESS TARGET CONNECTIONS SECONDS PID
 *
 * One thread, one request under way on each keep-alive connection; PID is the server, whose CPU time is
 * printed. The client shares the machine's cores with the server: it is part of the load.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "bench/ask.h"
#include "bench/distribution.h"

#define CONNECTIONS_MAX 1000ul
#define SECONDS_MAX     600ul
#define NSEC_PER_SEC    UINT64_C(1000000000)

struct client {
        int fd;
        uint64_t asked_nsec;
        struct answer answer;
};

struct load {
        const char *address, *target;
        unsigned long n_clients, seconds;
        int server_pid;
        struct client *clients;
        struct distribution latency;
        size_t n_bytes; /* of the newest answer */
};

static int client_ask(struct load *l, struct client *c)
{
        c->answer.n = 0;
        c->asked_nsec = now_nsec();
        return ask_send(c->fd, l->target, "");
}

static int client_on_readable(struct load *l, struct client *c)
{
        int k = ask_take(c->fd, &c->answer);

        if (k <= 0)
                return k;
        distribution_add(&l->latency, now_nsec() - c->asked_nsec);
        l->n_bytes = c->answer.n;
        return c->answer.status == 200 ? client_ask(l, c) : -EBADMSG;
}

static int open_clients(struct load *l, int epoll)
{
        l->clients = calloc(l->n_clients, sizeof(*l->clients));
        for (size_t i = 0; l->clients && i < l->n_clients; i++) {
                struct client *c = &l->clients[i];
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
                int k;

                k = c->fd = ask_connect(l->address);
                if (k >= 0)
                        k = epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0 ? -errno : 0;
                if (k >= 0)
                        k = client_ask(l, c);
                if (k < 0)
                        return k;
        }
        return l->clients ? 0 : -ENOMEM;
}

static int run_until(struct load *l, int epoll, uint64_t end_nsec)
{
        struct epoll_event events[64];

        while (now_nsec() < end_nsec) {
                int n = epoll_wait(epoll, events, ELEMENTSOF(events), 1000);

                for (int i = 0; i < n; i++) {
                        int k = client_on_readable(l, events[i].data.ptr);

                        if (k < 0)
                                return k;
                }
        }
        return 0;
}

static double own_cpu_seconds(void)
{
        struct rusage r;

        (void)getrusage(RUSAGE_SELF, &r);
        return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
               (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int run(struct load *l)
{
        _cleanup_(closep) int epoll = epoll_create1(EPOLL_CLOEXEC);
        uint64_t began = now_nsec(), cpu = process_cpu_nsec(l->server_pid);
        double seconds, per_request;
        int k = open_clients(l, epoll);

        if (k >= 0)
                k = run_until(l, epoll, began + l->seconds * NSEC_PER_SEC);
        if (k < 0 || !l->latency.n)
                return k < 0 ? k : -ENODATA;
        seconds = (double)(now_nsec() - began) / 1e9;
        cpu = process_cpu_nsec(l->server_pid) - cpu;
        per_request = (double)cpu / 1e3 / (double)l->latency.n;
        printf("%s, %lu connections: %.0f requests/s of %zu bytes; CPU a request: server %.1f µs, "
               "this client %.1f µs\n",
               l->address, l->n_clients, (double)l->latency.n / seconds, l->n_bytes, per_request,
               own_cpu_seconds() * 1e6 / (double)l->latency.n);
        distribution_print(&l->latency, "  request to the end of its answer");
        return 0;
}

int main(int argc, char **argv)
{
        struct load l;
        int k;

        if (argc != 6) {
                (void)fprintf(stderr, "usage: get_load ADDRESS TARGET CONNECTIONS SECONDS PID\n");
                return 2;
        }
        l = (struct load){
                .address = argv[1],
                .target = argv[2],
                .n_clients = strtoul(argv[3], NULL, 10),
                .seconds = strtoul(argv[4], NULL, 10),
                .server_pid = (int)strtol(argv[5], NULL, 10),
        };
        if (l.n_clients > CONNECTIONS_MAX || l.seconds > SECONDS_MAX) {
                (void)fprintf(stderr, "too many\n");
                return 2;
        }
        k = run(&l);
        if (k < 0)
                (void)fprintf(stderr, "%s: %s\n", l.address, strerror(-k));
        return k < 0;
}
