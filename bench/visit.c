/*
 * How long does somebody wait who comes now and then? Run inside a node:
 *
 *     visit ADDRESS TARGET SECONDS GAP_MSEC fresh|kept
 *
 * A GET each GAP_MSEC, over a connection of its own ("fresh") or over one for all. Measured is the time from
 * before the connection, if it is fresh, to the last byte of the answer. Who is not let in, or gets no
 * 200, is counted, and comes again.
 */

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "bench/ask.h"
#include "bench/distribution.h"

#define SECONDS_MAX   600ul
#define PATIENCE_SEC  5
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC  UINT64_C(1000000000)

struct visitor {
        const char *address, *target;
        bool fresh;
        int fd;
        struct answer answer;
        struct distribution latency;
        unsigned n_refused, n_other;
};

static int enter(struct visitor *v)
{
        static const struct timeval patience = {.tv_sec = PATIENCE_SEC};

        v->fd = ask_connect(v->address);
        if (v->fd < 0)
                return v->fd;
        return setsockopt(v->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void leave(struct visitor *v)
{
        if (v->fd >= 0)
                (void)close(v->fd);
        v->fd = -1;
}

static void visit(struct visitor *v)
{
        uint64_t began = now_nsec();
        int k = v->fd >= 0 ? 0 : enter(v);

        if (k >= 0)
                k = ask_send(v->fd, v->target, v->fresh ? "Connection: close\r\n" : "");
        if (k >= 0)
                k = ask_read(v->fd, &v->answer);
        if (k < 0)
                v->n_refused++;
        else if (v->answer.status != 200)
                v->n_other++;
        else
                distribution_add(&v->latency, now_nsec() - began);
        if (k < 0 || v->fresh)
                leave(v);
}

int main(int argc, char **argv)
{
        static struct visitor v;
        unsigned long seconds = argc == 6 ? strtoul(argv[3], NULL, 10) : 0;
        unsigned long gap = argc == 6 ? strtoul(argv[4], NULL, 10) : 0;
        uint64_t next = now_nsec(), end = next + seconds * NSEC_PER_SEC;

        if (!seconds || seconds > SECONDS_MAX || !gap) {
                (void)fprintf(stderr, "usage: visit ADDRESS TARGET SECONDS GAP_MSEC fresh|kept\n");
                return 2;
        }
        v = (struct visitor){.address = argv[1], .target = argv[2], .fd = -1};
        v.fresh = streq(argv[5], "fresh");
        while ((next = now_nsec()) < end) {
                visit(&v);
                sleep_until_nsec(next + gap * NSEC_PER_MSEC);
        }
        leave(&v);
        distribution_print(&v.latency, v.fresh ? "a connection each" : "one connection");
        printf("  not let in or not answered: %u; another status than 200: %u\n", v.n_refused,
               v.n_other);
        return 0;
}
