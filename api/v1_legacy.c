/*
 * The oldest bundle API. It knows no bundles, but one job and the files that jobs have left; both are looked up in
 * the list of bundles. What changes something asks twice, first for that list: one job at a time, whichever master
 * runs it. A master that is silent does not keep anybody from making a bundle, which is for such times.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <time.h>

#include "api/bundle_answer.h"
#include "api/go_time.h"
#include "api/v1_bundle_json.h"
#include "api/v1_legacy.h"
#include "base/json_write.h"

#define BASE   "/system/health/v1/report/diagnostics"
#define PREFIX "bundle-"
#define SUFFIX ".zip"

/* What the service that we replace has options for, as it is here. */
#define JOB_MINUTES_MAX   120u
#define URL_MINUTES_MAX   (SOURCE_TIMEOUT_USEC / USEC_PER_MIN)
#define COMMAND_SECONDS   (SOURCE_TIMEOUT_USEC / USEC_PER_SEC)
#define LOGS_SINCE        "24h"
#define CREATE_BEGIN_USEC (30 * USEC_PER_SEC) /* after the request came: its second errand */

/* --- answers ----------------------------------------------------------------------------------- */

/* @bundle: its name; NULL: nothing was made */
static int envelope(struct reply *r, unsigned status, const char *bundle, const char *text)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        jw_member_uint(&w, "response_http_code", status);
        jw_member_uint(&w, "version", 1);
        jw_member_string(&w, "status", text);
        jw_key(&w, "errors");
        jw_null(&w);
        if (bundle) {
                jw_key(&w, "extra");
                jw_begin_object(&w);
                jw_member_string(&w, "bundle_name", bundle);
                jw_end_object(&w);
        }
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return reply_json(r, status, &out);
}

_printf_(3, 4) static int say(struct reply *r, unsigned status, const char *fmt, ...)
{
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        return envelope(r, status, NULL, text);
}

static bool is_failure(const struct bundle_task *t)
{
        return !t->status || t->status >= 400;
}

static const char *error_of(const struct bundle_task *t)
{
        return str_or(t->error.text, str_or(t->reason, "nothing came of it"));
}

/* --- bundles and jobs -------------------------------------------------------------------------- */

static bool runs(const struct bundle *b)
{
        return b->type == BUNDLE_CLUSTER && b->state != BUNDLE_UNKNOWN &&
               !bundle_state_is_final(b->state);
}

static const struct bundle *find_running(const struct bundle_task *t)
{
        for (size_t i = 0; i < t->n_bundles; i++)
                if (runs(t->bundles[i]))
                        return t->bundles[i];
        return NULL;
}

static bool is_on(const struct bundle *b, const char *master)
{
        return !master || streq(str_or(b->observer, ""), master);
}

/* What this API calls the job: the one that runs, or else the last one. Newest first. @master: NULL: any */
static const struct bundle *find_job(const struct bundle_task *t, const char *master)
{
        for (size_t i = 0; i < t->n_bundles; i++)
                if (runs(t->bundles[i]) && is_on(t->bundles[i], master))
                        return t->bundles[i];
        for (size_t i = 0; i < t->n_bundles; i++) {
                const struct bundle *b = t->bundles[i];

                if (b->type == BUNDLE_CLUSTER && b->request.format == ARCHIVE_ZIP &&
                    bundle_state_is_final(b->state) && b->state != BUNDLE_DELETED &&
                    is_on(b, master))
                        return b;
        }
        return NULL;
}

static bool is_listed(const struct bundle *b)
{
        return b->state == BUNDLE_DONE && b->request.format == ARCHIVE_ZIP &&
               strncmp(b->id, PREFIX, strlen(PREFIX)) == 0;
}

/* "bundle-….zip" without its end; false: it is none. */
static bool read_name(char id[static BUNDLE_ID_MAX], const char *name)
{
        size_t n = strlen(name), n_suffix = strlen(SUFFIX);

        if (n < strlen(PREFIX) + n_suffix || n - n_suffix >= BUNDLE_ID_MAX ||
            strncmp(name, PREFIX, strlen(PREFIX)) != 0 || !streq(name + n - n_suffix, SUFFIX))
                return false;
        memcpy(id, name, n - n_suffix);
        id[n - n_suffix] = '\0';
        return bundle_id_is_valid(id);
}

/* --- tasks ------------------------------------------------------------------------------------- */

/* NULL: @r is answered, or parked; @ret is what to return. */
static struct bundle_task *told(const struct request *q, struct reply *r, int *ret)
{
        struct bundle_task *t = NULL;

        *ret = 0;
        switch (bundle_task_wait(q, r, &t)) {
        case ERRAND_DONE:
                return t;
        case ERRAND_ANSWERED:
                return NULL;
        case ERRAND_UNFINISHED:
                *ret = say(r, 504, "no answer in time");
                return NULL;
        case ERRAND_BUSY:
        default:
                *ret = say(r, 503, "too many requests wait, or the daemon is stopping");
                return NULL;
        }
}

static int begin_list(const struct request *q, bool own_only)
{
        struct bundle_task *t = bundle_task_new(q, bundle_host_of(q), BUNDLE_TASK_LIST, 0);

        if (!t)
                return -ENOMEM;
        t->own_only = own_only;
        return bundle_task_start(q, bundle_host_of(q));
}

/* Once, and as long as it is not there yet. */
static struct bundle_task *list(const struct request *q, struct reply *r, bool own_only, int *ret)
{
        struct bundle_task *t;

        if (!*q->errand && !bundle_host_of(q)) {
                *ret = say(r, 503, "this daemon makes no bundles");
                return NULL;
        }
        *ret = *q->errand ? 0 : begin_list(q, own_only);
        t = *ret < 0 ? NULL : told(q, r, ret);
        if (t)
                bundle_sort(t);
        return t;
}

/* --- create ------------------------------------------------------------------------------------ */

static bool is_keyword(const char *s)
{
        return streq(s, "all") || streq(s, "masters") || streq(s, "agents");
}

static int take_words(struct bundle_request *request, struct string_list *words)
{
        bool all = string_list_has(words, "all"); /* wins over the rest */

        if (all) {
                string_list_done(words);
                *words = (struct string_list){0};
                if (string_list_push(words, "all") < 0)
                        return -ENOMEM;
        }
        request->nodes = TAKE_PTR(words->items);
        request->n_nodes = words->n;
        words->n = 0;
        return 0;
}

static void make_id(char id[static BUNDLE_ID_MAX])
{
        time_t now = (time_t)(now_wall_usec() / USEC_PER_SEC);
        char day[16] = "";
        struct tm tm;

        if (gmtime_r(&now, &tm))
                (void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
        (void)snprintf(id, BUNDLE_ID_MAX, PREFIX "%s-%" PRIu64, day, (uint64_t)now);
}

static int begin_create(const struct request *q, struct string_list *words)
{
        const struct bundle_host *host = bundle_host_of(q);
        struct bundle_task *t;
        int k;

        *q->errand = errand_unref(*q->errand); /* the list has been told */
        t = bundle_task_new(q, host, BUNDLE_TASK_CREATE, CREATE_BEGIN_USEC);
        if (!t)
                return -ENOMEM;
        make_id(t->id);
        t->request.format = ARCHIVE_ZIP;
        k = take_words(&t->request, words);
        return k < 0 ? k : bundle_task_start(q, host);
}

static int refuse_words(struct reply *r, const struct bundle_task *t)
{
        _cleanup_(buf_done) struct buf names = {0};

        for (size_t i = 0; i < t->request.n_nodes; i++)
                if (!is_keyword(t->request.nodes[i]))
                        buf_printf(&names, "%s%s", names.n > 0 ? " " : "", t->request.nodes[i]);
        return say(r, 503,
                   names.n > 0 ? "requested nodes: [%s] not found" : "can't find any nodes%s",
                   buf_cstr(&names));
}

static int answer_created(const struct request *q, struct reply *r)
{
        char name[BUNDLE_ID_MAX + sizeof(SUFFIX)];
        struct bundle_task *t;
        int k;

        t = told(q, r, &k);
        if (!t)
                return k;
        if (t->status == 409 || t->status == 429)
                return say(r, 409, "Job is already running");
        if (streq(t->reason, "no-such-node"))
                return refuse_words(r, t);
        if (is_failure(t) || t->n_bundles == 0)
                return say(r, 503, "%s", error_of(t));
        (void)snprintf(name, sizeof(name), "%s" SUFFIX, t->bundles[0]->id);
        return envelope(r, 200, name, "Job has been successfully started");
}

static int read_words(const struct request *q, struct reply *r, struct string_list *words)
{
        struct err e = {0};
        int k = v1_legacy_body_read(words, q->body, q->n_body, &e);

        if (k == -ENOMEM)
                return k;
        if (k < 0)
                return say(r, 400, "%s", e.text);
        return words->n == 0 ? say(r, 503, "no nodes were requested") : 0;
}

static int create_with(const struct request *q, struct reply *r, struct string_list *words)
{
        struct bundle_task *t;
        int k;

        t = list(q, r, false, &k);
        if (!t)
                return k;
        if (is_failure(t))
                return say(r, 503, "%s", error_of(t));
        if (find_running(t))
                return say(r, 409, "Job is already running");
        k = begin_create(q, words);
        return k < 0 ? k : answer_created(q, r);
}

static bool is_created_now(const struct request *q)
{
        return *q->errand &&
               ((const struct bundle_task *)errand_data(*q->errand))->kind == BUNDLE_TASK_CREATE;
}

static int post_create(const struct request *q, struct reply *r)
{
        _cleanup_(string_list_done) struct string_list words = {0};
        int k;

        if (is_created_now(q))
                return answer_created(q, r);
        if (bundle_host_of(q) && !bundle_host_of(q)->cluster)
                return say(r, 400, "running diagnostics job on agent node is not implemented");
        k = read_words(q, r, &words);
        return k < 0 || r->status ? k : create_with(q, r, &words);
}

/* --- cancel, delete ---------------------------------------------------------------------------- */

static struct bundle_task *task_at_hand(const struct request *q)
{
        return *q->errand ? errand_data(*q->errand) : NULL;
}

static int begin_on(const struct request *q, enum bundle_task_kind kind, const char *id)
{
        const struct bundle_host *host = bundle_host_of(q);
        char kept[BUNDLE_ID_MAX]; /* it may be that of the errand that goes */
        struct bundle_task *t;

        (void)snprintf(kept, sizeof(kept), "%s", id);
        *q->errand = errand_unref(*q->errand);
        t = bundle_task_new(q, host, kind, CREATE_BEGIN_USEC);
        if (!t)
                return -ENOMEM;
        (void)snprintf(t->id, sizeof(t->id), "%s", kept);
        return bundle_task_start(q, host);
}

static int answer_cancelled(const struct request *q, struct reply *r)
{
        struct bundle_task *t;
        int k;

        t = told(q, r, &k);
        if (!t)
                return k;
        if (is_failure(t)) /* it has just ended, as a rule */
                return say(r, 503, "%s",
                           t->status == 404 || t->status == 409 ? "Job is not running"
                                                                : error_of(t));
        return say(r, 200, "Attempting to cancel a job, please check job status.");
}

static int post_cancel(const struct request *q, struct reply *r)
{
        struct bundle_task *t = task_at_hand(q);
        const struct bundle *b;
        int k;

        if (t && t->kind == BUNDLE_TASK_CANCEL)
                return answer_cancelled(q, r);
        if (bundle_host_of(q) && !bundle_host_of(q)->cluster)
                return say(r, 503, "canceling diagnostics job on agent node is not implemented");
        t = list(q, r, false, &k);
        if (!t)
                return k;
        b = find_running(t);
        if (!b)
                return say(r, 503, "%s", is_failure(t) ? error_of(t) : "Job is not running");
        k = begin_on(q, BUNDLE_TASK_CANCEL, b->id);
        return k < 0 ? k : answer_cancelled(q, r);
}

static const char *file_of(const struct request *q)
{
        return str_or(request_arg(q, "file"), "");
}

static int post_delete(const struct request *q, struct reply *r)
{
        const struct bundle_host *host = bundle_host_of(q);
        char id[BUNDLE_ID_MAX];
        struct bundle_task *t;
        int k;

        if (!host)
                return say(r, 503, "this daemon makes no bundles");
        if (!read_name(id, file_of(q)))
                return say(r, 400, "format allowed  bundle-*.zip"); /* both blanks */
        k = *q->errand ? 0 : begin_on(q, BUNDLE_TASK_DELETE, id);
        t = k < 0 ? NULL : told(q, r, &k);
        if (!t)
                return k;
        if (t->status == 404)
                return say(r, 404, "Bundle not found %s", file_of(q));
        if (is_failure(t))
                return say(r, 503, "%s", error_of(t));
        return say(r, 200, "Deleted %s/%s", str_or(host->directory, ""), file_of(q));
}

/* --- files ------------------------------------------------------------------------------------- */

static int get_serve(const struct request *q, struct reply *r)
{
        char id[BUNDLE_ID_MAX];
        struct bundle_task *t;
        int k;

        if (!bundle_host_of(q) || !read_name(id, file_of(q)))
                return reply_text(r, 404, "404 page not found");
        k = *q->errand ? 0 : bundle_file_begin(q, bundle_host_of(q), id, false);
        t = k < 0 ? NULL : told(q, r, &k);
        if (!t)
                return k;
        if (t->status == 416)
                return bundle_answer_beyond(t, r);
        if (t->status == 404 || t->status == 410)
                return reply_text(r, 404, "404 page not found");
        if (is_failure(t))
                return say(r, 503, "%s", error_of(t));
        return bundle_answer_file(q, r, t, "application/octet-stream", file_of(q));
}

static void write_files(struct json_writer *w, const struct bundle_task *t, const char *master)
{
        char name[sizeof(BASE "/serve/") + BUNDLE_ID_MAX + sizeof(SUFFIX)];

        jw_begin_array(w);
        for (size_t i = 0; i < t->n_bundles; i++) {
                const struct bundle *b = t->bundles[i];

                if (!is_listed(b) || !is_on(b, master))
                        continue;
                (void)snprintf(name, sizeof(name), BASE "/serve/%s" SUFFIX, b->id);
                jw_begin_object(w);
                jw_member_string(w, "file_name", name);
                jw_member_uint(w, "file_size", b->size_bytes);
                jw_end_object(w);
        }
        jw_end_array(w);
}

static int get_list(const struct request *q, struct reply *r)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        struct bundle_task *t;
        int k;

        t = list(q, r, true, &k);
        if (!t)
                return k;
        if (is_failure(t))
                return say(r, 503, "%s", error_of(t));
        write_files(&w, t, NULL);
        buf_putc(&out, '\n');
        return reply_json(r, 200, &out);
}

/* --- each master ------------------------------------------------------------------------------- */

static int add_master(struct string_list *l, const char *address)
{
        if (str_empty(address) || string_list_has(l, address))
                return 0;
        return string_list_push(l, address);
}

/* This one first; then those that have answered, and whoever has a bundle. */
static int find_masters(const struct bundle_host *host, const struct bundle_task *t,
                        struct string_list *ret)
{
        int k = add_master(ret, host->address);

        for (size_t i = 0; k >= 0 && i < t->n_masters; i++)
                k = add_master(ret, t->masters[i]);
        for (size_t i = 0; k >= 0 && i < t->n_bundles; i++)
                k = add_master(ret, t->bundles[i]->observer);
        return k;
}

static void put_address(struct buf *out, const char *address, uint16_t port)
{
        bool v6 = strchr(address, ':') != NULL;

        buf_printf(out, v6 ? "[%s]:%u" : "%s:%u", address, port);
}

static int get_list_all(const struct request *q, struct reply *r)
{
        _cleanup_(string_list_done) struct string_list masters = {0};
        _cleanup_(buf_done) struct buf out = {0}, key = {0};
        struct json_writer w = {.out = &out};
        struct bundle_task *t;
        int k;

        t = list(q, r, false, &k);
        if (!t)
                return k;
        if (is_failure(t))
                return say(r, 503, "%s", error_of(t));
        k = find_masters(bundle_host_of(q), t, &masters);
        if (k < 0)
                return k;
        jw_begin_object(&w);
        for (size_t i = 0; i < masters.n; i++) {
                buf_clear(&key);
                put_address(&key, masters.items[i], bundle_host_of(q)->port);
                jw_key(&w, buf_cstr(&key));
                write_files(&w, t, masters.items[i]);
        }
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return reply_json(r, 200, &out);
}

/* --- status ------------------------------------------------------------------------------------ */

static const char *status_of(const struct bundle *job)
{
        if (!job)
                return "";
        if (!bundle_state_is_final(job->state))
                return job->current;
        return job->state == BUNDLE_DONE ? "Diagnostics job successfully collected all data"
                                         : "Diagnostics job failed";
}

static void write_errors(struct json_writer *w, const struct bundle *job)
{
        const char *text = job ? str_or(job->error, "") : "";

        if (job && !*text && job->state == BUNDLE_CANCELED)
                text = "the job was canceled";
        if (!*text)
                return;
        jw_key(w, "errors");
        jw_begin_array(w);
        jw_string(w, text);
        jw_end_array(w);
}

static void member_legacy_time(struct json_writer *w, const char *key, uint64_t wall_usec)
{
        _cleanup_(buf_done) struct buf text = {0};

        go_time_write(&text, wall_usec);
        jw_member_string(w, key, buf_cstr(&text));
}

static void write_times(struct json_writer *w, const struct bundle *job)
{
        _cleanup_(buf_done) struct buf text = {0};

        member_legacy_time(w, "job_started", job ? job->created_wall_usec : 0);
        if (job && !bundle_state_is_final(job->state))
                return;
        member_legacy_time(w, "job_ended", job ? job->finished_wall_usec : 0);
        go_duration_write(&text,
                          job ? usec_since(job->finished_wall_usec, job->created_wall_usec) : 0);
        jw_member_string(w, "job_duration", buf_cstr(&text));
}

static void member_number(struct json_writer *w, const char *key, double v)
{
        jw_key(w, key);
        if (v < 0)
                jw_int(w, (int64_t)v);
        else
                jw_seconds(w, (uint64_t)(v * 1e6)); /* at most three decimals */
}

static void write_last_bundle(struct json_writer *w, const struct bundle *job,
                              const char *directory)
{
        _cleanup_(buf_done) struct buf path = {0};

        if (job)
                buf_printf(&path, "%s/%s" SUFFIX, directory, job->id);
        jw_member_string(w, "last_bundle_dir", buf_cstr(&path));
}

static double used_percent(const char *directory)
{
        struct statvfs v;

        if (!*directory || statvfs(directory, &v) < 0 || v.f_blocks == 0)
                return 0;
        return 100.0 * (double)(v.f_blocks - v.f_bfree) / (double)v.f_blocks;
}

/* The figures of this machine's disk stand for those of others', which nobody has asked for. */
static void write_status(struct json_writer *w, const struct bundle_host *host,
                         const struct bundle *job)
{
        const char *directory = str_or(host->directory, "");

        jw_begin_object(w);
        jw_member_bool(w, "is_running", job && !bundle_state_is_final(job->state));
        jw_member_string(w, "status", status_of(job));
        write_errors(w, job);
        write_last_bundle(w, job, directory);
        write_times(w, job);
        member_number(w, "job_progress_percentage", job ? 100 * bundle_fraction(job) : -1);
        jw_member_string(w, "diagnostics_bundle_dir", directory);
        jw_member_uint(w, "diagnostics_job_timeout_min", JOB_MINUTES_MAX);
        jw_member_string(w, "journald_logs_since_hours", LOGS_SINCE);
        jw_member_uint(w, "diagnostics_job_get_since_url_timeout_min", URL_MINUTES_MAX);
        jw_member_uint(w, "command_exec_timeout_sec", COMMAND_SECONDS);
        member_number(w, "diagnostics_partition_disk_usage_percent", used_percent(directory));
        jw_end_object(w);
}

static int get_status(const struct request *q, struct reply *r)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        struct bundle_task *t;
        int k;

        t = list(q, r, true, &k);
        if (!t)
                return k;
        if (is_failure(t))
                return say(r, 503, "%s", error_of(t));
        write_status(&w, bundle_host_of(q), find_job(t, NULL));
        buf_putc(&out, '\n');
        return reply_json(r, 200, &out);
}

static int refuse_silent(struct reply *r, const struct bundle_task *t)
{
        _cleanup_(buf_done) struct buf text = {0};

        for (size_t i = 0; i < t->n_silent; i++)
                buf_printf(&text, "%s%s: %s", i > 0 ? " " : "", t->silent[i].address,
                           t->silent[i].error);
        return say(r, 503,
                   "could not determine whether the diagnostics job is running or not: [%s]",
                   t->n_silent > 0 ? buf_cstr(&text) : error_of(t));
}

static int get_status_all(const struct request *q, struct reply *r)
{
        _cleanup_(string_list_done) struct string_list masters = {0};
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        struct bundle_task *t;
        int k;

        t = list(q, r, false, &k);
        if (!t)
                return k;
        if (is_failure(t) || t->n_silent > 0)
                return refuse_silent(r, t);
        k = find_masters(bundle_host_of(q), t, &masters);
        if (k < 0)
                return k;
        if (masters.n == 0)
                return say(r, 503, "could not find any master");
        jw_begin_object(&w);
        for (size_t i = 0; i < masters.n; i++) {
                jw_key(&w, masters.items[i]);
                write_status(&w, bundle_host_of(q), find_job(t, masters.items[i]));
        }
        jw_end_object(&w);
        buf_putc(&out, '\n');
        return reply_json(r, 200, &out);
}

/* clang-format off */
const struct route v1_legacy_routes[] = {
        {"POST", BASE "/create", post_create, AUTHORITY_OPERATE},
        {"POST", BASE "/cancel", post_cancel, AUTHORITY_OPERATE},
        {"GET", BASE "/status", get_status, AUTHORITY_OPERATE},
        {"GET", BASE "/status/all", get_status_all, AUTHORITY_OPERATE},
        {"GET", BASE "/list", get_list, AUTHORITY_OPERATE},
        {"GET", BASE "/list/all", get_list_all, AUTHORITY_OPERATE},
        {"GET", BASE "/serve/{file}", get_serve, AUTHORITY_OPERATE},
        {"POST", BASE "/delete/{file}", post_delete, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
