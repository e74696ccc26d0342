/*
 * How many answers a second, however large they are, and how long does each take?
 *
 *     cluster_load ADDRESS PORT TARGET CONNECTIONS SECONDS PID [--gzip] [--tls DIR]
 *
 * One thread, one request under way on each keep-alive connection. Bodies are skipped unread (over plain
 * TCP not even copied), so that the client takes as little of the machine as it can. PID is the server.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/parse.h"
#include "bench/answer_scan.h"
#include "bench/ask.h"
#include "bench/distribution.h"

#define CONNECTIONS_MAX 1000u
#define SECONDS_MAX     600u
#define NSEC_PER_SEC    UINT64_C(1000000000)

struct reader {
        struct wire wire;
        bool sent;
        uint64_t asked_nsec;
        struct answer_scan scan;
};

struct load {
        uint32_t address;
        uint64_t port, n_readers, seconds, pid;
        const char *target;
        bool gzip;
        struct ssl_ctx_st *tls;
        struct reader *readers;
        int epoll;
        struct distribution latency;
        uint64_t n_bytes; /* of the newest answer */
};

static int send_request(const struct load *l, struct reader *c)
{
        char text[1024];
        int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                         l->target, l->gzip ? "Accept-Encoding: gzip\r\n" : "");
        ssize_t k = wire_write(&c->wire, text, (size_t)n);

        if (k == -EAGAIN || k == -ENOTCONN)
                return 0;
        c->sent = true;
        return k == n ? 0 : k < 0 ? (int)k : -EIO;
}

static int ask(const struct load *l, struct reader *c)
{
        memset(&c->scan, 0, sizeof(c->scan));
        c->sent = false;
        c->asked_nsec = now_nsec();
        return send_request(l, c);
}

static int on_event(struct load *l, struct reader *c)
{
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        int k;

        if (!c->sent) {
                k = send_request(l, c);
                if (k < 0 || !c->sent)
                        return k;
                (void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->wire.fd, &e);
        }
        k = answer_scan_read(&c->scan, &c->wire);
        if (k <= 0)
                return k;
        distribution_add(&l->latency, now_nsec() - c->asked_nsec);
        l->n_bytes = c->scan.n_bytes;
        return c->scan.status == 200 ? ask(l, c) : -EBADMSG;
}

static int open_readers(struct load *l)
{
        l->epoll = epoll_create1(EPOLL_CLOEXEC);
        l->readers = calloc(l->n_readers, sizeof(*l->readers));
        for (size_t i = 0; l->readers && i < l->n_readers; i++) {
                struct reader *c = &l->readers[i];
                struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
                int k = wire_connect(&c->wire, l->address, (uint16_t)l->port, l->tls);

                c->asked_nsec = now_nsec();
                if (k >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->wire.fd, &e) < 0)
                        k = -errno;
                if (k < 0)
                        return k;
        }
        return l->readers ? 0 : -ENOMEM;
}

static int run_until(struct load *l, uint64_t end_nsec)
{
        struct epoll_event events[64];

        while (now_nsec() < end_nsec) {
                int n = epoll_wait(l->epoll, events, ELEMENTSOF(events), 1000);

                for (int i = 0; i < n; i++) {
                        int k = on_event(l, events[i].data.ptr);

                        if (k < 0)
                                return k;
                }
        }
        return 0;
}

static double own_cpu_seconds(void)
{
        struct rusage u;

        (void)getrusage(RUSAGE_SELF, &u);
        return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print(struct load *l, uint64_t took_nsec, uint64_t cpu_nsec)
{
        double n = (double)l->latency.n, seconds = (double)took_nsec / 1e9;

        printf("%-34s %2u at once%s%s: %8.1f/s of %" PRIu64
               " bytes, %.0f MB/s; CPU each: server %.1f µs, "
               "client %.1f µs\n",
               l->target, (unsigned)l->n_readers, l->gzip ? ", gzip" : "", l->tls ? ", TLS" : "",
               n / seconds, l->n_bytes, n * (double)l->n_bytes / seconds / 1e6,
               (double)cpu_nsec / 1e3 / n, own_cpu_seconds() * 1e6 / n);
        distribution_print(&l->latency, "  request to the end of its answer");
}

static int run(struct load *l)
{
        uint64_t began = now_nsec(), cpu = process_cpu_nsec((int)l->pid);
        int k = open_readers(l);

        if (k >= 0)
                k = run_until(l, began + l->seconds * NSEC_PER_SEC);
        if (k < 0 || !l->latency.n)
                return k < 0 ? k : -ENODATA;
        print(l, now_nsec() - began, process_cpu_nsec((int)l->pid) - cpu);
        return 0;
}

static int parse(struct load *l, char **argv)
{
        struct in_addr in;

        if (inet_pton(AF_INET, argv[1], &in) != 1 ||
            parse_u64(argv[2], 1, UINT16_MAX, &l->port) < 0 ||
            parse_u64(argv[4], 1, CONNECTIONS_MAX, &l->n_readers) < 0 ||
            parse_u64(argv[5], 1, SECONDS_MAX, &l->seconds) < 0 ||
            parse_u64(argv[6], 1, INT32_MAX, &l->pid) < 0)
                return -EINVAL;
        l->address = ntohl(in.s_addr);
        l->target = argv[3];
        for (argv += 7; *argv; argv++)
                if (streq(*argv, "--gzip"))
                        l->gzip = true;
                else if (streq(*argv, "--tls") && argv[1])
                        l->tls = wire_tls_client(*++argv);
                else
                        return -EINVAL;
        return 0;
}

int main(int argc, char **argv)
{
        static struct load l;
        int k;

        if (argc < 7 || parse(&l, argv) < 0) {
                (void)fprintf(stderr,
                              "usage: cluster_load ADDRESS PORT TARGET CONNECTIONS SECONDS PID "
                              "[--gzip] [--tls DIR]\n");
                return 2;
        }
        k = run(&l);
        if (k < 0)
                (void)fprintf(stderr, "%s: %s\n", l.target, strerror(-k));
        return k < 0;
}
