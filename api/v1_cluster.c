/*
 * API v1 of the cluster, spelled by model/snapshot_v1.c. "?cache" is the old word for: ask every node
 * anew, and answer from what they say then.
 */

#include <errno.h>
#include <time.h>

#include "api/cluster_answer.h"
#include "api/cluster_task.h"
#include "api/v1_cluster.h"
#include "base/mono.h"
#include "model/report_v1.h"
#include "model/snapshot_v1.h"

#define BASE "/system/health/v1"

/* As asctime(3) writes it, in local time, without its newline; errors have it as well. */
static void describe(struct reply *r, const struct diag_look *l)
{
        time_t when = (time_t)(l->snapshot->round_wall_usec / USEC_PER_SEC);
        char text[64];
        struct tm tm;

        if (!l->snapshot->round_wall_usec || !localtime_r(&when, &tm) || !asctime_r(&tm, text))
                return;
        text[strcspn(text, "\n")] = '\0';
        reply_header(r, "Last-Modified-3DT", "%s", text);
}

static int not_found(struct reply *r, const char *what)
{
        return reply_text(r, 404, "%s not found", what);
}

typedef int v1_spell_fn(const struct request *q, struct reply *r, const struct diag_look *l);

static int answer_now(const struct request *q, struct reply *r, v1_spell_fn *spell)
{
        struct cluster_look l;
        int k;

        cluster_look(&l, q);
        describe(r, &l.look);
        k = spell(q, r, &l.look);
        cluster_look_done(&l);
        return k;
}

/* A round that could not be finished is not hidden behind an old answer: who asks so wants a new one. */
static int answer_after_round(const struct request *q, struct reply *r, v1_spell_fn *spell)
{
        const struct cluster_task *t = NULL;
        enum errand_result result;
        int k;

        if (!*q->errand) {
                k = cluster_task_start(q, CLUSTER_TASK_ROUND, NULL, NULL);
                if (k < 0)
                        return k;
        }
        result = cluster_task_wait(q, r, &t);
        if (result == ERRAND_ANSWERED)
                return 0;
        if (result == ERRAND_DONE && t->status < 300)
                return answer_now(q, r, spell);
        return reply_text(r, 504,
                          "not all nodes could be asked in time; without ?cache the last answers "
                          "are at hand");
}

static int answer(const struct request *q, struct reply *r, v1_spell_fn *spell)
{
        char value[2];

        return request_query(q, "cache", value, sizeof(value)) ? answer_after_round(q, r, spell)
                                                               : answer_now(q, r, spell);
}

/* --- lists ------------------------------------------------------------------------------------- */

/* Asked for every two seconds by every browser: made once for each snapshot. */
static int spell_list(struct reply *r, const struct diag_look *l, enum diag_snapshot_memo memo,
                      struct blob *(*render)(const struct diag_snapshot *s),
                      void (*write)(struct buf *out, const struct diag_look *l))
{
        _cleanup_(buf_done) struct buf out = {0};

        reply_may_encode(r);
        if (!l->stale)
                return reply_blob(r, 200, "application/json",
                                  diag_snapshot_rendered(l->snapshot, memo, render));
        write(&out, l);
        return reply_json(r, 200, &out);
}

static int spell_nodes(const struct request *q, struct reply *r, const struct diag_look *l)
{
        (void)q;
        return spell_list(r, l, DIAG_SNAPSHOT_MEMO_V1_NODES, diag_snapshot_render_v1_nodes,
                          diag_v1_write_nodes);
}

static int get_nodes(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_nodes);
}

static int spell_units(const struct request *q, struct reply *r, const struct diag_look *l)
{
        (void)q;
        return spell_list(r, l, DIAG_SNAPSHOT_MEMO_V1_UNITS, diag_snapshot_render_v1_units,
                          diag_v1_write_units);
}

static int get_units(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_units);
}

/* --- a node ------------------------------------------------------------------------------------ */

/* NULL: what to return is in @ret, and @r says that there is none. */
static const struct diag_member *find_node(const struct request *q, struct reply *r,
                                           const struct diag_look *l, int *ret)
{
        const char *address = str_or(request_arg(q, "ip"), "");
        const struct diag_member *m = diag_v1_find_node(l, address);

        *ret = m ? 0 : not_found(r, address);
        return m;
}

static int spell_node(const struct request *q, struct reply *r, const struct diag_look *l)
{
        int k;
        const struct diag_member *m = find_node(q, r, l, &k);
        _cleanup_(buf_done) struct buf out = {0};

        if (!m)
                return k;
        diag_v1_write_node(&out, l, m);
        return reply_json(r, 200, &out);
}

static int get_node(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_node);
}

static int spell_node_units(const struct request *q, struct reply *r, const struct diag_look *l)
{
        int k;
        const struct diag_member *m = find_node(q, r, l, &k);
        _cleanup_(buf_done) struct buf out = {0};

        if (!m)
                return k;
        diag_v1_write_node_units(&out, l, m);
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static int get_node_units(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_node_units);
}

static int spell_node_unit(const struct request *q, struct reply *r, const struct diag_look *l)
{
        int k;
        const struct diag_member *m = find_node(q, r, l, &k);
        const char *name = str_or(request_arg(q, "unit"), "");
        _cleanup_(buf_done) struct buf out = {0};
        ssize_t at;

        if (!m)
                return k;
        at = diag_v1_find_component(m, name);
        if (at < 0)
                return not_found(r, name);
        diag_v1_write_node_unit(&out, l, m, (size_t)at);
        return reply_json(r, 200, &out);
}

static int get_node_unit(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_node_unit);
}

/* --- a unit ------------------------------------------------------------------------------------ */

/* Likewise. */
static const struct diag_unit_row *find_unit(const struct request *q, struct reply *r,
                                             const struct diag_look *l, int *ret)
{
        const char *name = str_or(request_arg(q, "unit"), "");
        const struct diag_unit_row *row = diag_v1_find_unit(l, name, ret);

        if (!row && *ret == 0)
                *ret = not_found(r, name);
        return row;
}

static int spell_unit(const struct request *q, struct reply *r, const struct diag_look *l)
{
        _cleanup_(buf_done) struct buf out = {0};
        const struct diag_unit_row *row;
        int k;

        row = find_unit(q, r, l, &k);
        if (!row)
                return k;
        diag_v1_write_unit(&out, l, row);
        return reply_json(r, 200, &out);
}

static int get_unit(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_unit);
}

static int spell_unit_nodes(const struct request *q, struct reply *r, const struct diag_look *l)
{
        _cleanup_(buf_done) struct buf out = {0};
        const struct diag_unit_row *row;
        int k;

        row = find_unit(q, r, l, &k);
        if (!row)
                return k;
        diag_v1_write_unit_nodes(&out, l, row);
        reply_may_encode(r);
        return reply_json(r, 200, &out);
}

static int get_unit_nodes(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_unit_nodes);
}

static int spell_unit_node(const struct request *q, struct reply *r, const struct diag_look *l)
{
        const char *address = str_or(request_arg(q, "ip"), "");
        _cleanup_(buf_done) struct buf out = {0};
        const struct diag_unit_row *row;
        const struct diag_member *m;
        ssize_t at;
        int k;

        row = find_unit(q, r, l, &k);
        if (!row)
                return k;
        m = diag_v1_find_node(l, address);
        at = m ? diag_v1_find_component(m, row->name) : -1;
        if (at < 0)
                return not_found(r, address);
        diag_v1_write_unit_node(&out, l, m, (size_t)at);
        return reply_json(r, 200, &out);
}

static int get_unit_node(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_unit_node);
}

/* --- the report -------------------------------------------------------------------------------- */

static int spell_report(const struct request *q, struct reply *r, const struct diag_look *l)
{
        (void)q;
        reply_may_encode(r);
        return reply_rope(r, 200, "application/json", diag_v1_report(l));
}

static int get_report(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_report);
}

static int spell_download(const struct request *q, struct reply *r, const struct diag_look *l)
{
        reply_header(r, "Content-Disposition", "attachment; filename=health-report.json");
        return spell_report(q, r, l);
}

static int get_download(const struct request *q, struct reply *r)
{
        return answer(q, r, spell_download);
}

/* clang-format off */
const struct route v1_cluster_routes[] = {
        {"GET", BASE "/units", get_units, AUTHORITY_HEALTH},
        {"GET", BASE "/units/{unit}", get_unit, AUTHORITY_HEALTH},
        {"GET", BASE "/units/{unit}/nodes", get_unit_nodes, AUTHORITY_HEALTH},
        {"GET", BASE "/units/{unit}/nodes/{ip}", get_unit_node, AUTHORITY_HEALTH},
        {"GET", BASE "/nodes", get_nodes, AUTHORITY_HEALTH},
        {"GET", BASE "/nodes/{ip}", get_node, AUTHORITY_HEALTH},
        {"GET", BASE "/nodes/{ip}/units", get_node_units, AUTHORITY_HEALTH},
        {"GET", BASE "/nodes/{ip}/units/{unit}", get_node_unit, AUTHORITY_HEALTH},
        {"GET", BASE "/report", get_report, AUTHORITY_HEALTH},
        {"GET", BASE "/report/download", get_download, AUTHORITY_HEALTH},
        {0},
};
/* clang-format on */
