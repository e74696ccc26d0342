/* What is written blocks, and that is the point: nothing else happens in this process. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/mono.h"
#include "bundles/gather_relay.h"
#include "bundles/gather_tls.h"
#include "net/fetch.h"

#define RELAY_USEC         (6 * 60 * USEC_PER_MIN)
#define CONNECT_USEC       (5 * USEC_PER_SEC)
#define STALL_USEC         (60 * USEC_PER_SEC)
#define TICK_USEC          (5 * USEC_PER_SEC)
#define FETCH_BUFFER_BYTES (128u << 10)

struct relay {
        const struct relay_order *order;
        struct loop *loop;
        struct loop_timer *tick;
        struct fetcher *fetcher;
        struct fetch *fetch;
        uint64_t n_written, heard_mono_usec;
        struct err *error;
        int result;
};

static int write_all(const char *data, size_t n)
{
        while (n) {
                ssize_t k = write(STDOUT_FILENO, data, n);

                if (k < 0 && errno != EINTR)
                        return -errno;
                if (k > 0) {
                        data += k;
                        n -= (size_t)k;
                }
        }
        return 0;
}

/* A server that knows no ranges sends the whole, which is right only when we asked for its beginning. */
static bool is_wanted(const struct relay *r, unsigned status)
{
        return status == 206 || (status == 200 && r->order->from == 0);
}

static int on_body(const struct fetch_head *head, const char *data, size_t n, void *userdata)
{
        struct relay *r = userdata;
        uint64_t left = r->order->n_bytes - r->n_written;
        int k;

        if (!is_wanted(r, head->status))
                return 0;
        if (n > left)
                return -EFBIG;
        k = write_all(data, n);
        r->n_written += n;
        r->heard_mono_usec = now_mono_usec();
        return k;
}

static void finish(struct relay *r, int result)
{
        r->result = result;
        loop_quit(r->loop, 0);
}

static void on_done(const struct fetch_result *result, void *userdata)
{
        struct relay *r = userdata;

        r->fetch = fetch_free(r->fetch);
        if (result->error)
                finish(r, err_set(r->error, result->error, "%s: %s", r->order->url, result->text));
        else if (!is_wanted(r, result->status))
                finish(r, err_set(r->error, -EREMOTEIO, "%s: it answers %u", r->order->url,
                                  result->status));
        else if (r->n_written != r->order->n_bytes)
                finish(r, err_set(r->error, -EREMOTEIO, "%s: %" PRIu64 " bytes of %" PRIu64,
                                  r->order->url, r->n_written, r->order->n_bytes));
        else
                finish(r, 0);
}

static void on_tick(void *userdata)
{
        struct relay *r = userdata;
        uint64_t now = now_mono_usec();

        if (usec_since(now, r->heard_mono_usec) < STALL_USEC) {
                loop_timer_set(r->tick, now + TICK_USEC, 0);
                return;
        }
        r->fetch = fetch_free(r->fetch);
        finish(r, err_set(r->error, -ETIMEDOUT, "%s: no byte came for %u s", r->order->url,
                          (unsigned)(STALL_USEC / USEC_PER_SEC)));
}

static int start(struct relay *r)
{
        char range[80];
        const char *const headers[] = {range, NULL};
        const struct fetch_request q = {
                .url = r->order->url,
                .headers = headers,
                .timeout_usec = RELAY_USEC,
                .connect_timeout_usec = CONNECT_USEC,
                .max_bytes = SIZE_MAX / 4,
                .watch_peer = true,
                .on_body = on_body,
        };

        (void)snprintf(range, sizeof(range), "Range: bytes=%" PRIu64 "-%" PRIu64, r->order->from,
                       r->order->from + r->order->n_bytes - 1);
        r->heard_mono_usec = now_mono_usec();
        loop_timer_set(r->tick, r->heard_mono_usec + TICK_USEC, 0);
        return fetch_start(&r->fetch, r->fetcher, &q, on_done, r, r->error);
}

int gather_relay(const struct relay_order *order, struct err *e)
{
        const struct fetcher_options options = {.buffer_bytes = FETCH_BUFFER_BYTES};
        struct relay r = {.order = order, .error = e};
        int k;

        (void)signal(SIGPIPE, SIG_IGN);
        if (order->n_bytes == 0)
                return 0;
        k = loop_new(&r.loop);
        if (k >= 0)
                k = fetcher_new(&r.fetcher, r.loop, &options);
        if (k >= 0)
                k = loop_timer_new(&r.tick, r.loop, on_tick, &r);
        if (k >= 0)
                k = gather_use_tls(r.fetcher, order->ca_file, order->cert_file, order->key_file, e);
        if (k >= 0)
                k = start(&r);
        if (k >= 0) {
                k = loop_run(r.loop);
                k = k < 0 ? k : r.result;
        }
        fetch_free(r.fetch);
        fetcher_free(r.fetcher);
        loop_timer_free(r.tick);
        loop_free(r.loop);
        return k < 0 && !e->code ? err_set(e, k, "%s: %s", order->url, strerror(-k)) : k;
}
