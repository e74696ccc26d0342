/*
 * Forwarding to the node daemon of this machine. What it says goes out as it is; that it does not answer
 * is said in the words of the API that was asked.
 */

#include <errno.h>
#include <stdio.h>

#include "api/cluster_answer.h"
#include "api/cluster_task.h"
#include "api/conditional.h"
#include "api/node_forward.h"
#include "base/buf.h"

/* The path was decoded when it was routed. Whatever need not be as it is goes as its number. */
static void append_path(struct buf *out, const char *path)
{
        for (const char *s = path; *s; s++) {
                unsigned char c = (unsigned char)*s;
                bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || strchr("/-._~@", c);

                if (plain)
                        buf_putc(out, *s);
                else
                        buf_printf(out, "%%%02X", c);
        }
}

/* Our own time to answer is shorter than that of the node daemon. */
static const char *shorter_prefer(char buf[static 24], const struct request *q)
{
        unsigned wait = prefer_wait(q->prefer);

        if (!wait)
                return NULL;
        (void)snprintf(buf, 24, "wait=%u",
                       wait < CLUSTER_WAIT_MAX_SECONDS ? wait : CLUSTER_WAIT_MAX_SECONDS);
        return buf;
}

static int start(const struct request *q)
{
        _cleanup_(buf_done) struct buf target = {0};
        struct request shorter = *q;
        char prefer[24];

        append_path(&target, q->path);
        if (*q->query)
                buf_printf(&target, "?%s", q->query);
        if (target.error)
                return target.error;
        shorter.prefer = shorter_prefer(prefer, q);
        return cluster_task_start(&shorter, CLUSTER_TASK_FORWARD, NULL, buf_cstr(&target));
}

typedef int refuse_fn(struct reply *r, unsigned status, const char *reason, const char *text);

static int refuse_in_text(struct reply *r, unsigned status, const char *reason, const char *text)
{
        (void)reason;
        return reply_text(r, status, "%s", text);
}

static int refuse_in_json(struct reply *r, unsigned status, const char *reason, const char *text)
{
        return reply_error(r, status, reason, "%s", text);
}

static bool nobody_answered(const struct cluster_task *t)
{
        return !t->status || (t->status >= 502 && !t->answer);
}

static int answer(const struct request *q, struct reply *r, refuse_fn *refuse)
{
        const struct cluster_task *t;

        switch (cluster_task_wait(q, r, &t)) {
        case ERRAND_ANSWERED:
                return 0;
        case ERRAND_DONE:
                if (nobody_answered(t))
                        return refuse(r, 503, "node-unreachable",
                                      "diag-agentd of this machine does not answer");
                return cluster_task_answer(t, r);
        case ERRAND_UNFINISHED:
                return refuse(r, 504, "unfinished",
                              "diag-agentd of this machine did not answer in time");
        case ERRAND_BUSY:
        default:
                return refuse(r, 503, "busy",
                              "too many requests wait, or the daemon is stopping: nothing was "
                              "done");
        }
}

static int forward(const struct request *q, struct reply *r, refuse_fn *refuse)
{
        int k = *q->errand ? 0 : start(q);

        return k < 0 ? k : answer(q, r, refuse);
}

static int forward_v1(const struct request *q, struct reply *r)
{
        return forward(q, r, refuse_in_text);
}

static int forward_v2(const struct request *q, struct reply *r)
{
        return forward(q, r, refuse_in_json);
}

/* clang-format off */
const struct route node_forward_routes[] = {
        {"GET", "/system/health/v1", forward_v1, AUTHORITY_HEALTH},
        {"GET", "/system/health/v1/logs", forward_v1, AUTHORITY_OPERATE},
        {"GET", "/system/health/v1/logs/{provider}/{entity}", forward_v1, AUTHORITY_OPERATE},
        {"GET", "/system/health/v1/node/diagnostics", forward_v1, AUTHORITY_OPERATE},
        {"PUT", "/system/health/v1/node/diagnostics/{id}", forward_v1, AUTHORITY_OPERATE},
        {"GET", "/system/health/v1/node/diagnostics/{id}", forward_v1, AUTHORITY_OPERATE},
        {"GET", "/system/health/v1/node/diagnostics/{id}/file", forward_v1, AUTHORITY_OPERATE},
        {"DELETE", "/system/health/v1/node/diagnostics/{id}", forward_v1, AUTHORITY_OPERATE},
        {"GET", "/system/health/v2/node", forward_v2, AUTHORITY_HEALTH},
        {"GET", "/system/health/v2/node/components/{name}", forward_v2, AUTHORITY_READ},
        {"PUT", "/system/health/v2/node/maintenance", forward_v2, AUTHORITY_OPERATE},
        {"DELETE", "/system/health/v2/node/maintenance", forward_v2, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
