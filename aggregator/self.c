/* Our own identity, from the node daemon beside us. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/self.h"
#include "base/mono.h"
#include "model/report_json.h"

#define RETRY_USEC   (2 * USEC_PER_SEC)
#define AGAIN_USEC   (60 * USEC_PER_SEC) /* it may have been given another address */
#define TIMEOUT_USEC (5 * USEC_PER_SEC)
#define SLACK_USEC   (250 * USEC_PER_MSEC)

struct self {
        struct self_identity id;
        struct fetcher *fetcher;
        struct fetch *fetch;
        struct loop_timer *timer;
        char *socket_path;
        void (*changed)(void *userdata);
        void *userdata;
};

static void copy(char *to, size_t n, const char *from)
{
        (void)snprintf(to, n, "%s", from);
}

static void take(struct self *s, const struct diag_node *n)
{
        struct self_identity id = {.port = n->port};

        copy(id.node_id, sizeof(id.node_id), n->node_id);
        copy(id.boot_id, sizeof(id.boot_id), n->boot_id);
        copy(id.address, sizeof(id.address), n->address);
        copy(id.hostname, sizeof(id.hostname), n->hostname);
        if (memcmp(&id, &s->id, sizeof(id)) == 0)
                return;
        s->id = id;
        s->changed(s->userdata);
}

static void on_answer(const struct fetch_result *r, void *userdata)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        struct self *s = userdata;
        bool known = !r->error && r->status == 200 &&
                     diag_report_from_json(&report, NULL, r->body, r->n_body, NULL) >= 0;

        loop_timer_set(s->timer, now_mono_usec() + (known ? AGAIN_USEC : RETRY_USEC), SLACK_USEC);
        s->fetch = fetch_free(s->fetch);
        if (known)
                take(s, &report->node);
}

static void ask(void *userdata)
{
        struct self *s = userdata;
        const struct fetch_request q = {
                .url = "http://localhost/system/health/v2/node?fields=health",
                .unix_path = s->socket_path,
                .timeout_usec = TIMEOUT_USEC,
                .max_bytes = DIAG_HEALTH_FORM_BYTES_MAX * 2,
        };

        if (fetch_start(&s->fetch, s->fetcher, &q, on_answer, s, NULL) < 0)
                loop_timer_set(s->timer, now_mono_usec() + RETRY_USEC, SLACK_USEC);
}

int self_new(struct self **ret, struct loop *l, struct fetcher *f, const char *socket_path,
             void (*changed)(void *userdata), void *userdata)
{
        _cleanup_(self_freep) struct self *s = calloc(1, sizeof(*s));
        int k;

        if (!s)
                return -ENOMEM;
        s->fetcher = f;
        s->changed = changed;
        s->userdata = userdata;
        s->socket_path = strdup(socket_path);
        if (!s->socket_path)
                return -ENOMEM;
        k = loop_timer_new(&s->timer, l, ask, s);
        if (k < 0)
                return k;
        loop_timer_set(s->timer, now_mono_usec(), 0);
        *ret = TAKE_PTR(s);
        return 0;
}

struct self *self_free(struct self *s)
{
        if (!s)
                return NULL;
        fetch_free(s->fetch);
        loop_timer_free(s->timer);
        free(s->socket_path);
        free(s);
        return NULL;
}

const struct self_identity *self_get(const struct self *s)
{
        return &s->id;
}
