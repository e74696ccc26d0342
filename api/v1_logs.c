/*
 * The collector says what there is, and reads it; here is how it is called. An entity is asked for in two steps: the
 * list, which tells whose name that is, then the source. What is short is held back until its end, so that what
 * failed is no answer of 200.
 *
 * All errors are 503, as before: whoever collects by this API takes anything else for a broken connection.
 */

#include <errno.h>
#include <stdio.h>

#include "api/bundle_task.h"
#include "api/node_answer.h"
#include "api/v1_logs.h"
#include "base/json_write.h"
#include "bundles/plan_list.h"

#define LOGS_PATH   "/system/health/v1/logs"
#define HEALTH_NAME "dcos-diagnostics-health.json"
#define ENTITY_USEC (50 * USEC_PER_SEC) /* of a source, as before: its command is killed */
#define ANSWER_USEC (58 * USEC_PER_SEC) /* of a request, list and all */

/* --- names ------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
        size_t n = strlen(s), n_end = strlen(end);

        return n >= n_end && streq(s + n - n_end, end);
}

static bool is_unit(const struct plan_list_source *s)
{
        return s->kind == SOURCE_JOURNAL;
}

/* Of the kinds that have both, a file is known by its path. A pattern has no name, and cannot be had. */
static bool is_file(const struct plan_list_source *s)
{
        return (s->kind == SOURCE_FILE || s->kind == SOURCE_HOST || s->kind == SOURCE_SYSTEMD) &&
               s->id[0] == '/' && s->name;
}

/* What systemd says of a unit is a command of ours, and was never in this list. */
static bool is_command(const struct plan_list_source *s)
{
        return (s->kind == SOURCE_COMMAND || s->kind == SOURCE_HOST || s->kind == SOURCE_SYSTEMD) &&
               ends_with(s->id, ".output") && !strchr(s->id, '/');
}

/* "/var/log/a" is "var_log_a". */
static void file_key(char ret[static SOURCE_ID_MAX], const char *path)
{
        (void)snprintf(ret, SOURCE_ID_MAX, "%s", path + 1);
        for (char *p = ret; *p; p++)
                if (*p == '/')
                        *p = '_';
}

static bool file_is(const struct plan_list_source *s, const char *entity)
{
        char key[SOURCE_ID_MAX];

        file_key(key, s->id);
        return streq(key, entity);
}

static bool id_is(const struct plan_list_source *s, const char *entity)
{
        return streq(s->id, entity);
}

static const struct provider {
        const char *name;
        bool (*has)(const struct plan_list_source *s);
        bool (*is)(const struct plan_list_source *s, const char *entity);
        const char *not_for_this_role;
} providers[] = {
        {"units", is_unit,    id_is,   "Only DC/OS systemd units are available"},
        {"files", is_file,    file_is, "Not allowed to read a file"            },
        {"cmds",  is_command, id_is,   "Not allowed to execute a command"      },
};

static const struct provider *provider_of(const char *name)
{
        for (size_t i = 0; i < ELEMENTSOF(providers); i++)
                if (streq(providers[i].name, name))
                        return &providers[i];
        return NULL;
}

/* --- the list ---------------------------------------------------------------------------------- */

static void write_place(struct json_writer *w, const char *key, bool optional, unsigned port,
                        const char *path)
{
        char place[SOURCE_ID_MAX + 64];

        (void)snprintf(place, sizeof(place), ":%u%s", port, path);
        jw_key(w, key);
        jw_begin_object(w);
        jw_member_string(w, "PortAndPath", place);
        jw_member_bool(w, "Optional", optional);
        jw_end_object(w);
}

static void write_source(struct json_writer *w, const struct plan_list_source *s, unsigned port)
{
        char path[SOURCE_ID_MAX + 48], key[SOURCE_ID_MAX];

        if (s->kind == SOURCE_HTTP && s->port) { /* only of these it was ever told */
                write_place(w, s->id, s->optional, s->port, s->path);
                return;
        }
        (void)snprintf(key, sizeof(key), "%s", s->id);
        for (size_t i = 0; i < ELEMENTSOF(providers); i++) {
                if (!providers[i].has(s))
                        continue;
                if (providers[i].has == is_file)
                        file_key(key, s->id);
                (void)snprintf(path, sizeof(path), LOGS_PATH "/%s/%s", providers[i].name, key);
                write_place(w, s->id, false, port, path);
                return;
        }
}

static void write_list(struct buf *out, const struct plan_list *l, unsigned port)
{
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        for (size_t i = 0; i < l->n; i++)
                write_source(&w, &l->sources[i], port);
        write_place(&w, HEALTH_NAME, false, port, "/system/health/v1");
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* --- answers ----------------------------------------------------------------------------------- */

/* It is what others have logged: no browser is to make a page of ours of it. */
static int reply_html(struct reply *r, unsigned status, struct buf *text)
{
        reply_header(r, "Content-Security-Policy", "sandbox; default-src 'none'");
        reply_may_encode(r);
        return reply_blob(r, status, "text/html", blob_new_take(text));
}

/* @type: NULL for text/html, with which the single ones answer whatever they say */
static int answer_error(struct reply *r, const char *type, const char *text)
{
        _cleanup_(buf_done) struct buf b = {0};
        struct json_writer w = {.out = &b};

        jw_begin_object(&w);
        jw_member_uint(&w, "response_http_code", 503);
        jw_member_uint(&w, "version", 1);
        jw_member_string(&w, "status", text);
        jw_key(&w, "errors");
        jw_null(&w);
        jw_end_object(&w);
        buf_putc(&b, '\n');
        return type ? reply_blob(r, 503, type, blob_new_take(&b)) : reply_html(r, 503, &b);
}

static int answer_not_done(struct reply *r, const char *type, enum errand_result result)
{
        return answer_error(r, type,
                            result == ERRAND_BUSY ? "too many requests wait: nothing was read"
                                                  : "the time of this request is over");
}

static int answer_list(const struct request *q, struct reply *r, const struct bundle_task *t)
{
        const struct node_host *host = q->host;
        _cleanup_(plan_list_done) struct plan_list l = {0};
        _cleanup_(buf_done) struct buf out = {0};
        _cleanup_(feed_view_done) struct feed_view v = {0};
        struct err e = {0};
        unsigned port;
        int k;

        if (t->status >= 400)
                return answer_error(r, "application/json", t->error.text);
        k = plan_list_read(&l, str_or(t->text, ""), t->n_text, &e);
        if (k == -ENOMEM)
                return k;
        if (k < 0)
                return answer_error(r, "application/json", e.text);
        k = feed_look(host->feed, &v);
        if (k < 0)
                return k;
        port = v.report->node.port ? v.report->node.port : host->bundles->port;
        write_list(&out, &l, port);
        return reply_json(r, 200, &out);
}

/* What it gave, and what went wrong in front of it where it may go wrong; that it went wrong, else. */
static int answer_one(struct reply *r, struct bundle_task *t)
{
        _cleanup_(buf_done) struct buf text = {0};

        if (t->status >= 400 && !t->optional)
                return answer_error(r, NULL, t->error.text);
        if (t->stream) {
                reply_header(r, "Content-Security-Policy", "sandbox; default-src 'none'");
                reply_header(r, "Vary", "Accept-Encoding");
                return reply_stream(r, 200, "text/html", TAKE_PTR(t->stream));
        }
        if (t->status >= 400)
                buf_printf(&text, "%s%s", t->error.text, t->n_text > 0 ? "\n" : "");
        if (t->n_text > 0)
                buf_append(&text, t->text, t->n_text);
        return reply_html(r, 200, &text);
}

/* --- asking ------------------------------------------------------------------------------------ */

static const struct bundle_host *host_of(const struct request *q)
{
        return ((const struct node_host *)q->host)->bundles;
}

static int ask_list(const struct request *q)
{
        struct bundle_task *t;

        t = bundle_task_new(q, host_of(q), BUNDLE_TASK_COLLECT, ANSWER_USEC);
        if (!t)
                return -ENOMEM;
        t->collect.op = COLLECT_LIST;
        return bundle_task_start(q, host_of(q));
}

static int ask_one(const struct request *q, const struct plan_list_source *s)
{
        struct bundle_task *t;

        *q->errand = errand_unref(*q->errand);
        t = bundle_task_new(q, host_of(q), BUNDLE_TASK_COLLECT, ANSWER_USEC);
        if (!t)
                return -ENOMEM;
        t->collect.op = COLLECT_ONE;
        t->collect.timeout_usec = ENTITY_USEC;
        t->hold = true;
        t->optional = s->optional;
        t->collect.ids = calloc(1, sizeof(*t->collect.ids));
        if (!t->collect.ids)
                return -ENOMEM;
        t->collect.n_ids = 1;
        t->collect.ids[0] = (struct collect_id){.kind = s->kind, .id = strdup(s->id)};
        return t->collect.ids[0].id ? bundle_task_start(q, host_of(q)) : -ENOMEM;
}

static const struct plan_list_source *find(const struct plan_list *l, const struct provider *p,
                                           const char *entity)
{
        for (size_t i = 0; i < l->n; i++)
                if (p->has(&l->sources[i]) && p->is(&l->sources[i], entity))
                        return &l->sources[i];
        return NULL;
}

static int answer_not_found(struct reply *r, const char *entity)
{
        char text[SOURCE_ID_MAX + 16];

        (void)snprintf(text, sizeof(text), "Not found %s", entity);
        return answer_error(r, NULL, text);
}

/* The first step is done: what is it that is asked for? */
static int go_on(const struct request *q, struct reply *r, const struct bundle_task *t,
                 bool *ret_asked)
{
        const char *entity = request_arg(q, "entity");
        const struct provider *p = provider_of(request_arg(q, "provider"));
        _cleanup_(plan_list_done) struct plan_list l = {0};
        const struct plan_list_source *s;
        struct err e = {0};
        int k;

        if (t->status >= 400)
                return answer_error(r, NULL, t->error.text);
        k = plan_list_read(&l, str_or(t->text, ""), t->n_text, &e);
        if (k == -ENOMEM)
                return k;
        if (k < 0)
                return answer_error(r, NULL, e.text);
        s = find(&l, p, entity);
        if (!s)
                return answer_not_found(r, entity);
        *ret_asked = true;
        return ask_one(q, s);
}

static int get_list(const struct request *q, struct reply *r)
{
        struct bundle_task *t = NULL;
        enum errand_result result;

        if (!host_of(q))
                return answer_error(r, "application/json", "this daemon collects nothing");
        if (!*q->errand && ask_list(q) < 0)
                return -ENOMEM;
        result = bundle_task_wait(q, r, &t);
        if (result == ERRAND_DONE)
                return answer_list(q, r, t);
        return result == ERRAND_ANSWERED ? 0 : answer_not_done(r, "application/json", result);
}

static int get_entity(const struct request *q, struct reply *r)
{
        const char *provider = request_arg(q, "provider");
        struct bundle_task *t = NULL;
        enum errand_result result;
        bool asked = false;
        char text[256];
        int k;

        if (!provider_of(provider)) {
                (void)snprintf(text, sizeof(text), "Unknown provider %s", provider);
                return answer_error(r, NULL, text);
        }
        if (!host_of(q))
                return answer_error(r, NULL, "this daemon collects nothing");
        if (!*q->errand && ask_list(q) < 0)
                return -ENOMEM;
        result = bundle_task_wait(q, r, &t);
        if (result == ERRAND_DONE && t->collect.op == COLLECT_LIST) {
                k = go_on(q, r, t, &asked);
                if (k < 0 || !asked)
                        return k;
                result = bundle_task_wait(q, r, &t);
        }
        if (result == ERRAND_DONE && streq(t->reason, "not-allowed"))
                return answer_error(r, NULL, provider_of(provider)->not_for_this_role);
        if (result == ERRAND_DONE)
                return answer_one(r, t);
        return result == ERRAND_ANSWERED ? 0 : answer_not_done(r, NULL, result);
}

/* clang-format off */
const struct route v1_logs_routes[] = {
        {"GET", "/system/health/v1/logs", get_list, AUTHORITY_OPERATE},
        {"GET", "/system/health/v1/logs/{provider}/{entity}", get_entity, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
