/*
 * One struct job per task. Each has at most one request of its own in flight, but for those that tell all
 * other masters, which count what is still out.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "aggregator/announcement_json.h"
#include "aggregator/tasks.h"
#include "api/maintenance_json.h"
#include "api/route.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/mono.h"
#include "model/report_json.h"
#include "net/url.h"

#define FORWARD_FIRST_USEC (5 * USEC_PER_SEC) /* beyond the wait that was asked for */
#define FORWARD_WAIT_MAX   45u                /* seconds */
#define FORWARD_BYTES_MAX  (40u * 1024u * 1024u)
#define ASK_USEC           (5 * USEC_PER_SEC)
#define TELL_USEC          (3 * USEC_PER_SEC)
#define BODY_MAX           65536u
#define REASON_TEXT_MAX    256

/* What is passed on of a node's own answer, in this order. */
enum passed_field { PASSED_TYPE, PASSED_ETAG, PASSED_APPLIED, PASSED_AGE, PASSED_LOCATION };
static const char *const passed_fields[] = {"Content-Type",       "ETag",     "Preference-Applied",
                                            "Diag-Confirmed-Age", "Location", NULL};

/* Another master, that is told what has been forgotten. */
struct telling {
        struct job *job;
        struct fetch *fetch;
        char *address;
        bool failed;
};

struct job {
        LIST_ENTRY(job) link;
        struct tasks *tasks;
        struct errand *errand;
        struct cluster_task *task;
        struct fetch *fetch;
        struct announcement *announcement; /* of CLUSTER_TASK_ANNOUNCE */
        struct telling *told; /* of CLUSTER_TASK_FORGET: DIAG_MASTERS_MAX; NULL: nobody */
        size_t n_told, n_out;
        char *forgotten_id, *forgotten_address;
};

LIST_HEAD(job_list, job);

struct tasks {
        struct tasks_options options;
        struct job_list jobs;    /* all but those that wait for a round */
        struct job_list waiting; /* for the next round */
        struct job_list riding;  /* for the one that is under way */
        struct loop_timer *round_timer;
        uint64_t round_began_mono_usec, round_took_usec;
        bool in_round;
        uint64_t second_mono_usec; /* of announcements */
        unsigned n_this_second, n_candidates;
};

/* --- ends -------------------------------------------------------------------------------------- */

static void job_end(struct job *j)
{
        LIST_REMOVE(j, link);
        fetch_free(j->fetch);
        for (size_t i = 0; i < j->n_told; i++) {
                fetch_free(j->told[i].fetch);
                free(j->told[i].address);
        }
        free(j->told);
        if (j->announcement)
                j->tasks->n_candidates--;
        announcement_free(j->announcement);
        free(j->forgotten_id);
        free(j->forgotten_address);
        errand_finish(j->errand);
        free(j);
}

static void answer(struct job *j, unsigned status, struct buf *b)
{
        j->task->status = status;
        j->task->answer = blob_new_take(b);
        (void)stpcpy(j->task->answer_type, "application/json");
        if (!j->task->answer)
                j->task->status = 500;
        job_end(j);
}

static _printf_(4, 5) void refuse(struct job *j, unsigned status, const char *reason,
                                  const char *fmt, ...)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};
        char text[REASON_TEXT_MAX];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        jw_begin_object(&w);
        jw_member_uint(&w, "code", status);
        jw_member_string(&w, "error", text);
        jw_member_string(&w, "reason", reason);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        answer(j, status, &out);
}

/* Nobody answered who was asked: the handler has words for that. */
static void fail(struct job *j, unsigned status)
{
        j->task->status = status;
        job_end(j);
}

static void copy_field(char *to, size_t n, const char *from)
{
        (void)snprintf(to, n, "%s", from ? from : "");
}

static void pass_on(struct job *j, const struct fetch_result *r)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct cluster_task *t = j->task;

        copy_field(t->answer_type, sizeof(t->answer_type), r->headers[PASSED_TYPE]);
        copy_field(t->etag, sizeof(t->etag), r->headers[PASSED_ETAG]);
        copy_field(t->preference_applied, sizeof(t->preference_applied),
                   r->headers[PASSED_APPLIED]);
        copy_field(t->confirmed_age, sizeof(t->confirmed_age), r->headers[PASSED_AGE]);
        copy_field(t->location, sizeof(t->location), r->headers[PASSED_LOCATION]);
        t->status = r->status;
        if (r->n_body) {
                buf_append(&out, r->body, r->n_body);
                t->answer = blob_new_take(&out);
                if (!t->answer)
                        t->status = 500;
        }
        job_end(j);
}

static void on_passed(const struct fetch_result *r, void *userdata)
{
        struct job *j = userdata;

        if (r->error)
                fail(j, r->error == -ETIMEDOUT ? 504 : 502);
        else
                pass_on(j, r);
}

/* --- asking ------------------------------------------------------------------------------------ */

static void start(struct job *j, const struct fetch_request *q, fetch_done_fn done)
{
        struct err e;

        if (fetch_start(&j->fetch, j->tasks->options.fetcher, q, done, j, &e) < 0)
                fail(j, 502);
}

/* The wait that it will be honoured for; our own limit is a proxy's. */
static unsigned wait_of(const char *prefer)
{
        const char *wait = prefer ? strstr(prefer, "wait=") : NULL;
        unsigned long n = wait ? strtoul(wait + 5, NULL, 10) : 0;

        return n < FORWARD_WAIT_MAX ? (unsigned)n : FORWARD_WAIT_MAX;
}

/* Whoever may ask us this was judged by our server; the node daemon takes our word for it, and only ours. */
static void forward(struct job *j)
{
        struct cluster_task *t = j->task;
        char url[ROUTE_PATH_MAX + 32], caller[AUTHORITY_NAME_MAX + 64], prefer[32];
        char type[160], match[512];
        const char *headers[6];
        unsigned wait = wait_of(t->prefer);
        size_t n = 0;
        struct fetch_request q = {
                .url = url,
                .unix_path = j->tasks->options.agent_socket,
                .method = t->method,
                .headers = headers,
                .wanted_headers = passed_fields,
                .body = t->n_body ? t->body : NULL,
                .n_body = t->n_body,
                .timeout_usec = FORWARD_FIRST_USEC + wait * USEC_PER_SEC,
                .max_bytes = FORWARD_BYTES_MAX,
        };

        (void)snprintf(url, sizeof(url), "http://localhost%s", t->target);
        (void)snprintf(caller, sizeof(caller), "Diag-Caller: %s %u %s",
                       authority_class_to_string(t->class), t->output, t->caller);
        headers[n++] = caller;
        if (wait) {
                (void)snprintf(prefer, sizeof(prefer), "Prefer: wait=%u", wait);
                headers[n++] = prefer;
        }
        if (t->content_type) {
                (void)snprintf(type, sizeof(type), "Content-Type: %.120s", t->content_type);
                headers[n++] = type;
        }
        if (t->if_none_match && strlen(t->if_none_match) < sizeof(match) - 20) {
                (void)snprintf(match, sizeof(match), "If-None-Match: %s", t->if_none_match);
                headers[n++] = match;
        }
        headers[n] = NULL;
        start(j, &q, on_passed);
}

static struct node *node_of(struct job *j)
{
        const char *id = str_or(j->task->node, "");
        struct node *n = roster_find_id(j->tasks->options.roster, id);

        if (!n && strncmp(id, "addr:", 5) == 0)
                n = roster_find(j->tasks->options.roster, id + 5);
        return n;
}

static void ask_node(struct job *j)
{
        const struct node *n = node_of(j);
        char url[NODE_URL_MAX];
        const struct fetch_request q = {
                .url = url,
                .wanted_headers = passed_fields,
                .timeout_usec = ASK_USEC,
                .max_bytes = FORWARD_BYTES_MAX,
        };

        if (!n) {
                fail(j, 502);
                return;
        }
        node_url(url, n->address, n->port, j->tasks->options.tls, j->task->target);
        start(j, &q, on_passed);
}

/* --- rounds ------------------------------------------------------------------------------------ */

static void on_round_done(void *userdata)
{
        struct tasks *t = userdata;
        struct job *j;
        uint64_t now = now_mono_usec();

        t->in_round = false;
        t->round_took_usec = now - t->round_began_mono_usec;
        publisher_note_round(t->options.publisher);
        while ((j = LIST_FIRST(&t->riding))) {
                j->task->status = 200;
                job_end(j);
        }
        if (!LIST_EMPTY(&t->waiting))
                loop_timer_set(t->round_timer, now, 0);
}

/* Who came while one was under way may know more than it has asked for: he takes the next one. */
static void begin_round(void *userdata)
{
        struct tasks *t = userdata;
        struct job *j;
        uint64_t now = now_mono_usec();
        uint64_t apart = TASKS_ROUND_APART_TIMES * t->round_took_usec;
        uint64_t first = t->round_began_mono_usec +
                         (apart > TASKS_ROUND_APART_USEC ? apart : TASKS_ROUND_APART_USEC);

        if (t->in_round || LIST_EMPTY(&t->waiting))
                return;
        if (t->round_began_mono_usec && now < first) {
                loop_timer_set(t->round_timer, first, 0);
                return;
        }
        while ((j = LIST_FIRST(&t->waiting))) {
                LIST_REMOVE(j, link);
                LIST_INSERT_HEAD(&t->riding, j, link);
        }
        t->in_round = true;
        t->round_began_mono_usec = now;
        (void)poller_round(t->options.poller, on_round_done, t);
}

static void want_round(struct job *j)
{
        struct tasks *t = j->tasks;

        LIST_REMOVE(j, link);
        LIST_INSERT_HEAD(&t->waiting, j, link);
        if (!t->in_round)
                loop_timer_set(t->round_timer, now_mono_usec(), 0);
}

/* --- forgetting -------------------------------------------------------------------------------- */

static void answer_forgotten(struct job *j)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        jw_member_string(&w, "node_id", j->forgotten_id);
        jw_member_string(&w, "address", j->forgotten_address);
        jw_member_bool(&w, "forgotten", true);
        jw_key(&w, "not_reached");
        jw_begin_array(&w);
        for (size_t i = 0; j->told && i < j->n_told; i++)
                if (j->told[i].failed)
                        jw_string(&w, j->told[i].address);
        jw_end_array(&w);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        answer(j, 200, &out);
}

/* To have been told by somebody else before (404) is as good. */
static void on_told(const struct fetch_result *r, void *userdata)
{
        struct telling *t = userdata;
        struct job *j = t->job;

        t->failed = r->error || (r->status != 200 && r->status != 404);
        t->fetch = fetch_free(t->fetch);
        if (--j->n_out == 0)
                answer_forgotten(j);
}

static void tell(struct job *j, const char *address)
{
        struct telling *t = &j->told[j->n_told];
        char url[NODE_URL_MAX], path[256];
        const struct fetch_request q = {
                .url = url,
                .method = "DELETE",
                .timeout_usec = TELL_USEC,
                .max_bytes = BODY_MAX,
        };

        (void)snprintf(path, sizeof(path), "/system/health/v2/nodes/%s?local=yes", j->forgotten_id);
        node_url(url, address, j->tasks->options.port_peer, j->tasks->options.tls, path);
        *t = (struct telling){.job = j, .address = strdup(address)};
        if (!t->address)
                return;
        j->n_told++;
        t->failed = fetch_start(&t->fetch, j->tasks->options.fetcher, &q, on_told, t, NULL) < 0;
        j->n_out += !t->failed;
}

static void tell_all(struct job *j)
{
        const struct roster *r = j->tasks->options.roster;
        const char *own = self_get(j->tasks->options.self)->node_id;

        j->told = calloc(DIAG_MASTERS_MAX, sizeof(*j->told));
        for (size_t i = 0; j->told && i < roster_n(r) && j->n_told < DIAG_MASTERS_MAX; i++) {
                const struct node *n = roster_at(r, i);

                if (node_role(n) == DIAG_ROLE_MASTER && !n->alias_of &&
                    !(node_id(n) && streq(node_id(n), own)))
                        tell(j, n->address);
        }
        if (j->n_out == 0)
                answer_forgotten(j);
}

static void forget_here(struct job *j)
{
        roster_forget(j->tasks->options.roster, j->forgotten_id);
        memory_touch(j->tasks->options.memory);
        publisher_now(j->tasks->options.publisher);
        log_notice("%s (%s) is forgotten, as %s says", j->forgotten_address, j->forgotten_id,
                   j->task->caller);
}

static void on_zk_forgotten(int error, const char *text, void *userdata)
{
        struct job *j = userdata;

        if (error) {
                refuse(j, 503, "zookeeper", "not forgotten: %s", text);
                return;
        }
        forget_here(j);
        answer_forgotten(j);
}

static bool is_local(const struct job *j)
{
        return j->task->target && strstr(j->task->target, "local=yes");
}

/* A reload may bring it. */
static struct discovery_zk *zk_of(const struct job *j)
{
        return j->tasks->options.sources ? sources_zk(j->tasks->options.sources) : NULL;
}

static void forget_everywhere(struct job *j)
{
        const struct zk_tombstone tombstone = {
                .node_id = j->forgotten_id,
                .address = j->forgotten_address,
                .by = j->task->caller,
                .reason = "",
                .at_wall_usec = now_wall_usec(),
        };
        int k;

        if (zk_of(j) && !is_local(j)) {
                k = discovery_zk_forget(zk_of(j), &tombstone, on_zk_forgotten, j);
                if (k < 0)
                        refuse(j, 503, "zookeeper", "not forgotten: %s", strerror(-k));
                return;
        }
        forget_here(j);
        if (is_local(j))
                answer_forgotten(j);
        else
                tell_all(j);
}

static void forget(struct job *j)
{
        const struct node *n = node_of(j);

        if (!n) {
                refuse(j, 404, "no-such-node", "no node %s", str_or(j->task->node, ""));
                return;
        }
        if (n->sources & DIAG_SOURCE_BIT(DIAG_SOURCE_STATIC)) {
                refuse(j, 409, "static",
                       "%s is listed in the configuration: take it away there, and reload",
                       n->address);
                return;
        }
        if (n->answered && !n->failing_boot_usec) {
                refuse(j, 409, "alive",
                       "%s answers: stop its daemons first, or it would be found again",
                       n->address);
                return;
        }
        j->forgotten_id = strdup(j->task->node);
        j->forgotten_address = strdup(n->address);
        if (!j->forgotten_id || !j->forgotten_address)
                refuse(j, 503, "no-memory", "out of memory");
        else
                forget_everywhere(j);
}

/* --- maintenance ------------------------------------------------------------------------------- */

static void answer_maintenance(struct job *j, const struct diag_maintenance *m)
{
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        jw_key(&w, "maintenance");
        diag_maintenance_write(&w, m);
        jw_member_string(&w, "held_by", "aggregator");
        jw_end_object(&w);
        buf_putc(&out, '\n');
        answer(j, 200, &out);
}

static void on_zk_maintenance(int error, const char *text, void *userdata)
{
        struct job *j = userdata;
        struct node *n = node_of(j);

        if (error)
                log_warning("maintenance of %s is not in ZooKeeper, so only this master knows: %s",
                            str_or(j->task->node, ""), text);
        answer_maintenance(j, n ? n->maintenance : NULL);
}

static void keep_in_zk(struct job *j, const struct node *n, const struct diag_maintenance *m)
{
        struct discovery_zk *zk = zk_of(j);
        const struct zk_maintenance entry = {
                .node_id = j->task->node,
                .by = m ? m->by : "",
                .reason = m ? m->reason : "",
                .since_wall_usec = m ? m->since_wall_usec : 0,
                .until_wall_usec = m ? m->until_wall_usec : 0,
        };
        int k = -ENOTCONN;

        if (zk)
                k = m ? discovery_zk_put_maintenance(zk, &entry, on_zk_maintenance, j)
                      : discovery_zk_delete_maintenance(zk, j->task->node, on_zk_maintenance, j);
        if (k < 0)
                answer_maintenance(j, n->maintenance);
}

/* For a node that cannot hold its own flag. */
static void hold_maintenance(struct job *j)
{
        struct node *n = node_of(j);
        struct maintenance_body body;
        struct diag_maintenance m;
        bool starts = j->task->kind == CLUSTER_TASK_START_MAINTENANCE;

        if (!n || (starts &&
                   maintenance_body_from_json(&body, j->task->body, j->task->n_body, NULL) < 0)) {
                fail(j, 502);
                return;
        }
        m = (struct diag_maintenance){
                .reason = starts ? body.reason : "",
                .by = j->task->caller,
                .since_wall_usec = now_wall_usec(),
                .until_wall_usec = starts ? now_wall_usec() + body.for_usec : 0,
        };
        if (node_set_maintenance(n, starts ? &m : NULL) < 0) {
                refuse(j, 503, "no-memory", "out of memory");
                return;
        }
        log_notice("maintenance of %s %s, as %s says", n->address, starts ? "begins" : "is over",
                   j->task->caller);
        publisher_touch(j->tasks->options.publisher, n);
        publisher_now(j->tasks->options.publisher);
        keep_in_zk(j, n, starts ? &m : NULL);
}

/* The node has ended its own; what was held for it while it was away ends as well. */
static bool ends_held(struct job *j)
{
        const struct node *n = node_of(j);

        return j->task->kind == CLUSTER_TASK_STOP_MAINTENANCE && n && n->maintenance;
}

static void on_maintenance(const struct fetch_result *r, void *userdata)
{
        struct job *j = userdata;

        if (!r->error && r->status == 200 && !ends_held(j)) {
                pass_on(j, r);
                return;
        }
        j->fetch = fetch_free(j->fetch);
        hold_maintenance(j);
}

static void maintain(struct job *j)
{
        static const char *const headers[] = {"Content-Type: application/json", NULL};
        const struct node *n = node_of(j);
        char url[NODE_URL_MAX];
        struct fetch_request q = {
                .url = url,
                .method = j->task->kind == CLUSTER_TASK_START_MAINTENANCE ? "PUT" : "DELETE",
                .wanted_headers = passed_fields,
                .timeout_usec = ASK_USEC,
                .max_bytes = BODY_MAX,
        };
        bool is_own =
                n && node_id(n) && streq(node_id(n), self_get(j->tasks->options.self)->node_id);

        if (!n) {
                refuse(j, 404, "no-such-node", "no node %s", str_or(j->task->node, ""));
                return;
        }
        if (n->protocol != DIAG_PROTOCOL_V2 || n->failing_boot_usec) {
                hold_maintenance(j);
                return;
        }
        if (j->task->kind == CLUSTER_TASK_START_MAINTENANCE) {
                q.headers = headers;
                q.body = j->task->body;
                q.n_body = j->task->n_body;
        }
        if (is_own) {
                free(j->task->target);
                j->task->target = strdup("/system/health/v2/node/maintenance");
                if (!j->task->target)
                        fail(j, 502);
                else
                        forward(j);
                return;
        }
        node_url(url, n->address, n->port, j->tasks->options.tls,
                 "/system/health/v2/node/maintenance");
        start(j, &q, on_maintenance);
}

/* --- announcements ----------------------------------------------------------------------------- */

static void answer_announced(struct job *j, bool accepted)
{
        _cleanup_(buf_done) struct buf out = {0};
        const struct roster *r = j->tasks->options.roster;
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        jw_member_bool(&w, "accepted", accepted);
        jw_key(&w, "masters");
        jw_begin_array(&w);
        for (size_t i = 0; i < roster_n(r); i++)
                if (node_role(roster_at(r, i)) == DIAG_ROLE_MASTER && !roster_at(r, i)->alias_of)
                        jw_string(&w, roster_at(r, i)->address);
        jw_end_array(&w);
        jw_member_uint(&w, "interval_seconds", ANNOUNCEMENT_INTERVAL_SECONDS);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        answer(j, 200, &out);
}

/* An announcement is a candidate: it counts when whoever is at that address says the same. */
static void on_candidate(const struct fetch_result *r, void *userdata)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        struct job *j = userdata;
        const struct announcement *a = j->announcement;
        const struct found found = {
                .address = a->address,
                .role = a->role,
                .port = a->port,
                .node_id = a->node_id,
                .hostname = a->hostname,
        };
        struct err e = {0};

        if (r->error || r->status != 200 ||
            diag_report_from_json(&report, NULL, r->body, r->n_body, &e) < 0) {
                refuse(j, 422, "not-confirmed", "%s:%u does not answer as announced: %s",
                       a->address, a->port,
                       r->error  ? r->text
                       : *e.text ? e.text
                                 : "its status is not 200");
        } else if (!streq(report->node.node_id, a->node_id)) {
                refuse(j, 422, "not-confirmed", "%s:%u is another node", a->address, a->port);
        } else if (!roster_add(j->tasks->options.roster, DIAG_SOURCE_ANNOUNCE, &found, &e)) {
                refuse(j, 503, "not-taken", "%s", e.text);
        } else {
                memory_touch(j->tasks->options.memory);
                answer_announced(j, true);
        }
}

static bool may_announce(struct tasks *t, const char *caller)
{
        uint64_t now = now_mono_usec();
        unsigned n_same = 0;
        struct job *j;

        if (usec_since(now, t->second_mono_usec) > USEC_PER_SEC) {
                t->second_mono_usec = now;
                t->n_this_second = 0;
        }
        LIST_FOREACH (j, &t->jobs, link)
                n_same += j->announcement && streq(j->task->caller, caller);
        return ++t->n_this_second <= TASKS_ANNOUNCED_A_SECOND &&
               t->n_candidates < TASKS_CANDIDATES_MAX && n_same < TASKS_CANDIDATES_EACH;
}

static void announce(struct job *j)
{
        struct announcement *a = NULL;
        char url[NODE_URL_MAX];
        const struct fetch_request q = {
                .url = url,
                .timeout_usec = TELL_USEC,
                .max_bytes = ANSWER_V2_BYTES_MAX,
        };
        struct err e;

        if (announcement_from_json(&a, j->task->body, j->task->n_body, &e) < 0) {
                refuse(j, 400, "bad-request", "%s", e.text);
                return;
        }
        if (j->tasks->options.tls && address_is_loopback(a->address)) { /* without certificates */
                announcement_free(a);
                refuse(j, 400, "loopback", "nobody else can ask a loopback address");
                return;
        }
        if (a->role == DIAG_ROLE_MASTER) { /* who decides is not up to who comes along */
                announcement_free(a);
                refuse(j, 403, "master", "a master is not announced, but declared or registered");
                return;
        }
        if (!may_announce(j->tasks, j->task->caller)) {
                announcement_free(a);
                refuse(j, 429, "too-many", "too many announcements: try again later");
                return;
        }
        j->announcement = a;
        j->tasks->n_candidates++;
        node_url(url, a->address, a->port, j->tasks->options.tls,
                 "/system/health/v2/node?fields=health");
        start(j, &q, on_candidate);
}

/* --- all of them ------------------------------------------------------------------------------- */

void tasks_begin(struct tasks *t, struct errand *e, struct cluster_task *task)
{
        static void (*const begin[])(struct job * j) = {
                [CLUSTER_TASK_ROUND] = want_round,
                [CLUSTER_TASK_FORGET] = forget,
                [CLUSTER_TASK_START_MAINTENANCE] = maintain,
                [CLUSTER_TASK_STOP_MAINTENANCE] = maintain,
                [CLUSTER_TASK_ANNOUNCE] = announce,
                [CLUSTER_TASK_ASK_NODE] = ask_node,
                [CLUSTER_TASK_FORWARD] = forward,
        };
        struct job *j = calloc(1, sizeof(*j));

        if (!j) {
                task->status = 503;
                errand_finish(e);
                return;
        }
        j->tasks = t;
        j->errand = e;
        j->task = task;
        LIST_INSERT_HEAD(&t->jobs, j, link);
        begin[task->kind](j);
}

static struct job *find(struct job_list *list, const struct errand *e)
{
        struct job *j;

        LIST_FOREACH (j, list, link)
                if (j->errand == e)
                        return j;
        return NULL;
}

/* What only reads may be cut short; what changes something goes on to its end. */
void tasks_abandoned(struct tasks *t, struct errand *e, struct cluster_task *task)
{
        struct job *j = find(&t->jobs, e);

        if (!j)
                j = find(&t->waiting, e);
        if (!j)
                j = find(&t->riding, e);
        if (j && errand_only_reads(e)) {
                task->status = 504;
                job_end(j);
        }
}

bool tasks_is_idle(const struct tasks *t)
{
        return LIST_EMPTY(&t->jobs) && LIST_EMPTY(&t->waiting) && LIST_EMPTY(&t->riding);
}

int tasks_new(struct tasks **ret, const struct tasks_options *options)
{
        _cleanup_(tasks_freep) struct tasks *t = calloc(1, sizeof(*t));
        int k;

        if (!t)
                return -ENOMEM;
        t->options = *options;
        LIST_INIT(&t->jobs);
        LIST_INIT(&t->waiting);
        LIST_INIT(&t->riding);
        k = loop_timer_new(&t->round_timer, options->loop, begin_round, t);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(t);
        return 0;
}

static void end_all(struct job_list *list)
{
        while (!LIST_EMPTY(list)) {
                struct job *j = LIST_FIRST(list);

                j->task->status = 503;
                job_end(j);
        }
}

struct tasks *tasks_free(struct tasks *t)
{
        if (!t)
                return NULL;
        if (t->in_round)
                poller_abandon_round(t->options.poller);
        end_all(&t->jobs);
        end_all(&t->waiting);
        end_all(&t->riding);
        loop_timer_free(t->round_timer);
        free(t);
        return NULL;
}
