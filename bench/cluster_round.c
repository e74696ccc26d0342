/*
 * What a round over the fleet costs whoever does the least: raw sockets, no decoding, no state. The floor
 * that the aggregator's figures stand on. Run beside bench/fleet:
 *
 *     cluster_round NODES NET PORT AT_ONCE FLEET_PID [TLS_DIR]
 *
 * Three rounds over kept connections, so many requests under way: the first one connects (and shakes
 * hands), the second one gets all bodies again, the third one asks with If-None-Match.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/parse.h"
#include "bench/answer_scan.h"
#include "bench/ask.h"
#include "bench/fleet_node.h"

#define PATIENCE_MSEC 10000

struct asked {
        struct wire wire;
        char etag[80];
        struct answer_scan *scan; /* NULL: nothing is under way */
        bool sent;
};

struct rounds {
        uint64_t n_nodes, port, n_at_once, fleet_pid;
        struct ssl_ctx_st *tls;
        struct asked *nodes;
        struct answer_scan *scans, **free_scans;
        size_t n_free, n_next, n_done;
        int epoll;
        bool conditional;
        unsigned status;
        uint64_t n_bytes;
};

static int watch(struct rounds *r, struct asked *a, int op, uint32_t events)
{
        struct epoll_event e = {.events = events, .data.ptr = a};

        return epoll_ctl(r->epoll, op, a->wire.fd, &e) < 0 ? -errno : 0;
}

static int send_request(struct rounds *r, struct asked *a)
{
        char text[512];
        int n = snprintf(text, sizeof(text),
                         "GET /system/health/v2/node?fields=health HTTP/1.1\r\nHost: localhost\r\n"
                         "%s%s%s\r\n",
                         r->conditional ? "If-None-Match: " : "", r->conditional ? a->etag : "",
                         r->conditional ? "\r\n" : "");
        ssize_t k = wire_write(&a->wire, text, (size_t)n);

        if (k == -EAGAIN || k == -ENOTCONN)
                return 0;
        a->sent = true;
        return k == n ? 0 : k < 0 ? (int)k : -EIO;
}

static int begin(struct rounds *r, size_t i)
{
        struct asked *a = &r->nodes[i];
        int k = 0;

        a->scan = r->free_scans[--r->n_free];
        memset(a->scan, 0, sizeof(*a->scan));
        a->sent = false;
        if (a->wire.fd >= 0)
                return send_request(r, a);
        k = wire_connect(&a->wire, fleet_address((uint32_t)i), (uint16_t)r->port, r->tls);
        return k < 0 ? k : watch(r, a, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void end(struct rounds *r, struct asked *a)
{
        memcpy(a->etag, a->scan->etag, sizeof(a->etag));
        r->status = a->scan->status;
        r->n_bytes += a->scan->n_bytes;
        r->free_scans[r->n_free++] = a->scan;
        a->scan = NULL;
        r->n_done++;
}

static int on_event(struct rounds *r, struct asked *a)
{
        int k;

        if (!a->scan)
                return -ECONNRESET; /* nothing was asked, and something came */
        if (!a->sent) {
                k = send_request(r, a);
                if (k < 0 || !a->sent)
                        return k;
                k = watch(r, a, EPOLL_CTL_MOD, EPOLLIN);
                if (k < 0)
                        return k;
        }
        k = answer_scan_read(a->scan, &a->wire);
        if (k > 0)
                end(r, a);
        return k < 0 ? k : 0;
}

static int turn(struct rounds *r)
{
        struct epoll_event events[256];
        int n;

        while (r->n_free && r->n_next < r->n_nodes) {
                int k = begin(r, r->n_next++);

                if (k < 0)
                        return k;
        }
        n = epoll_wait(r->epoll, events, ELEMENTSOF(events), PATIENCE_MSEC);
        if (n <= 0)
                return n < 0 ? -errno : -ETIMEDOUT;
        for (int i = 0; i < n; i++) {
                int k = on_event(r, events[i].data.ptr);

                if (k < 0)
                        return k;
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

static int run_round(struct rounds *r, const char *title, bool conditional)
{
        uint64_t began = now_nsec(), fleet = process_cpu_nsec((int)r->fleet_pid);
        double cpu = own_cpu_seconds();
        int k = 0;

        r->conditional = conditional;
        r->n_next = r->n_done = 0;
        r->n_bytes = 0;
        while (k == 0 && r->n_done < r->n_nodes)
                k = turn(r);
        if (k < 0)
                return k;
        printf("  floor, %-28s %6.2f s wall, %6.2f s CPU; the fleet's CPU %6.2f s; %u, %.0f bytes each\n",
               title, (double)(now_nsec() - began) / 1e9, own_cpu_seconds() - cpu,
               (double)(process_cpu_nsec((int)r->fleet_pid) - fleet) / 1e9, r->status,
               (double)r->n_bytes / (double)r->n_nodes);
        return 0;
}

static int prepare(struct rounds *r)
{
        r->epoll = epoll_create1(EPOLL_CLOEXEC);
        r->nodes = calloc(r->n_nodes, sizeof(*r->nodes));
        r->scans = calloc(r->n_at_once, sizeof(*r->scans));
        r->free_scans = calloc(r->n_at_once, sizeof(struct answer_scan *));
        if (r->epoll < 0 || !r->nodes || !r->scans || !r->free_scans)
                return -ENOMEM;
        for (size_t i = 0; i < r->n_nodes; i++)
                r->nodes[i].wire.fd = -1;
        for (size_t i = 0; i < r->n_at_once; i++)
                r->free_scans[r->n_free++] = &r->scans[i];
        return 0;
}

static int measure(struct rounds *r)
{
        static const struct {
                const char *title;
                bool conditional;
        } rounds[] = {
                {"cold (connect, all bodies)", false},
                {"warm (all bodies)",          false},
                {"warm (If-None-Match)",       true },
        };
        int k = prepare(r);

        for (size_t i = 0; k == 0 && i < ELEMENTSOF(rounds); i++)
                k = run_round(r, rounds[i].title, rounds[i].conditional);
        return k;
}

int main(int argc, char **argv)
{
        static struct rounds r;
        int k;

        if (argc < 6 || argc > 7 || parse_u64(argv[1], 1, FLEET_NODES_MAX, &r.n_nodes) < 0 ||
            fleet_set_net(argv[2]) < 0 || parse_u64(argv[3], 1, UINT16_MAX, &r.port) < 0 ||
            parse_u64(argv[4], 1, FLEET_NODES_MAX, &r.n_at_once) < 0 ||
            parse_u64(argv[5], 1, INT32_MAX, &r.fleet_pid) < 0) {
                (void)fprintf(stderr,
                              "usage: cluster_round NODES NET PORT AT_ONCE FLEET_PID [TLS_DIR]\n");
                return 2;
        }
        r.tls = argc == 7 ? wire_tls_client(argv[6]) : NULL;
        k = measure(&r);
        if (k < 0)
                (void)fprintf(stderr, "cluster_round: %s\n", strerror(-k));
        return k < 0;
}
