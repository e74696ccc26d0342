/* As many at once as do no harm to who waits for other answers. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/bundle_answers.h"
#include "aggregator/bundle_estimate.h"
#include "base/json_write.h"
#include "base/mono.h"
#include "bundles/collect_request.h"

#define PATH         "/system/health/v2/node/collect/estimate"
#define CONNECT_USEC (2 * USEC_PER_SEC)
#define BYTES_MAX    65536u
#define DAY_USEC     (24 * 60 * USEC_PER_MIN)

struct guess {
        struct bundle_estimate *of;
        struct fetch *fetch;
        uint64_t likely, max;
        char why[128]; /* that it is not known; "" */
};

struct bundle_estimate {
        struct bundle_estimate_terms terms;
        char caller[128];
        struct gather_order order; /* its nodes */
        struct guess *guesses;
        struct buf body;
        size_t next, n_out;
        uint64_t end_mono_usec;
};

static void sum_up(const struct bundle_estimate *x, struct buf *out)
{
        struct json_writer w = {.out = out};
        uint64_t likely = 0, max = 0;
        uint64_t floor = x->terms.floor_bytes, room = x->terms.free_bytes;

        room = room > floor ? room - floor : 0;
        jw_begin_object(&w);
        jw_key(&w, "nodes");
        jw_begin_array(&w);
        for (size_t i = 0; i < x->order.n_nodes; i++) {
                const struct guess *g = &x->guesses[i];

                likely += g->likely;
                max += g->max;
                jw_begin_object(&w);
                jw_member_string(&w, "address", x->order.nodes[i].address);
                jw_member_uint(&w, "likely_bytes", g->likely);
                jw_member_uint(&w, "max_bytes", g->max);
                jw_member_string_or_null(&w, "error", g->why);
                jw_end_object(&w);
        }
        jw_end_array(&w);
        jw_member_uint(&w, "likely_bytes", likely);
        jw_member_uint(&w, "max_bytes", max);
        jw_member_uint(&w, "free_bytes", x->terms.free_bytes);
        jw_member_uint(&w, "floor_bytes", floor);
        jw_member_bool(&w, "fits", likely <= room);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

static void go_on(struct bundle_estimate *x);

static void hear(struct guess *g, const struct fetch_result *r)
{
        struct bundle_refusal refusal;

        if (r->error) {
                (void)snprintf(g->why, sizeof(g->why), "%s", r->text);
        } else if (r->status != 200) {
                bundle_refusal_read(&refusal, r->body, r->n_body);
                (void)snprintf(g->why, sizeof(g->why), "it answers %u%s%.90s", r->status,
                               *refusal.text ? ": " : "", refusal.text);
        } else if (bundle_estimate_read(&g->likely, &g->max, r->body, r->n_body) < 0) {
                (void)snprintf(g->why, sizeof(g->why), "its answer cannot be understood");
        }
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct guess *g = userdata;
        struct bundle_estimate *x = g->of;

        g->fetch = fetch_free(g->fetch);
        hear(g, r);
        x->n_out--;
        go_on(x);
}

static int ask(struct bundle_estimate *x, size_t i)
{
        const struct gather_node *n = &x->order.nodes[i];
        struct guess *g = &x->guesses[i];
        char url[4096 + sizeof(PATH)], caller[192];
        const char *headers[4] = {"Content-Type: application/json", NULL};
        struct fetch_request q = {
                .url = url,
                .unix_path = n->socket,
                .method = "POST",
                .headers = headers,
                .body = x->body.data,
                .n_body = x->body.n,
                .timeout_usec = BUNDLE_ESTIMATE_USEC,
                .connect_timeout_usec = CONNECT_USEC,
                .max_bytes = BYTES_MAX,
        };

        if (n->socket) {
                (void)snprintf(caller, sizeof(caller), "Diag-Caller: operate 1 %s", x->caller);
                headers[1] = caller;
        }
        (void)snprintf(url, sizeof(url), "%s" PATH, n->url);
        return fetch_start(&g->fetch, x->terms.fetcher, &q, on_answer, g, NULL);
}

static void begin(struct bundle_estimate *x, size_t i)
{
        struct guess *g = &x->guesses[i];
        int k;

        if (x->order.nodes[i].v1) {
                (void)snprintf(g->why, sizeof(g->why), "it cannot estimate: dcos-diagnostics");
        } else if (now_mono_usec() >= x->end_mono_usec) {
                (void)snprintf(g->why, sizeof(g->why), "not asked: so many others were silent");
        } else {
                k = ask(x, i);
                if (k < 0)
                        (void)snprintf(g->why, sizeof(g->why), "it cannot be asked: %s",
                                       strerror(-k));
                else
                        x->n_out++;
        }
}

static void go_on(struct bundle_estimate *x)
{
        _cleanup_(buf_done) struct buf json = {0};

        while (x->n_out < BUNDLE_ESTIMATE_AT_ONCE && x->next < x->order.n_nodes)
                begin(x, x->next++);
        if (x->n_out)
                return;
        sum_up(x, &json);
        x->terms.done(&json, x->terms.userdata);
}

static int locate(struct bundle_estimate *x, const struct bundle *b, const struct diag_snapshot *s,
                  const struct bundle_where *where)
{
        size_t n = b->n_nodes ? b->n_nodes : 1;

        x->order.nodes = calloc(n, sizeof(*x->order.nodes));
        x->guesses = calloc(n, sizeof(*x->guesses));
        if (!x->order.nodes || !x->guesses)
                return -ENOMEM;
        for (size_t i = 0; i < b->n_nodes; i++) {
                x->guesses[i].of = x;
                if (bundle_nodes_locate(&x->order.nodes[x->order.n_nodes++], &b->nodes[i], s,
                                        where) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static int write_body(struct bundle_estimate *x, const struct bundle *b)
{
        const struct collect_request q = {
                .op = COLLECT_ESTIMATE,
                .kinds = b->request.kinds,
                .since_wall_usec = b->request.since_wall_usec
                                           ? b->request.since_wall_usec
                                           : usec_since(now_wall_usec(), DAY_USEC),
                .until_wall_usec = b->request.until_wall_usec,
        };

        collect_request_write(&x->body, &q);
        return x->body.error;
}

int bundle_estimate_new(struct bundle_estimate **ret, const struct bundle *nodes,
                        const struct diag_snapshot *s, const struct bundle_where *where,
                        const struct bundle_estimate_terms *terms)
{
        _cleanup_(bundle_estimate_freep) struct bundle_estimate *x = calloc(1, sizeof(*x));
        int k;

        if (!x)
                return -ENOMEM;
        x->terms = *terms;
        (void)snprintf(x->caller, sizeof(x->caller), "%s", str_or(terms->caller, "bundle"));
        x->end_mono_usec = now_mono_usec() + BUNDLE_ESTIMATES_USEC;
        k = locate(x, nodes, s, where);
        if (k >= 0)
                k = write_body(x, nodes);
        if (k < 0)
                return k;
        *ret = x;
        go_on(TAKE_PTR(x)); /* where nobody is to be asked, it is over in here */
        return 0;
}

struct bundle_estimate *bundle_estimate_free(struct bundle_estimate *x)
{
        if (!x)
                return NULL;
        for (size_t i = 0; x->guesses && i < x->order.n_nodes; i++)
                fetch_free(x->guesses[i].fetch);
        free(x->guesses);
        gather_order_done(&x->order);
        buf_done(&x->body);
        free(x);
        return NULL;
}
