#pragma once

/*
 * A daemon that makes bundles as a test says: what its tasks come to is a script, and what was asked of it is kept.
 * The routes of all three APIs are at its door.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "api/bundle_answer.h"
#include "api/v1_bundles.h"
#include "api/v1_legacy.h"
#include "api/v2_bundles.h"
#include "base/mono.h"
#include "tests/unit/test_main.h"

#define TASKS_MAX 3u

/* --- the daemon -------------------------------------------------------------------------------- */

/** What comes of a task. */
struct outcome {
        unsigned status; /* 0: nothing */
        const char *reason, *error;
        const char *bundles[4]; /* JSON, for bundle_read() */
        const char *silent;     /* the address of a master that says nothing */
        const char *master;     /* of another one that answered */
        const char *text;
        const char *file; /* its content */
        bool stream;      /* of it, from @from, @n bytes */
        const char *name; /* of the file */
        uint64_t from, n, size;
        unsigned retry_after;
};

static struct bundle_daemon {
        struct loop *loop;
        struct parked *parked;
        struct bundle_host host;
        const struct bundle_host *first; /* what request->host begins with */
        struct outcome script[TASKS_MAX];
        size_t n_tasks;
        struct {
                enum bundle_task_kind kind;
                bool own_only;
                char id[BUNDLE_ID_MAX], request[512], range[64], caller[AUTHORITY_NAME_MAX];
        } asked[TASKS_MAX];
        unsigned n_abandoned;
} d;

static void note_task(const struct bundle_task *t)
{
        _cleanup_(buf_done) struct buf request = {0};

        ck_assert_uint_lt(d.n_tasks, TASKS_MAX);
        bundle_request_write(&request, &t->request);
        d.asked[d.n_tasks].kind = t->kind;
        d.asked[d.n_tasks].own_only = t->own_only;
        (void)snprintf(d.asked[d.n_tasks].id, BUNDLE_ID_MAX, "%s", t->id);
        (void)snprintf(d.asked[d.n_tasks].request, 512, "%s", buf_cstr(&request));
        (void)snprintf(d.asked[d.n_tasks].range, 64, "%s", str_or(t->range, ""));
        (void)snprintf(d.asked[d.n_tasks].caller, AUTHORITY_NAME_MAX, "%s", t->caller);
}

static void give_bundles(struct bundle_task *t, const struct outcome *o)
{
        struct err e = {0};

        t->bundles = calloc(ELEMENTSOF(o->bundles), sizeof(struct bundle *));
        for (; t->n_bundles < ELEMENTSOF(o->bundles) && o->bundles[t->n_bundles]; t->n_bundles++)
                ck_assert_msg(bundle_read(&t->bundles[t->n_bundles], o->bundles[t->n_bundles],
                                          strlen(o->bundles[t->n_bundles]), &e) == 0,
                              "%s", e.text);
        if (o->master) {
                t->masters = calloc(1, sizeof(char *));
                t->masters[0] = strdup(o->master);
                t->n_masters = 1;
        }
        if (!o->silent)
                return;
        t->silent = calloc(1, sizeof(*t->silent));
        t->n_silent = 1;
        t->silent[0].address = strdup(o->silent);
        t->silent[0].error = strdup("timed out");
}

static int file_with(const char *content)
{
        int fd = memfd_create("bundle", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
        return fd;
}

static void give_file(struct bundle_task *t, const struct outcome *o)
{
        t->size = o->size;
        t->from = o->from;
        t->n = o->n;
        if (!o->file)
                return;
        t->mtime_usec = UINT64_C(1600000000) * USEC_PER_SEC;
        t->size = o->size ? o->size : strlen(o->file);
        (void)snprintf(t->file_name, sizeof(t->file_name), "%s", o->name);
        if (o->stream)
                ck_assert_int_eq(stream_new(&t->stream, file_with(o->file), o->n, USEC_PER_SEC, 0,
                                            NULL, NULL),
                                 0);
        else
                t->fd = file_with(o->file);
}

static void bundle_begin(void *userdata, struct errand *e, struct bundle_task *t)
{
        const struct outcome *o = &d.script[d.n_tasks];

        ck_assert_ptr_eq(userdata, &d);
        note_task(t);
        d.n_tasks++;
        t->status = o->status;
        t->retry_after = o->retry_after;
        (void)snprintf(t->reason, sizeof(t->reason), "%s", str_or(o->reason, ""));
        if (o->error)
                (void)err_set(&t->error, -EIO, "%s", o->error);
        give_bundles(t, o);
        give_file(t, o);
        if (o->text) {
                t->text = strdup(o->text);
                t->n_text = strlen(o->text);
        }
        errand_finish(e);
}

static const struct bundle_ops bundle_ops = {.begin = bundle_begin};

static void bundle_set_up(void)
{
        d = (struct bundle_daemon){
                .host = {.ops = &bundle_ops,
                         .userdata = &d,
                         .cluster = true,
                         .address = "10.0.0.1",
                         .port = 1050,
                         .directory = "/var/lib/bundles"},
        };
        d.first = &d.host;
        ck_assert_int_eq(loop_new(&d.loop), 0);
        ck_assert_int_eq(parked_new(&d.parked), 0);
        ck_assert_int_eq(errands_new(&d.host.errands, d.loop, d.parked), 0);
}

static void bundle_tear_down(void)
{
        errands_free(d.host.errands);
        parked_free(d.parked);
        loop_free(d.loop);
}

/* --- requests ---------------------------------------------------------------------------------- */

struct question {
        const char *method, *target;
        const char *body, *content_type, *range;
        bool may_not_park;
};

static const struct route *const bundle_tables[] = {
        v2_bundle_routes, v1_node_bundle_routes, v1_cluster_bundle_routes, v1_legacy_routes, NULL};
static const struct router bundle_router = {.tables = bundle_tables};

struct bundle_exchange {
        struct route_match match;
        struct request q;
        struct errand *errand;
        struct reply r;
};

static void bundle_exchange_done(struct bundle_exchange *x)
{
        reply_done(&x->r);
        errand_unref(x->errand);
}

static void bundle_exchange_begin(struct bundle_exchange *x, const struct question *a)
{
        ck_assert_msg(route_resolve(&bundle_router, a->method, a->target, &x->match) == ROUTE_FOUND,
                      "%s %s", a->method, a->target);
        ck_assert_int_eq(x->match.route->least, AUTHORITY_OPERATE);
        x->errand = NULL;
        x->r = (struct reply){0};
        x->q = (struct request){
                .method = a->method,
                .path = x->match.path,
                .query = x->match.query,
                .n_args = x->match.n_args,
                .body = str_or(a->body, ""),
                .n_body = strlen(str_or(a->body, "")),
                .content_type = a->content_type,
                .range = a->range,
                .caller = {.class = AUTHORITY_OPERATE},
                .caller_name = "uid 1000",
                .errand = &x->errand,
                .received_mono_usec = now_mono_usec(),
                .may_park = !a->may_not_park,
                .host = (void *)&d.first,
        };
        for (size_t i = 0; i < x->match.n_args; i++) {
                x->q.args[i].name = x->match.args[i].name;
                x->q.args[i].value = x->match.args[i].value;
        }
}

/* As the server does it: once, and again whenever the loop has turned. */
static void bundle_ask(struct bundle_exchange *x, const struct question *a)
{
        bundle_exchange_begin(x, a);
        for (size_t i = 0; i <= TASKS_MAX; i++) {
                ck_assert_int_eq(x->match.route->handle(&x->q, &x->r), 0);
                if (x->r.status)
                        return;
                ck_assert_uint_gt(x->r.park_until_mono_usec, 0);
                reply_done(&x->r);
                while (sd_event_run(loop_event(d.loop), 0) > 0)
                        ;
        }
        ck_abort_msg("%s %s has no end", a->method, a->target);
}

static const char *body_of(const struct bundle_exchange *x)
{
        return x->r.body ? blob_data(x->r.body) : "";
}

static const char *header_of(const struct bundle_exchange *x, const char *name)
{
        for (size_t i = 0; i < x->r.n_headers; i++)
                if (streq(x->r.headers[i].name, name))
                        return x->r.headers[i].value;
        return "";
}
