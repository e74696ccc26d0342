/*
 * Bundles in API v2. All of them are the loop's, and may be another master's: each request is an errand, and what
 * is answered is a copy of what stood then.
 */

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "api/bundle_answer.h"
#include "api/v2_bundles.h"
#include "base/json_write.h"

#define BASE "/system/health/v2"

static const char *id_of(const struct request *q)
{
        return str_or(request_arg(q, "id"), "");
}

static int refuse_host(struct reply *r)
{
        return reply_error(r, 503, "no-bundles", "this daemon makes no bundles");
}

static int refuse_id(struct reply *r, const char *id)
{
        return reply_error(r, 404, "no-such-bundle", "there is no bundle %s", id);
}

/* --- answers ----------------------------------------------------------------------------------- */

static int refuse(const struct bundle_task *t, struct reply *r)
{
        if (!t->status)
                return reply_error(r, 500, "no-answer", "nothing came of it");
        return bundle_task_refuse(t, r);
}

static int answer_one(struct bundle_task *t, struct reply *r)
{
        _cleanup_(buf_done) struct buf out = {0};

        if (t->n_bundles == 0)
                return reply_error(r, 500, "no-answer", "nothing came of it");
        bundle_write(&out, t->bundles[0], true);
        buf_putc(&out, '\n');
        if (t->kind == BUNDLE_TASK_CREATE)
                reply_header(r, "Location", BASE "/bundles/%s", t->bundles[0]->id);
        return reply_json(r, t->kind == BUNDLE_TASK_CREATE ? 201 : 200, &out);
}

static void write_silent(struct json_writer *w, const struct bundle_task *t)
{
        jw_key(w, "silent");
        jw_begin_array(w);
        for (size_t i = 0; i < t->n_silent; i++) {
                jw_begin_object(w);
                jw_member_string(w, "address", t->silent[i].address);
                jw_member_string(w, "error", t->silent[i].error);
                jw_end_object(w);
        }
        jw_end_array(w);
}

static int answer_list(struct bundle_task *t, struct reply *r)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        bundle_sort(t);
        jw_begin_object(&w);
        jw_key(&w, "items");
        jw_begin_array(&w);
        for (size_t i = 0; i < t->n_bundles; i++) {
                if (i > 0)
                        buf_putc(&out, ',');
                bundle_write(&out, t->bundles[i], false);
        }
        jw_end_array(&w);
        jw_member_uint(&w, "total", t->n_bundles);
        write_silent(&w, t);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return reply_json(r, 200, &out);
}

static const char *type_of(const char *file_name)
{
        static const struct {
                const char *end, *type;
        } types[] = {
                {".zip",     "application/zip" },
                {".tar.gz",  "application/gzip"},
                {".tar.zst", "application/zstd"},
        };
        size_t n = strlen(file_name);

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                size_t n_end = strlen(types[i].end);

                if (n > n_end && streq(file_name + n - n_end, types[i].end))
                        return types[i].type;
        }
        return "application/octet-stream";
}

static int answer_text(const struct bundle_task *t, struct reply *r)
{
        _cleanup_(buf_done) struct buf out = {0};

        buf_append(&out, t->text, t->n_text);
        return reply_json(r, 200, &out);
}

static int answer(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k = bundle_task_await(q, r, &t);

        if (k != ERRAND_DONE)
                return k;
        if (t->kind == BUNDLE_TASK_FILE && t->status == 416)
                return bundle_answer_beyond(t, r);
        if (!t->status || t->status >= 400)
                return refuse(t, r);
        switch (t->kind) {
        case BUNDLE_TASK_LIST:
                return answer_list(t, r);
        case BUNDLE_TASK_FILE:
                return bundle_answer_file(q, r, t, type_of(t->file_name), t->file_name);
        case BUNDLE_TASK_ESTIMATE:
                return answer_text(t, r);
        default:
                return answer_one(t, r);
        }
}

/* Another master asks: whoever asked others in turn would never come to an end. */
static bool wants_own(const struct request *q)
{
        char own[8];

        return request_query(q, "own", own, sizeof(own)) && !streq(own, "0");
}

/* --- questions --------------------------------------------------------------------------------- */

static int get_bundles(const struct request *q, struct reply *r)
{
        const struct bundle_host *host = bundle_host_of(q);
        struct bundle_task *t;
        int k;

        if (*q->errand)
                return answer(q, r);
        if (!host)
                return refuse_host(r);
        t = bundle_task_new(q, host, BUNDLE_TASK_LIST, 0);
        if (!t)
                return -ENOMEM;
        t->own_only = wants_own(q);
        k = bundle_task_start(q, host);
        return k < 0 ? k : answer(q, r);
}

static int do_to_one(const struct request *q, struct reply *r, enum bundle_task_kind kind)
{
        const struct bundle_host *host = bundle_host_of(q);
        struct bundle_task *t;
        int k;

        if (*q->errand)
                return answer(q, r);
        if (!host)
                return refuse_host(r);
        if (!bundle_id_is_valid(id_of(q)))
                return refuse_id(r, id_of(q));
        t = bundle_task_new(q, host, kind, 0);
        if (!t)
                return -ENOMEM;
        (void)snprintf(t->id, sizeof(t->id), "%s", id_of(q));
        t->own_only = wants_own(q);
        k = bundle_task_start(q, host);
        return k < 0 ? k : answer(q, r);
}

static int get_bundle(const struct request *q, struct reply *r)
{
        return do_to_one(q, r, BUNDLE_TASK_GET);
}

static int delete_bundle(const struct request *q, struct reply *r)
{
        return do_to_one(q, r, BUNDLE_TASK_DELETE);
}

static int cancel_bundle(const struct request *q, struct reply *r)
{
        return do_to_one(q, r, BUNDLE_TASK_CANCEL);
}

static int get_file(const struct request *q, struct reply *r)
{
        const struct bundle_host *host = bundle_host_of(q);
        int k;

        if (*q->errand)
                return answer(q, r);
        if (!host)
                return refuse_host(r);
        if (!bundle_id_is_valid(id_of(q)))
                return refuse_id(r, id_of(q));
        k = bundle_file_begin(q, host, id_of(q), wants_own(q));
        return k < 0 ? k : answer(q, r);
}

/* --- what asks with a body --------------------------------------------------------------------- */

/* Without a Content-Type it is taken for what it should be. Parameters do not matter. */
static bool body_may_be_json(const struct request *q)
{
        static const char json[] = "application/json";
        const char *type = str_or(q->content_type, json);

        return strncasecmp(type, json, strlen(json)) == 0 && strchr("; \t", type[strlen(json)]);
}

/* Nothing is the same as {}: everything as it is by default. */
static int read_body(const struct request *q, struct bundle_task *t, struct err *e)
{
        const char *body = q->n_body ? q->body : "{}";

        return bundle_request_read(&t->request, t->id, body, q->n_body ? q->n_body : strlen(body),
                                   e);
}

static int ask_with_body(const struct request *q, struct reply *r, enum bundle_task_kind kind)
{
        const struct bundle_host *host = bundle_host_of(q);
        struct bundle_task *t;
        struct err e = {0};
        int k;

        if (!body_may_be_json(q))
                return reply_error(r, 415, "not-json", "the body must be application/json");
        t = bundle_task_new(q, host, kind, 0);
        if (!t)
                return -ENOMEM;
        k = read_body(q, t, &e);
        if (k == -ENOMEM)
                return k;
        if (k < 0)
                return reply_error(r, 400, "bad-request", "%s", e.text);
        if (streq(t->id, "estimate"))
                return reply_error(r, 400, "bad-request", "id is a word of the API: %s", t->id);
        k = bundle_task_start(q, host);
        return k < 0 ? k : answer(q, r);
}

static int post_bundle(const struct request *q, struct reply *r)
{
        if (*q->errand)
                return answer(q, r);
        return bundle_host_of(q) ? ask_with_body(q, r, BUNDLE_TASK_CREATE) : refuse_host(r);
}

/* GET: of the default */
static int estimate(const struct request *q, struct reply *r)
{
        if (*q->errand)
                return answer(q, r);
        return bundle_host_of(q) ? ask_with_body(q, r, BUNDLE_TASK_ESTIMATE) : refuse_host(r);
}

/* "estimate" stands before the ids; no bundle can be called so. */
/* clang-format off */
const struct route v2_bundle_routes[] = {
        {"GET", BASE "/bundles", get_bundles, AUTHORITY_OPERATE},
        {"POST", BASE "/bundles", post_bundle, AUTHORITY_OPERATE},
        {"GET", BASE "/bundles/estimate", estimate, AUTHORITY_OPERATE},
        {"POST", BASE "/bundles/estimate", estimate, AUTHORITY_OPERATE},
        {"GET", BASE "/bundles/{id}", get_bundle, AUTHORITY_OPERATE},
        {"DELETE", BASE "/bundles/{id}", delete_bundle, AUTHORITY_OPERATE},
        {"POST", BASE "/bundles/{id}/cancel", cancel_bundle, AUTHORITY_OPERATE},
        {"GET", BASE "/bundles/{id}/file", get_file, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
