/* One long poll for each other master. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/answer.h"
#include "aggregator/peers.h"
#include "base/mono.h"
#include "net/url.h"

#define PORT         1050u
#define WAIT_SECONDS 10u
#define TIMEOUT_USEC ((WAIT_SECONDS + 3) * USEC_PER_SEC)
#define APART_USEC   USEC_PER_SEC       /* of two requests to one of them */
#define RETRY_USEC   (5 * USEC_PER_SEC) /* after a failure */
#define BYTES_MAX    (256u * 1024u)

struct peer_view {
        struct peers *peers;
        char *address;
        struct fetch *fetch;
        struct loop_timer *timer;
        char etag[ANSWER_ETAG_MAX];
        uint64_t asked_mono_usec;
        struct diag_peer_view said; /* observer: NULL before anything was said */
        bool kept;                  /* while the list is replaced */
};

struct peers {
        struct peers_options options;
        struct peer_view *views[DIAG_MASTERS_MAX];
        size_t n;
};

static void ask_at(struct peer_view *v, uint64_t mono_usec)
{
        loop_timer_set(v->timer, mono_usec, 100 * USEC_PER_MSEC);
}

static void hear(struct peer_view *v, const struct fetch_result *r)
{
        enum diag_health before = v->said.health;
        bool first = !v->said.observer;
        const char *etag = r->headers[ANSWER_FIELD_ETAG];

        if (r->status == 200 &&
            peer_view_from_json(r->body, r->n_body, &v->said.health, &v->said.as_of_wall_usec) < 0)
                return;
        v->said.observer = v->address;
        v->said.seen_boot_usec = now_boot_usec();
        if (r->status == 200 && etag && strlen(etag) < sizeof(v->etag) &&
            !etag[strspn(etag, "W/\"0123456789abcdef.")]) /* what is sent back breaks no header */
                (void)stpncpy(v->etag, etag, sizeof(v->etag));
        if (first || before != v->said.health)
                v->peers->options.changed(v->peers->options.userdata);
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        struct peer_view *v = userdata;
        bool good = !r->error && (r->status == 200 || (r->status == 304 && v->said.observer));
        uint64_t now = now_mono_usec();

        if (good)
                hear(v, r);
        else
                v->etag[0] = '\0';
        v->fetch = fetch_free(v->fetch);
        if (!good)
                ask_at(v, now + RETRY_USEC);
        else
                ask_at(v, v->asked_mono_usec + APART_USEC > now ? v->asked_mono_usec + APART_USEC
                                                                : now);
}

static void ask(void *userdata)
{
        struct peer_view *v = userdata;
        const struct peers_options *o = &v->peers->options;
        char url[NODE_URL_MAX], prefer[32], match[ANSWER_ETAG_MAX + 20];
        const char *headers[4] = {"Accept: application/json", prefer, v->etag[0] ? match : NULL};
        const struct fetch_request q = {
                .url = url,
                .headers = headers,
                .wanted_headers = answer_fields,
                .timeout_usec = TIMEOUT_USEC,
                .max_bytes = BYTES_MAX,
                .watch_peer = true,
        };

        node_url(url, v->address, o->port ? o->port : PORT, o->tls,
                 "/system/health/v2/cluster?view=own");
        (void)snprintf(prefer, sizeof(prefer), "Prefer: wait=%u", WAIT_SECONDS);
        (void)snprintf(match, sizeof(match), "If-None-Match: %s", v->etag);
        v->asked_mono_usec = now_mono_usec();
        if (fetch_start(&v->fetch, o->fetcher, &q, on_answer, v, NULL) < 0)
                ask_at(v, now_mono_usec() + RETRY_USEC);
}

/* --- who they are ------------------------------------------------------------------------------ */

static void view_free_one(struct peer_view *v)
{
        fetch_free(v->fetch);
        loop_timer_free(v->timer);
        free(v->address);
        free(v);
}

static struct peer_view *find(const struct peers *p, const char *address)
{
        for (size_t i = 0; i < p->n; i++)
                if (streq(p->views[i]->address, address))
                        return p->views[i];
        return NULL;
}

/* Out of memory: it is tried again with the next list. */
static void add(struct peers *p, const char *address)
{
        struct peer_view *v = calloc(1, sizeof(*v));

        if (!v)
                return;
        v->peers = p;
        v->address = strdup(address);
        if (!v->address || loop_timer_new(&v->timer, p->options.loop, ask, v) < 0) {
                view_free_one(v);
                return;
        }
        v->kept = true;
        p->views[p->n++] = v;
        ask_at(v, now_mono_usec());
}

void peers_set(struct peers *p, const char *const *addresses, size_t n)
{
        size_t n_kept = 0;

        for (size_t i = 0; i < p->n; i++)
                p->views[i]->kept = false;
        for (size_t i = 0; i < n; i++) {
                struct peer_view *v = find(p, addresses[i]);

                if (v)
                        v->kept = true;
                else if (p->n < DIAG_MASTERS_MAX)
                        add(p, addresses[i]);
        }
        for (size_t i = 0; i < p->n; i++)
                if (p->views[i]->kept)
                        p->views[n_kept++] = p->views[i];
                else
                        view_free_one(p->views[i]);
        p->n = n_kept;
}

size_t peers_views(struct peers *p, enum diag_health own, struct diag_peer_view *ret)
{
        uint64_t now = now_boot_usec();
        size_t n = 0;

        for (size_t i = 0; i < p->n; i++) {
                struct diag_peer_view *said = &p->views[i]->said;

                if (!said->observer)
                        continue;
                said->fresh = usec_since(now, said->seen_boot_usec) < PEERS_FRESH_USEC;
                said->agrees = said->health == own;
                if (said->agrees || !said->fresh)
                        said->differs_since_boot_usec = 0;
                else if (!said->differs_since_boot_usec)
                        said->differs_since_boot_usec = now;
                ret[n++] = *said;
        }
        return n;
}

int peers_new(struct peers **ret, const struct peers_options *options)
{
        struct peers *p = calloc(1, sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->options = *options;
        *ret = p;
        return 0;
}

struct peers *peers_free(struct peers *p)
{
        if (!p)
                return NULL;
        for (size_t i = 0; i < p->n; i++)
                view_free_one(p->views[i]);
        free(p);
        return NULL;
}
