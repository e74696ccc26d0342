/*
 * The cluster for Prometheus. Labels are bounded: roles, words and codes are closed lists, names of units
 * are as many as the snapshot's index has, and nodes have series of their own only while they are not well.
 */

#include <errno.h>

#include "api/cluster_answer.h"
#include "api/cluster_metrics.h"
#include "api/exposition.h"
#include "api/metrics.h"
#include "api/process_figures.h"
#include "api/server.h"
#include "base/mono.h"
#include "model/report_v1.h"
#include "model/snapshot_json.h"

#define GAUGE   "gauge"
#define N_ROLES (DIAG_ROLE_AGENT_PUBLIC + 1)

static void write_one(struct buf *out, const char *name, const char *help, uint64_t value)
{
        exposition_family(out, name, GAUGE, help);
        exposition_uint(out, name, NULL, value);
}

static void write_two_labels(struct buf *out, const char *name, const char *label,
                             const char *value, const char *label_2, const char *value_2,
                             uint64_t n)
{
        const struct exposition_label labels[] = {
                {label,    value},
                {label_2,        value_2},
                {0}
        };

        exposition_uint(out, name, labels, n);
}

static void write_label(struct buf *out, const char *name, const char *label, const char *value,
                        uint64_t n)
{
        write_two_labels(out, name, label, value, NULL, NULL, n);
}

/* --- the cluster ------------------------------------------------------------------------------- */

static void write_build(struct buf *out)
{
        exposition_family(out, "diag_build_info", GAUGE,
                          "Always 1; the version of diag-aggregatord.");
        write_label(out, "diag_build_info", "version", DIAG_VERSION, 1);
}

static void write_verdict(struct buf *out, const struct diag_look *l)
{
        const struct diag_cluster_verdict *v = &l->snapshot->verdict;

        if (l->stale)
                return;
        write_one(out, "diag_cluster_healthy",
                  "1: every master is healthy, 0: not; absent: nobody can say.",
                  v->health == DIAG_HEALTHY);
        write_one(out, "diag_cluster_acknowledged",
                  "1: it is unhealthy, and of every reason somebody has said that he works on it.",
                  v->acknowledged);
}

static void write_reasons(struct buf *out, const struct diag_look *l)
{
        const struct diag_cluster_verdict *v = &l->snapshot->verdict;
        unsigned n[DIAG_N_CODES] = {0};

        n[DIAG_CODE_VIEW_STALE] = l->stale != NULL;
        for (size_t i = 0; i < v->n_reasons; i++)
                n[v->reasons[i].code]++;
        exposition_family(out, "diag_cluster_reasons", GAUGE,
                          "Why the cluster is not healthy: how many reasons of each kind.");
        for (size_t i = DIAG_CODE_NONE + 1; i < DIAG_N_CODES; i++)
                if (n[i])
                        write_label(out, "diag_cluster_reasons", "code",
                                    diag_code_to_string((enum diag_code)i), n[i]);
}

static void write_masters(struct buf *out, const struct diag_look *l)
{
        const struct diag_cluster_verdict *v = &l->snapshot->verdict;
        const struct {
                const char *state;
                unsigned n;
        } states[] = {
                {"expected",  v->n_expected                },
                {"known",     v->n_known                   },
                {"answering", l->stale ? 0 : v->n_answering},
                {"healthy",   l->stale ? 0 : v->n_healthy  },
        };

        exposition_family(out, "diag_masters", GAUGE, "Masters.");
        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                write_label(out, "diag_masters", "state", states[i].state, states[i].n);
}

static void write_view(struct buf *out, const struct diag_look *l)
{
        exposition_family(out, "diag_view_age_seconds", GAUGE,
                          "Since every master was last looked at.");
        exposition_seconds(out, "diag_view_age_seconds", NULL, l->age_usec);
        write_one(out, "diag_view_seq", "Changes that this run of the daemon has seen.",
                  l->snapshot->seq);
}

static void write_sources(struct buf *out, const struct diag_look *l)
{
        const struct diag_source_state *zookeeper = &l->snapshot->sources[DIAG_SOURCE_ZOOKEEPER];

        exposition_family(out, "diag_source_nodes", GAUGE, "Nodes that a source names.");
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (l->snapshot->sources[i].used)
                        write_label(out, "diag_source_nodes", "source",
                                    diag_source_to_string((enum diag_source)i),
                                    l->snapshot->sources[i].n_nodes);
        if (!zookeeper->used)
                return;
        exposition_family(out, "diag_zookeeper_state", GAUGE, "Always 1; the state is the label.");
        write_label(out, "diag_zookeeper_state", "state", zookeeper->state, 1);
}

/* --- nodes ------------------------------------------------------------------------------------- */

struct figures {
        unsigned health[N_ROLES][DIAG_N_HEALTH], reach[N_ROLES][DIAG_N_REACH];
        uint64_t clock_offset_usec; /* the greatest, to either side */
};

static uint64_t magnitude(int64_t v)
{
        return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

static void count_nodes(struct figures *f, const struct diag_look *l)
{
        for (size_t i = 0; i < l->snapshot->n_members; i++) {
                const struct diag_member *m = l->snapshot->members[i];
                uint64_t offset = magnitude(atomic_load(&m->pulse->clock_offset_usec));

                f->reach[m->role][m->reach]++;
                if (m->reach == DIAG_REACH_SUPERSEDED)
                        continue;
                f->health[m->role][diag_look_member_health(l, m)]++;
                if (diag_member_speaks(m) && offset > f->clock_offset_usec)
                        f->clock_offset_usec = offset;
        }
}

static const char *role_word(size_t role)
{
        return str_or(diag_role_to_string((enum diag_role)role), "unknown");
}

static void write_counts(struct buf *out, const struct figures *f)
{
        exposition_family(out, "diag_nodes", GAUGE, "Nodes, by role and health.");
        for (size_t role = 0; role < N_ROLES; role++)
                for (size_t h = 0; h < DIAG_N_HEALTH; h++)
                        write_two_labels(out, "diag_nodes", "role", role_word(role), "health",
                                         diag_health_to_string((enum diag_health)h),
                                         f->health[role][h]);
        exposition_family(out, "diag_nodes_reach", GAUGE, "Nodes, by role and how they answer.");
        for (size_t role = 0; role < N_ROLES; role++)
                for (size_t r = 0; r < DIAG_N_REACH; r++)
                        write_two_labels(out, "diag_nodes_reach", "role", role_word(role), "reach",
                                         diag_reach_to_string((enum diag_reach)r),
                                         f->reach[role][r]);
        exposition_family(out, "diag_clock_offset_max_seconds", GAUGE,
                          "How far the clock of a node is from ours: the one that is farthest.");
        exposition_seconds(out, "diag_clock_offset_max_seconds", NULL, f->clock_offset_usec);
}

static bool is_unwell(const struct diag_look *l, const struct diag_member *m)
{
        return m->reach != DIAG_REACH_SUPERSEDED && diag_look_member_health(l, m) != DIAG_HEALTHY;
}

static void write_unwell(struct buf *out, const struct diag_look *l)
{
        uint64_t n = 0;

        exposition_family(out, "diag_node_health", GAUGE,
                          "Nodes that are not healthy. 1: unhealthy, 3: unknown.");
        for (size_t i = 0; i < l->snapshot->n_members; i++) {
                const struct diag_member *m = l->snapshot->members[i];

                if (!is_unwell(l, m) || n++ >= CLUSTER_METRICS_NODES_MAX)
                        continue;
                write_two_labels(out, "diag_node_health", "address", m->address, "role",
                                 role_word(m->role),
                                 (uint64_t)diag_v1_health(diag_look_member_health(l, m)));
        }
        write_one(out, "diag_node_health_left_out",
                  "Nodes that are not healthy and have no series of their own: there are too many.",
                  n > CLUSTER_METRICS_NODES_MAX ? n - CLUSTER_METRICS_NODES_MAX : 0);
}

/* --- units ------------------------------------------------------------------------------------- */

static void write_units(struct buf *out, const struct diag_look *l)
{
        const struct diag_unit_index *x = diag_snapshot_units(l->snapshot);

        exposition_family(out, "diag_unit_nodes", GAUGE,
                          "Nodes that have this component, by its health there.");
        if (!x) {
                out->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < x->n_rows; i++)
                for (size_t h = 0; h < DIAG_N_HEALTH; h++) {
                        const struct diag_unit_row *row = &x->rows[i];
                        size_t n_stale = h == DIAG_UNKNOWN ? row->n_nodes : 0;

                        write_two_labels(out, "diag_unit_nodes", "unit", row->name, "health",
                                         diag_health_to_string((enum diag_health)h),
                                         l->stale ? n_stale : row->counts.n[h]);
                }
}

void cluster_metrics_write(struct buf *out, const struct diag_look *l)
{
        struct figures figures = {0};

        count_nodes(&figures, l);
        write_build(out);
        write_verdict(out, l);
        write_reasons(out, l);
        write_masters(out, l);
        write_view(out, l);
        write_sources(out, l);
        write_counts(out, &figures);
        write_unwell(out, l);
        write_units(out, l);
}

/* --- answering --------------------------------------------------------------------------------- */

static int get_metrics(const struct request *q, struct reply *r)
{
        const struct cluster_host *host = q->host;
        _cleanup_(buf_done) struct buf out = {0};
        struct server_stats stats;
        struct cluster_look l;

        cluster_look(&l, q);
        cluster_metrics_write(&out, &l.look);
        cluster_look_done(&l);
        if (host->write_metrics)
                host->write_metrics(host->metrics_userdata, &out);
        server_stats(host->server, &stats);
        metrics_write_server(&out, &stats);
        request_times_write(&out, server_times(host->server));
        process_figures_write(&out);
        reply_header(r, "Cache-Control", "no-cache");
        reply_may_encode(r);
        return reply_blob(r, 200, EXPOSITION_CONTENT_TYPE, blob_new_take(&out));
}

const struct route cluster_metrics_routes[] = {
        {"GET",        "/metrics", get_metrics, AUTHORITY_HEALTH},
        {0},
};
