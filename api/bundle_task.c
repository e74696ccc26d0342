/* Errands about bundles. Whatever a task needs of its request is copied: it may outlive it. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/bundle_task.h"

struct order {
        struct bundle_task task; /* what errand_data() is to everybody else */
        const struct bundle_host *host;
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

void bundle_task_fail(struct bundle_task *t, unsigned status, const char *reason, const char *fmt,
                      ...)
{
        char text[sizeof(t->error.text)];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        t->status = status;
        (void)snprintf(t->reason, sizeof(t->reason), "%s", reason);
        (void)err_set(&t->error, -EIO, "%s", text);
}

/* --- on any thread ----------------------------------------------------------------------------- */

void bundle_task_done(struct bundle_task *t)
{
        bundle_request_done(&t->request);
        collect_request_done(&t->collect);
        free(t->if_range);
        free(t->range);
        for (size_t i = 0; i < t->n_bundles; i++)
                bundle_free(t->bundles[i]);
        free(t->bundles);
        for (size_t i = 0; i < t->n_silent; i++) {
                free(t->silent[i].address);
                free(t->silent[i].error);
        }
        free(t->silent);
        for (size_t i = 0; i < t->n_masters; i++)
                free(t->masters[i]);
        free(t->masters);
        free(t->text);
        closep(&t->fd);
        stream_free(t->stream);
}

static void done(void *data)
{
        bundle_task_done(&((struct order *)data)->task);
}

/* --- on a thread of the server ----------------------------------------------------------------- */

static bool only_reads(enum bundle_task_kind kind)
{
        switch (kind) {
        case BUNDLE_TASK_CREATE:
        case BUNDLE_TASK_CANCEL:
        case BUNDLE_TASK_DELETE:
                return false;
        default:
                return true;
        }
}

struct bundle_task *bundle_task_new(const struct request *q, const struct bundle_host *host,
                                    enum bundle_task_kind kind, uint64_t end_usec)
{
        const struct errand_terms terms = {
                .n_data = sizeof(struct order),
                .run = run,
                .abandoned = abandoned,
                .done = done,
                .begin_usec = end_usec, /* it may be the second one of its request */
                .end_usec = end_usec,
                .late_status = 504,
                .only_reads = only_reads(kind),
        };
        struct order *o;

        if (errand_new_later(q->errand, &terms) < 0)
                return NULL;
        o = errand_data(*q->errand);
        o->host = host;
        o->task.kind = kind;
        o->task.fd = -1;
        (void)snprintf(o->task.caller, sizeof(o->task.caller), "%s", q->caller_name);
        return &o->task;
}

int bundle_task_start(const struct request *q, const struct bundle_host *host)
{
        return errand_start(*q->errand, host->errands, q);
}

static struct bundle_task *task_of(const struct request *q)
{
        return &((struct order *)errand_data(*q->errand))->task;
}

int bundle_task_await(const struct request *q, struct reply *r, struct bundle_task **ret)
{
        int k = errand_await(*q->errand, q, r);

        if (k == ERRAND_DONE)
                *ret = task_of(q);
        return k;
}

enum errand_result bundle_task_wait(const struct request *q, struct reply *r,
                                    struct bundle_task **ret)
{
        enum errand_result result = errand_wait(*q->errand, q, r);

        if (result == ERRAND_DONE)
                *ret = task_of(q);
        return result;
}

int bundle_task_refuse(const struct bundle_task *t, struct reply *r)
{
        if (t->retry_after > 0)
                reply_header(r, "Retry-After", "%u", t->retry_after);
        return reply_error(r, t->status, t->reason, "%s", t->error.text);
}
