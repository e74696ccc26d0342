/*
 * A fragment is answered while it is made: nothing of it is kept here. What is asked for is read strictly, but who
 * this node is (its role, its units) nobody tells it: the daemon fills that in.
 */

#include <errno.h>

#include "api/bundle_task.h"
#include "api/node_answer.h"
#include "api/v2_collect.h"

/* How long a collector may take to begin, or to say how much there is. */
#define BEGIN_USEC (60 * USEC_PER_SEC)

/* What the client can read; where it says nothing, what the body says. */
static void choose_format(struct collect_request *c, const char *accept)
{
        const char *zstd = accept ? strcasestr(accept, FRAGMENT_TYPE_ZSTD) : NULL;
        const char *gzip = accept ? strcasestr(accept, FRAGMENT_TYPE_GZIP) : NULL;

        if (zstd)
                c->format = ARCHIVE_TAR_ZSTD;
        else if (gzip)
                c->format = ARCHIVE_TAR_GZIP;
}

static int refuse_body(struct reply *r, int k, const struct err *e)
{
        if (k == -ENOMEM)
                return k;
        return reply_error(r, k == -E2BIG ? 413 : 400, "bad-request", "%s", e->text);
}

/* What the body may leave out, the path has said. */
static int begin(const struct request *q, struct reply *r, enum collect_op op, bool *ret_begun)
{
        const struct bundle_host *host = ((const struct node_host *)q->host)->bundles;
        struct bundle_task *t;
        struct err e = {0};
        int k;

        if (!host)
                return reply_error(r, 503, "collector-unavailable", "this daemon collects nothing");
        t = bundle_task_new(q, host, BUNDLE_TASK_COLLECT, BEGIN_USEC);
        if (!t)
                return -ENOMEM;
        k = collect_request_read(&t->collect, q->n_body ? q->body : "{}", q->n_body ? q->n_body : 2,
                                 &e);
        if (k < 0)
                return refuse_body(r, k, &e);
        t->collect.op = op;
        t->collect.fragment = op == COLLECT_ARCHIVE;
        choose_format(&t->collect, q->accept);
        if (t->collect.format == ARCHIVE_ZIP)
                return reply_error(r, 400, "bad-request", "a fragment is no zip");
        *ret_begun = true;
        return bundle_task_start(q, host);
}

static int answer(struct bundle_task *t, struct reply *r)
{
        struct buf text = {0};

        if (t->status >= 400)
                return bundle_task_refuse(t, r);
        if (t->stream)
                return reply_stream(r, t->status,
                                    t->collect.format == ARCHIVE_TAR_GZIP ? FRAGMENT_TYPE_GZIP
                                                                          : FRAGMENT_TYPE_ZSTD,
                                    TAKE_PTR(t->stream));
        buf_append(&text, t->text, t->n_text);
        return reply_json(r, t->status, &text);
}

static int collect(const struct request *q, struct reply *r, enum collect_op op)
{
        bool begun = *q->errand != NULL;
        struct bundle_task *t;
        int k = 0;

        if (!begun)
                k = begin(q, r, op, &begun);
        if (k < 0 || !begun)
                return k;
        k = bundle_task_await(q, r, &t);
        return k == ERRAND_DONE ? answer(t, r) : k;
}

static int post_collect(const struct request *q, struct reply *r)
{
        return collect(q, r, COLLECT_ARCHIVE);
}

static int post_estimate(const struct request *q, struct reply *r)
{
        return collect(q, r, COLLECT_ESTIMATE);
}

/* clang-format off */
const struct route v2_collect_routes[] = {
        {"POST", "/system/health/v2/node/collect", post_collect, AUTHORITY_OPERATE},
        {"POST", "/system/health/v2/node/collect/estimate", post_estimate, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
