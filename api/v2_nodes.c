/* Nodes: the list of them, one of them, and what may be done to one. */

#include <errno.h>

#include "api/cluster_answer.h"
#include "api/cluster_task.h"
#include "api/listing.h"
#include "api/maintenance_json.h"
#include "api/v2_cluster.h"
#include "base/mono.h"
#include "model/report_json.h"
#include "model/snapshot_json.h"

#define BASE "/system/health/v2"

/* Of nodes that share a name: as many as anybody will look at. */
#define CANDIDATES_MAX 16u

/* --- which ones -------------------------------------------------------------------------------- */

struct node_list {
        const struct diag_look *look;
        const struct listing_query *query;
        bool inventory;
};

static const struct diag_member *member_at(const void *data, size_t i)
{
        return ((const struct node_list *)data)->look->snapshot->members[i];
}

static const char *node_key(const void *data, size_t i)
{
        return member_at(data, i)->address;
}

static bool is_called_like(const struct listing_query *query, const struct diag_member *m)
{
        for (size_t i = 0; i < m->n_addresses; i++)
                if (listing_matches_text(query, m->addresses[i]))
                        return true;
        return listing_matches_text(query, m->address) ||
               listing_matches_text(query, m->hostname) ||
               listing_matches_text(query, m->node_id) || listing_matches_text(query, m->mesos_id);
}

/* A reason of its own, or of something that is not healthy on it. */
static bool has_code(const struct diag_look *l, const struct diag_member *m, enum diag_code code)
{
        if (diag_look_member_code(l, m) == code)
                return true;
        for (size_t i = 0; m->report && i < m->report->n_components; i++)
                if (diag_look_component_health(l, m, i) != DIAG_HEALTHY &&
                    diag_look_component_code(l, m, i) == code)
                        return true;
        return false;
}

static uint8_t node_rank(const void *data, size_t i)
{
        const struct node_list *list = data;
        const struct listing_query *query = list->query;
        const struct diag_member *m = member_at(data, i);
        enum diag_health health = diag_look_member_health(list->look, m);

        if ((query->has_role && m->role != query->role) ||
            (query->has_health && health != query->health) ||
            (query->has_reach && m->reach != query->reach) ||
            (*query->component && !(m->report && diag_report_find(m->report, query->component))) ||
            (query->has_code && !has_code(list->look, m, query->code)) ||
            (*query->q && !is_called_like(query, m)))
                return LISTING_LEFT_OUT;
        return (uint8_t)listing_rank(health);
}

/* --- the list ---------------------------------------------------------------------------------- */

static void write_row(const void *data, struct json_writer *w, size_t i)
{
        const struct node_list *list = data;

        if (list->inventory) {
                diag_member_write_inventory(w, member_at(data, i));
                return;
        }
        jw_begin_object(w);
        diag_member_write_row(w, list->look, member_at(data, i));
        jw_end_object(w);
}

static int write_list(struct reply *r, const struct node_list *list)
{
        const struct listing listing = {
                .n = list->look->snapshot->n_members,
                .key = node_key,
                .rank = node_rank,
                .write = write_row,
                .data = list,
        };
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        jw_begin_object(&w);
        listing_write(&w, &listing, list->query);
        jw_key(&w, "view");
        diag_view_write(&w, list->look);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static bool wants_inventory(const struct request *q)
{
        char fields[16];

        return request_query(q, "fields", fields, sizeof(fields)) && streq(fields, "inventory");
}

static int spell_list(const struct request *q, struct reply *r, const struct diag_look *l)
{
        struct listing_query query;
        const struct node_list list = {l, &query, wants_inventory(q)};
        const char *wrong = listing_query_read(&query, q);

        return wrong ? listing_refuse(r, wrong) : write_list(r, &list);
}

/* A query that is none gets no tag. */
static bool query_is_sane(const struct request *q, const struct diag_look *l)
{
        struct listing_query query;

        (void)l;
        return !listing_query_read(&query, q);
}

static int get_nodes(const struct request *q, struct reply *r)
{
        static const struct cluster_spelling nodes = {.finds = query_is_sane, .spell = spell_list};
        char fields[16];

        if (request_query(q, "fields", fields, sizeof(fields)) && !streq(fields, "inventory"))
                return reply_error(r, 400, "bad-fields", "fields is inventory, or left out");
        return cluster_answer(q, r, &nodes);
}

/* --- one of them ------------------------------------------------------------------------------- */

static const struct diag_member *find(const struct request *q, const struct diag_look *l)
{
        const struct diag_member *m;

        return diag_snapshot_look_up(l->snapshot, str_or(request_arg(q, "node"), ""), &m, 1) == 1
                       ? m
                       : NULL;
}

static void write_candidate(struct json_writer *w, const struct diag_member *m)
{
        jw_begin_object(w);
        jw_member_string(w, "node_id", m->node_id);
        jw_member_string(w, "address", m->address);
        jw_member_string_or_null(w, "hostname", m->hostname);
        jw_end_object(w);
}

static int refuse_ambiguous(struct reply *r, const char *name,
                            const struct diag_member *const *found, size_t n)
{
        _cleanup_(buf_done) struct buf out = {0}, text = {0};
        struct json_writer w = {.out = &out};

        buf_printf(&text, "%zu nodes are called %s", n, name);
        jw_begin_object(&w);
        jw_member_uint(&w, "code", 409);
        jw_member_string(&w, "error", buf_cstr(&text));
        jw_member_string(&w, "reason", "ambiguous-name");
        jw_key(&w, "candidates");
        jw_begin_array(&w);
        for (size_t i = 0; i < n && i < CANDIDATES_MAX; i++)
                write_candidate(&w, found[i]);
        jw_end_array(&w);
        jw_end_object(&w);
        reply_header(r, "X-Content-Type-Options", "nosniff");
        return reply_json(r, 409, &out);
}

/* Of a name that means no node, or several. */
static int refuse_name(const struct request *q, struct reply *r, const struct diag_look *l)
{
        const struct diag_member *found[CANDIDATES_MAX];
        const char *name = str_or(request_arg(q, "node"), "");
        size_t n = diag_snapshot_look_up(l->snapshot, name, found, ELEMENTSOF(found));

        if (n > 1)
                return refuse_ambiguous(r, name, found, n);
        return reply_error(r, 404, "no-such-node", "no node %s", name);
}

static bool finds_node(const struct request *q, const struct diag_look *l)
{
        return find(q, l) != NULL;
}

static void write_node(struct json_writer *w, const struct diag_look *l,
                       const struct diag_member *m)
{
        diag_member_write_row(w, l, m);
        jw_key(w, "components");
        diag_member_write_components(w, l, m);
        jw_member_bool(w, "truncated", m->report && m->report->truncated);
        jw_key(w, "view");
        diag_view_write(w, l);
}

static int spell_node(const struct request *q, struct reply *r, const struct diag_look *l)
{
        const struct diag_member *m = find(q, l);
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        if (!m)
                return refuse_name(q, r, l);
        jw_begin_object(&w);
        write_node(&w, l, m);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

/* --- one of them, asked ------------------------------------------------------------------------ */

/* What a node says may be anything: it is decoded, and written anew, before it is a part of ours. */
static struct diag_report *decode(const struct cluster_task *t, struct diag_moment *moment,
                                  struct err *e)
{
        struct diag_report *report = NULL;

        if (!t)
                err_set(e, -ETIMEDOUT, "it did not answer in time");
        else if (t->status != 200 || !t->answer)
                err_set(e, -EIO, "it did not answer: status %u", t->status);
        else
                (void)diag_report_from_json(&report, moment, blob_data(t->answer),
                                            blob_size(t->answer), e);
        return report;
}

static void write_live(struct json_writer *w, const struct cluster_task *t)
{
        _cleanup_(diag_report_unrefp) struct diag_report *report = NULL;
        struct diag_moment moment;
        struct err e = {0};

        report = decode(t, &moment, &e);
        jw_member_bool(w, "live", report != NULL);
        jw_member_string_or_null(w, "live_error", report ? "" : e.text);
        jw_key(w, "node");
        if (!report) {
                jw_null(w);
                return;
        }
        diag_report_write_full(w->out, report, &moment, true);
        w->need_comma = true;
}

static int answer_asked(const struct request *q, struct reply *r, const struct diag_look *l,
                        const struct cluster_task *t)
{
        const struct diag_member *m = find(q, l);
        _cleanup_(buf_done) struct buf out = {0};
        struct json_writer w = {.out = &out};

        if (!m)
                return refuse_name(q, r, l);
        jw_begin_object(&w);
        write_node(&w, l, m);
        write_live(&w, t);
        jw_end_object(&w);
        buf_putc(&out, '\n');
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static int ask(const struct request *q, struct reply *r, const struct diag_look *l)
{
        const struct diag_member *m = find(q, l);
        const struct cluster_task *t = NULL;
        int k;

        if (!*q->errand) {
                if (!m)
                        return refuse_name(q, r, l);
                k = cluster_task_start(q, CLUSTER_TASK_ASK_NODE, m->node_id,
                                       BASE "/node?fields=full");
                if (k < 0)
                        return k;
        }
        if (cluster_task_wait(q, r, &t) == ERRAND_ANSWERED)
                return 0;
        return answer_asked(q, r, l, t);
}

static int get_full(const struct request *q, struct reply *r)
{
        struct cluster_look l;
        int k;

        if (q->caller.class < AUTHORITY_READ)
                return reply_error(r, 403, "not-allowed",
                                   "fields=full asks the node itself, which is for who may read "
                                   "outputs: without it the last answer is at hand");
        cluster_look(&l, q);
        k = ask(q, r, &l.look);
        cluster_look_done(&l);
        return k;
}

static int get_node(const struct request *q, struct reply *r)
{
        static const struct cluster_spelling node = {.finds = finds_node, .spell = spell_node};
        char fields[16];

        if (!request_query(q, "fields", fields, sizeof(fields)) || streq(fields, "health"))
                return cluster_answer(q, r, &node);
        if (streq(fields, "full"))
                return get_full(q, r);
        return reply_error(r, 400, "bad-fields", "fields is health or full");
}

/* --- what may be done to one ------------------------------------------------------------------- */

static int start_on(const struct request *q, struct reply *r, enum cluster_task_kind kind)
{
        const struct diag_member *m;
        struct cluster_look l;
        int k;

        cluster_look(&l, q);
        m = find(q, &l.look);
        k = m ? cluster_task_start(q, kind, m->node_id, NULL) : refuse_name(q, r, &l.look);
        cluster_look_done(&l);
        return k;
}

static int do_to_node(const struct request *q, struct reply *r, enum cluster_task_kind kind)
{
        const struct cluster_task *t;
        int k = *q->errand ? 0 : start_on(q, r, kind);

        if (k < 0 || r->status != 0)
                return k;
        k = cluster_task_await(q, r, &t);
        return k == ERRAND_DONE ? cluster_task_answer(t, r) : k;
}

static int delete_node(const struct request *q, struct reply *r)
{
        return do_to_node(q, r, CLUSTER_TASK_FORGET);
}

static int put_maintenance(const struct request *q, struct reply *r)
{
        struct maintenance_body body;
        struct err e;

        if (maintenance_body_from_json(&body, q->body, q->n_body, &e) < 0)
                return reply_error(r, 400, "bad-request", "%s", e.text);
        return do_to_node(q, r, CLUSTER_TASK_START_MAINTENANCE);
}

static int delete_maintenance(const struct request *q, struct reply *r)
{
        return do_to_node(q, r, CLUSTER_TASK_STOP_MAINTENANCE);
}

/* clang-format off */
const struct route v2_nodes_routes[] = {
        {"GET", BASE "/nodes", get_nodes, AUTHORITY_HEALTH},
        {"GET", BASE "/nodes/{node}", get_node, AUTHORITY_HEALTH},
        {"DELETE", BASE "/nodes/{node}", delete_node, AUTHORITY_OPERATE},
        {"PUT", BASE "/nodes/{node}/maintenance", put_maintenance, AUTHORITY_OPERATE},
        {"DELETE", BASE "/nodes/{node}/maintenance", delete_maintenance, AUTHORITY_OPERATE},
        {0},
};
/* clang-format on */
