/*
 * The old bundle API, on top of the same jobs. Its spelling is kept, to the last blank: scripts compare it. No
 * newline ends its JSON. Only zips are shown: who speaks this API can open nothing else.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/bundle_answer.h"
#include "api/v1_bundle_json.h"
#include "api/v1_bundles.h"
#include "base/json_write.h"

#define BASE "/system/health/v1"

static const char *id_of(const struct request *q)
{
        return str_or(request_arg(q, "id"), "");
}

/* --- words ------------------------------------------------------------------------------------- */

/* {"code":404,"error":"…"} */
static int spell_refusal(struct reply *r, unsigned status, const char *text)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        jw_member_uint(&w, "code", status);
        jw_member_string(&w, "error", text);
        jw_end_object(&w);
        reply_header(r, "X-Content-Type-Options", "nosniff");
        return reply_json(r, status, &out);
}

_printf_(3, 4) static int refuse(struct reply *r, unsigned status, const char *fmt, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        return spell_refusal(r, status, text);
}

static int refuse_plainly(struct reply *r)
{
        return reply_text(r, 404, "404 page not found");
}

static int refuse_host(struct reply *r)
{
        return refuse(r, 503, "this daemon makes no bundles");
}

static bool is_failure(const struct bundle_task *t)
{
        return !t->status || t->status >= 400;
}

static const char *error_of(const struct bundle_task *t)
{
        return str_or(t->error.text, str_or(t->reason, "nothing came of it"));
}

static int answer_bundle(struct reply *r, unsigned status, const struct bundle *b)
{
        _cleanup_(buf_done) struct buf out = {0};

        bundle_write_v1(&out, b);
        return reply_json(r, status, &out);
}

/* What cannot be read may be anything; a node daemon has nothing but zips. */
static bool is_shown(const struct bundle_host *host, const struct bundle *b)
{
        return !host->cluster || b->state == BUNDLE_UNKNOWN || b->request.format == ARCHIVE_ZIP;
}

static int answer_list(struct reply *r, const struct bundle_host *host, struct bundle_task *t)
{
        _cleanup_(buf_done) struct buf out = {0};
        bool first = true;

        bundle_sort(t);
        buf_putc(&out, '[');
        for (size_t i = 0; i < t->n_bundles; i++) {
                if (!is_shown(host, t->bundles[i]))
                        continue;
                if (!first)
                        buf_putc(&out, ',');
                bundle_write_v1(&out, t->bundles[i]);
                first = false;
        }
        buf_putc(&out, ']');
        return reply_json(r, 200, &out);
}

/* --- questions --------------------------------------------------------------------------------- */

/* A task is begun at the first run of a handler, and told at the last. NULL: @ret is what to return. */
static struct bundle_task *told(const struct request *q, struct reply *r, int *ret)
{
        struct bundle_task *t = NULL;

        *ret = bundle_task_await(q, r, &t);
        return *ret == ERRAND_DONE ? t : NULL;
}

static int begin_list(const struct request *q)
{
        struct bundle_task *t = bundle_task_new(q, bundle_host_of(q), BUNDLE_TASK_LIST, 0);

        return t ? bundle_task_start(q, bundle_host_of(q)) : -ENOMEM;
}

static int begin_on(const struct request *q, enum bundle_task_kind kind)
{
        struct bundle_task *t = bundle_task_new(q, bundle_host_of(q), kind, 0);

        if (!t)
                return -ENOMEM;
        (void)snprintf(t->id, sizeof(t->id), "%s", id_of(q));
        return bundle_task_start(q, bundle_host_of(q));
}

/* The task of @kind for the id of the path. NULL: @ret is what to return; of an id that none has, @r says nothing. */
static struct bundle_task *ask_about(const struct request *q, struct reply *r,
                                     enum bundle_task_kind kind, int *ret)
{
        if (!*q->errand && !bundle_host_of(q)) {
                *ret = refuse_host(r);
                return NULL;
        }
        *ret = *q->errand ? 0 : begin_on(q, kind);
        return *ret < 0 ? NULL : told(q, r, ret);
}

/* --- lists ------------------------------------------------------------------------------------- */

static int get_own_list(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        if (!*q->errand && !bundle_host_of(q))
                return refuse_host(r);
        k = *q->errand ? 0 : begin_list(q);
        t = k < 0 ? NULL : told(q, r, &k);
        if (!t)
                return k;
        if (is_failure(t))
                return refuse(r, 507, "could not read work dir: %s", error_of(t));
        return answer_list(r, bundle_host_of(q), t);
}

static int refuse_silent(struct reply *r, const struct bundle_task *t)
{
        _cleanup_(buf_done) struct buf text = {0};

        for (size_t i = 0; i < t->n_silent; i++)
                buf_printf(&text, "%s%s: %s", i > 0 ? "\n" : "", t->silent[i].address,
                           t->silent[i].error);
        return refuse(r, 500, "unable to get list of bundles from all masters: %s",
                      t->n_silent ? buf_cstr(&text) : error_of(t));
}

static int get_list(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        if (!*q->errand && !bundle_host_of(q))
                return refuse_host(r);
        k = *q->errand ? 0 : begin_list(q);
        t = k < 0 ? NULL : told(q, r, &k);
        if (!t)
                return k;
        if (is_failure(t) || t->n_silent > 0)
                return refuse_silent(r, t);
        return answer_list(r, bundle_host_of(q), t);
}

/* --- to make one ------------------------------------------------------------------------------- */

static int add_word(struct bundle_request *request, const char *word)
{
        request->nodes = calloc(1, sizeof(char *));
        if (!request->nodes)
                return -ENOMEM;
        request->nodes[0] = strdup(word);
        if (!request->nodes[0])
                return -ENOMEM;
        request->n_nodes = 1;
        return 0;
}

/* @word: which nodes; NULL: it is a node's own */
static int begin_create(const struct request *q, const char *word)
{
        struct bundle_task *t = bundle_task_new(q, bundle_host_of(q), BUNDLE_TASK_CREATE, 0);

        if (!t)
                return -ENOMEM;
        (void)snprintf(t->id, sizeof(t->id), "%s", id_of(q));
        t->request.format = ARCHIVE_ZIP;
        if (word && add_word(&t->request, word) < 0)
                return -ENOMEM;
        return bundle_task_start(q, bundle_host_of(q));
}

static int answer_created(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        t = told(q, r, &k);
        if (!t)
                return k;
        if (t->retry_after)
                reply_header(r, "Retry-After", "%u", t->retry_after);
        if (t->status == 409)
                return refuse(r, 409, "bundle %s already exists", id_of(q));
        if (t->status == 507)
                return refuse(r, 507, "could not create bundle %s workdir: %s", id_of(q),
                              error_of(t));
        if (is_failure(t) || t->n_bundles == 0)
                return refuse(r, t->status >= 400 ? t->status : 500, "%s", error_of(t));
        return answer_bundle(r, 200, t->bundles[0]);
}

static int refuse_id(struct reply *r)
{
        return refuse(r, 400,
                      "an id is 1 to 128 of letters, digits, '.', '_' and '-', the first no '.'");
}

/* The body says nothing that matters here. */
static int put_own(const struct request *q, struct reply *r)
{
        int k;

        if (*q->errand)
                return answer_created(q, r);
        if (!bundle_host_of(q))
                return refuse_host(r);
        if (!bundle_id_is_valid(id_of(q)))
                return refuse_id(r);
        k = begin_create(q, NULL);
        return k < 0 ? k : answer_created(q, r);
}

static const char *word_for(bool masters, bool agents)
{
        if (masters)
                return agents ? "all" : "masters";
        return agents ? "agents" : "none";
}

static int put_bundle(const struct request *q, struct reply *r)
{
        bool masters, agents;
        struct err e = {0};
        int k;

        if (*q->errand)
                return answer_created(q, r);
        if (!bundle_host_of(q))
                return refuse_host(r);
        if (v1_bundle_body_read(&masters, &agents, q->body, q->n_body, &e) < 0)
                return refuse(r, 400, "could not parse request body %s", e.text);
        if (!bundle_id_is_valid(id_of(q)))
                return refuse_id(r);
        k = begin_create(q, word_for(masters, agents));
        return k < 0 ? k : answer_created(q, r);
}

/* --- one of them ------------------------------------------------------------------------------- */

/* It is there, and is for this API. */
static bool has_bundle(const struct request *q, const struct bundle_task *t)
{
        return !is_failure(t) && t->n_bundles > 0 && is_shown(bundle_host_of(q), t->bundles[0]);
}

static int get_own(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        if (!bundle_id_is_valid(id_of(q)))
                return refuse_plainly(r);
        t = ask_about(q, r, BUNDLE_TASK_GET, &k);
        if (!t)
                return k;
        if (t->status == 404)
                return refuse_plainly(r);
        if (!has_bundle(q, t))
                return refuse(r, 500, "%s", error_of(t));
        return answer_bundle(r, t->bundles[0]->state == BUNDLE_UNKNOWN ? 500 : 200, t->bundles[0]);
}

static int get_bundle(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        if (!bundle_id_is_valid(id_of(q)))
                return refuse(r, 404, "bundle %s did not exist on any masters", id_of(q));
        t = ask_about(q, r, BUNDLE_TASK_GET, &k);
        if (!t)
                return k;
        if (t->status == 404 || (!is_failure(t) && !has_bundle(q, t)))
                return refuse(r, 404, "bundle %s did not exist on any masters", id_of(q));
        if (is_failure(t) || t->bundles[0]->state == BUNDLE_UNKNOWN)
                return refuse(r, 500, "bundle %s not readable", id_of(q));
        return answer_bundle(r, 200, t->bundles[0]);
}

/* One that runs is deleted as soon as it has ended: who asks is told what it will be. */
static int delete_own(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        if (!bundle_id_is_valid(id_of(q)))
                return refuse_plainly(r);
        t = ask_about(q, r, BUNDLE_TASK_DELETE, &k);
        if (!t)
                return k;
        if (t->status == 404)
                return refuse_plainly(r);
        if (is_failure(t) || t->n_bundles == 0)
                return refuse(r, 500, "could not delete bundle %s: %s", id_of(q), error_of(t));
        t->bundles[0]->state = BUNDLE_DELETED;
        return answer_bundle(r, 200, t->bundles[0]);
}

static int delete_bundle(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        if (!bundle_id_is_valid(id_of(q)))
                return refuse(r, 404, "bundle %s not found on any master", id_of(q));
        t = ask_about(q, r, BUNDLE_TASK_DELETE, &k);
        if (!t)
                return k;
        if (t->status == 404)
                return refuse(r, 404, "bundle %s not found on any master", id_of(q));
        if (is_failure(t))
                return refuse(r, 500, "bundle %s not readable", id_of(q));
        return reply_empty(r, 200);
}

/* --- files ------------------------------------------------------------------------------------- */

static bool is_zip(const struct bundle_task *t)
{
        size_t n = strlen(t->file_name);

        return n > 4 && streq(t->file_name + n - 4, ".zip");
}

static int send_file(const struct request *q, struct reply *r, struct bundle_task *t)
{
        char name[BUNDLE_ID_MAX + 8];

        (void)snprintf(name, sizeof(name), "%s.zip", id_of(q));
        return bundle_answer_file(q, r, t, "application/zip", name);
}

/* A node's daemon says why not in the words of this API: "bundle X was Deleted". */
static int refuse_own_file(const struct request *q, struct reply *r, const struct bundle_task *t)
{
        if (!is_failure(t))
                return refuse(r, 404, "bundle %s not found", id_of(q));
        return refuse(r, t->status ? t->status : 500, "%s", error_of(t));
}

static int refuse_file(const struct request *q, struct reply *r, const struct bundle_task *t)
{
        if (t->status == 404 || t->status == 410 || !is_failure(t))
                return refuse(r, 404, "bundle %s not found", id_of(q));
        return refuse(r, 500, "bundle %s not readable", id_of(q));
}

typedef int refuse_fn(const struct request *q, struct reply *r, const struct bundle_task *t);

static int get_any_file(const struct request *q, struct reply *r, refuse_fn *refuse_it)
{
        struct bundle_task *t;
        int k;

        if (!*q->errand && !bundle_host_of(q))
                return refuse_host(r);
        if (!bundle_id_is_valid(id_of(q)))
                return refuse(r, 404, "bundle %s not found", id_of(q));
        k = *q->errand ? 0 : bundle_file_begin(q, bundle_host_of(q), id_of(q), false);
        t = k < 0 ? NULL : told(q, r, &k);
        if (!t)
                return k;
        if (t->status == 416)
                return bundle_answer_beyond(t, r);
        return is_failure(t) || !is_zip(t) ? refuse_it(q, r, t) : send_file(q, r, t);
}

static int get_own_file(const struct request *q, struct reply *r)
{
        return get_any_file(q, r, refuse_own_file);
}

static int get_file(const struct request *q, struct reply *r)
{
        return get_any_file(q, r, refuse_file);
}

/* clang-format off */
const struct route v1_node_bundle_routes[] = {
        {"GET", BASE "/node/diagnostics", get_own_list, AUTHORITY_OPERATE},
        /* Go's client, which masters of the service that we replace ask with, names no type of what it puts. */
        {"PUT", BASE "/node/diagnostics/{id}", put_own, AUTHORITY_OPERATE, .untyped = true},
        {"GET", BASE "/node/diagnostics/{id}", get_own, AUTHORITY_OPERATE},
        {"DELETE", BASE "/node/diagnostics/{id}", delete_own, AUTHORITY_OPERATE},
        {"GET", BASE "/node/diagnostics/{id}/file", get_own_file, AUTHORITY_OPERATE},
        {0},
};

const struct route v1_cluster_bundle_routes[] = {
        {"GET", BASE "/diagnostics", get_list, AUTHORITY_OPERATE},
        {"PUT", BASE "/diagnostics/{id}", put_bundle, AUTHORITY_OPERATE},
        {"GET", BASE "/diagnostics/{id}", get_bundle, AUTHORITY_OPERATE},
        {"DELETE", BASE "/diagnostics/{id}", delete_bundle, AUTHORITY_OPERATE},
        {"GET", BASE "/diagnostics/{id}/file", get_file, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
