/*
 * The node's maintenance flag is the loop's, and is written to disk: so both requests are errands,
 * and what they answer is a copy that the loop has made of the flag as it stands then.
 */

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "api/maintenance_json.h"
#include "api/node_answer.h"
#include "api/v2_maintenance.h"
#include "base/json_write.h"
#include "model/report_json.h"

struct task {
        const struct node_host *host;
        bool start; /* else stop */
        struct maintenance_body wanted;
        char by[sizeof(((struct request *)NULL)->caller_name)];

        /* what came of it */
        int error;
        struct err e;
        bool on;
        struct diag_maintenance now;
        char now_reason[MAINTENANCE_BODY_REASON_MAX + 1], now_by[256];
};

/* --- on the loop ------------------------------------------------------------------------------ */

static void note_outcome(struct task *t, const struct diag_maintenance *m)
{
        t->on = m != NULL;
        if (!m)
                return;
        (void)snprintf(t->now_reason, sizeof(t->now_reason), "%s", m->reason);
        (void)snprintf(t->now_by, sizeof(t->now_by), "%s", m->by);
        t->now = *m;
        t->now.reason = t->now_reason;
        t->now.by = t->now_by;
}

static void run(void *data)
{
        struct task *t = data;
        const struct node_ops *ops = t->host->ops;
        void *userdata = t->host->userdata;

        if (t->start)
                t->error = ops->start_maintenance(userdata, t->wanted.for_usec, t->wanted.reason,
                                                  t->by, &t->e);
        else
                t->error = ops->stop_maintenance(userdata, &t->e);
        if (t->error >= 0)
                note_outcome(t, ops->maintenance(userdata));
}

/* --- on a thread of the server ---------------------------------------------------------------- */

static int answer_failure(const struct task *t, struct reply *r)
{
        const char *text = str_or(t->e.text, strerror(-t->error));

        if (t->error == -ENOSPC || t->error == -EDQUOT)
                return reply_error(r, 507, "no-space", "nothing has changed: %s", text);
        return reply_error(r, 500, "not-saved", "nothing has changed: %s", text);
}

static int answer(const struct task *t, struct reply *r)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};

        if (t->error < 0)
                return answer_failure(t, r);
        jw_begin_object(&w);
        jw_key(&w, "maintenance");
        diag_maintenance_write(&w, t->on ? &t->now : NULL);
        jw_end_object(&w);
        buf_putc(&b, '\n');
        return reply_json(r, 200, &b);
}

/* @body: NULL for stop */
static int begin(const struct request *q, const struct maintenance_body *body)
{
        const struct node_host *host = q->host;
        struct task *t;
        int k;

        k = errand_new(q->errand, sizeof(*t), run);
        if (k < 0)
                return k;
        t = errand_data(*q->errand);
        t->host = host;
        t->start = body != NULL;
        if (body)
                t->wanted = *body;
        memcpy(t->by, q->caller_name, sizeof(t->by));
        return errand_start(*q->errand, host->errands, q);
}

static int await(const struct request *q, struct reply *r)
{
        int k = errand_await(*q->errand, q, r);

        return k == ERRAND_DONE ? answer(errand_data(*q->errand), r) : k;
}

/* Without a Content-Type it is taken for what it should be. Parameters do not matter. */
static bool body_may_be_json(const struct request *q)
{
        static const char json[] = "application/json";
        const char *type = str_or(q->content_type, json);

        return strncasecmp(type, json, strlen(json)) == 0 && strchr("; \t", type[strlen(json)]);
}

int v2_put_maintenance(const struct request *q, struct reply *r)
{
        struct maintenance_body body;
        struct err e;
        int k;

        if (*q->errand)
                return await(q, r);
        if (!body_may_be_json(q))
                return reply_error(r, 415, "not-json", "the body must be application/json");
        if (maintenance_body_from_json(&body, q->body, q->n_body, &e) < 0)
                return reply_error(r, 400, "bad-request", "%s", e.text);
        k = begin(q, &body);
        return k < 0 ? k : await(q, r);
}

int v2_delete_maintenance(const struct request *q, struct reply *r)
{
        int k = *q->errand ? 0 : begin(q, NULL);

        return k < 0 ? k : await(q, r);
}
