/* Errands of the cluster. Whatever a task needs of its request is copied: it may outlive it. */

#include <errno.h>
#include <stdio.h>

#include "api/cluster_task.h"
#include "base/mono.h"

struct order {
        struct cluster_task task; /* what errand_data() is to everybody else */
        const struct cluster_host *host;
};

/* --- on the loop ------------------------------------------------------------------------------- */

static enum errand_progress run(struct errand *e, void *data)
{
        struct order *o = data;

        o->host->ops->begin(o->host->userdata, e, &o->task);
        return ERRAND_LATER;
}

static void abandoned(struct errand *e, void *data)
{
        struct order *o = data;

        if (o->host->ops->abandoned)
                o->host->ops->abandoned(o->host->userdata, e, &o->task);
}

static void done(void *data)
{
        struct cluster_task *t = &((struct order *)data)->task;

        free(t->node);
        free(t->method);
        free(t->target);
        free(t->body);
        free(t->content_type);
        free(t->if_none_match);
        free(t->prefer);
        blob_unref(t->answer);
}

/* --- on a thread of the server ----------------------------------------------------------------- */

/* NULL stays NULL, and is no failure. */
static bool copy(char **ret, const char *s)
{
        *ret = s ? strdup(s) : NULL;
        return !s || *ret;
}

static bool copy_body(struct cluster_task *t, const struct request *q)
{
        t->body = malloc(q->n_body + 1);
        if (!t->body)
                return false;
        memcpy(t->body, str_or(q->body, ""), q->n_body);
        t->body[q->n_body] = '\0';
        t->n_body = q->n_body;
        return true;
}

static bool fill(struct cluster_task *t, const struct request *q, const char *node,
                 const char *target)
{
        t->class = q->caller.class;
        t->output = q->caller.output;
        (void)snprintf(t->caller, sizeof(t->caller), "%s", q->caller_name);
        return copy(&t->node, node) && copy(&t->target, target) && copy(&t->method, q->method) &&
               copy(&t->content_type, q->content_type) &&
               copy(&t->if_none_match, q->if_none_match) && copy(&t->prefer, q->prefer) &&
               copy_body(t, q);
}

static uint64_t end_of(enum cluster_task_kind kind)
{
        return kind == CLUSTER_TASK_ASK_NODE ? CLUSTER_ASK_USEC : CLUSTER_ROUND_USEC;
}

static bool only_reads(enum cluster_task_kind kind, const struct request *q)
{
        return kind == CLUSTER_TASK_ROUND || kind == CLUSTER_TASK_ASK_NODE ||
               (kind == CLUSTER_TASK_FORWARD && streq(q->method, "GET"));
}

int cluster_task_start(const struct request *q, enum cluster_task_kind kind, const char *node,
                       const char *target)
{
        const struct errand_terms terms = {
                .n_data = sizeof(struct order),
                .run = run,
                .abandoned = abandoned,
                .done = done,
                .end_usec = end_of(kind),
                .late_status = 504,
                .only_reads = only_reads(kind, q),
        };
        const struct cluster_host *host = q->host;
        struct order *o;
        int k;

        k = errand_new_later(q->errand, &terms);
        if (k < 0)
                return k;
        o = errand_data(*q->errand);
        o->host = host;
        o->task.kind = kind;
        if (!fill(&o->task, q, node, target))
                return -ENOMEM;
        return errand_start(*q->errand, host->errands, q);
}

static const struct cluster_task *task_of(const struct request *q)
{
        return &((const struct order *)errand_data(*q->errand))->task;
}

enum errand_result cluster_task_wait(const struct request *q, struct reply *r,
                                     const struct cluster_task **ret)
{
        enum errand_result result = errand_wait(*q->errand, q, r);

        if (result == ERRAND_DONE)
                *ret = task_of(q);
        return result;
}

int cluster_task_await(const struct request *q, struct reply *r, const struct cluster_task **ret)
{
        int k = errand_await(*q->errand, q, r);

        if (k == ERRAND_DONE)
                *ret = task_of(q);
        return k;
}

static void add_header(struct reply *r, const char *name, const char *value)
{
        if (*value)
                reply_header(r, name, "%s", value);
}

int cluster_task_answer(const struct cluster_task *t, struct reply *r)
{
        add_header(r, "ETag", t->etag);
        add_header(r, "Preference-Applied", t->preference_applied);
        add_header(r, "Diag-Confirmed-Age", t->confirmed_age);
        add_header(r, "Location", t->location);
        if (!t->status)
                return reply_error(r, 500, "no-answer", "nothing came of it");
        if (!t->answer)
                return reply_empty(r, t->status);
        if (t->status >= 400 && strncmp(t->answer_type, "text/", strlen("text/")) != 0)
                reply_header(r, "X-Content-Type-Options", "nosniff"); /* as reply_error() */
        return reply_blob(r, t->status, str_or(t->answer_type, "application/json"),
                          blob_ref(t->answer));
}
