/* Exhibitor is asked, its list is handed on; while it does not answer, its last list stays. */

#include <errno.h>

#include "aggregator/discovery_exhibitor.h"
#include "aggregator/exhibitor_json.h"
#include "aggregator/pace.h"

#define TIMEOUT_USEC (10 * USEC_PER_SEC)
#define BYTES_MAX    (1024u * 1024u)
#define SLACK_USEC   (250 * USEC_PER_MSEC)

struct discovery_exhibitor {
        struct fetcher *fetcher;
        struct fetch *fetch;
        struct loop_timer *timer;
        struct pace pace;
        char *url;
        uint64_t seen_boot_usec;
        finding_fn found;
        void *userdata;
};

static void say_failed(struct discovery_exhibitor *d, const char *why)
{
        const struct finding f = {
                .source = DIAG_SOURCE_EXHIBITOR,
                .state = "failed",
                .error = why,
                .seen_boot_usec = d->seen_boot_usec,
        };

        d->found(&f, d->userdata);
}

static void say_found(struct discovery_exhibitor *d, const struct exhibitor_list *l)
{
        struct err skipped = l->skipped;
        const struct finding f = {
                .source = DIAG_SOURCE_EXHIBITOR,
                .state = "ok",
                .error = skipped.text,
                .seen_boot_usec = d->seen_boot_usec,
                .has_list = true,
                .nodes = l->nodes,
                .n_nodes = l->n,
        };

        if (l->n_skipped)
                (void)err_prefix(&skipped, "%zu left out: ", l->n_skipped);
        d->found(&f, d->userdata);
}

static int read_answer(const struct fetch_result *r, struct exhibitor_list *l, struct arena *arena,
                       struct err *e)
{
        if (r->error)
                return err_set(e, r->error, "%s", r->text);
        if (r->status != 200)
                return err_set(e, -EPROTO, "it answered with status %u", r->status);
        return exhibitor_from_json(l, arena, r->body, r->n_body, e);
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        _cleanup_(arena_done) struct arena arena = {0};
        struct discovery_exhibitor *d = userdata;
        struct exhibitor_list l = {0};
        struct err e;
        int k = read_answer(r, &l, &arena, &e);

        d->fetch = fetch_free(d->fetch);
        loop_timer_set(d->timer, now_mono_usec() + pace_after(&d->pace, k >= 0), SLACK_USEC);
        if (k < 0) {
                say_failed(d, e.text);
                return;
        }
        d->seen_boot_usec = now_boot_usec();
        say_found(d, &l);
}

static void ask(void *userdata)
{
        struct discovery_exhibitor *d = userdata;
        const struct fetch_request q = {
                .url = d->url,
                .headers = (const char *const[]){"Accept: application/json", NULL},
                .timeout_usec = TIMEOUT_USEC,
                .max_bytes = BYTES_MAX,
        };
        struct err e;

        if (fetch_start(&d->fetch, d->fetcher, &q, on_answer, d, &e) >= 0)
                return;
        loop_timer_set(d->timer, now_mono_usec() + pace_after(&d->pace, false), SLACK_USEC);
        say_failed(d, e.text);
}

int discovery_exhibitor_new(struct discovery_exhibitor **ret, struct loop *l, struct fetcher *f,
                            const char *url, uint64_t interval_usec, finding_fn found,
                            void *userdata)
{
        _cleanup_(discovery_exhibitor_freep) struct discovery_exhibitor *d = calloc(1, sizeof(*d));
        int k;

        if (!d)
                return -ENOMEM;
        d->fetcher = f;
        d->pace.interval_usec = interval_usec;
        d->found = found;
        d->userdata = userdata;
        d->url = strdup(url);
        if (!d->url)
                return -ENOMEM;
        k = loop_timer_new(&d->timer, l, ask, d);
        if (k < 0)
                return k;
        loop_timer_set(d->timer, now_mono_usec(), 0);
        *ret = TAKE_PTR(d);
        return 0;
}

struct discovery_exhibitor *discovery_exhibitor_free(struct discovery_exhibitor *d)
{
        if (!d)
                return NULL;
        fetch_free(d->fetch);
        loop_timer_free(d->timer);
        free(d->url);
        free(d);
        return NULL;
}
