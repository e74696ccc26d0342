/* API v2 of a cluster. */

#include <inttypes.h>
#include <stdio.h>

#include "base/mono.h"
#include "model/report_json.h"
#include "model/snapshot_json.h"

#define N_ROLES (DIAG_ROLE_AGENT_PUBLIC + 1)

/* --- what is shown ----------------------------------------------------------------------------- */

enum diag_health diag_look_member_health(const struct diag_look *l, const struct diag_member *m)
{
        return l->stale ? DIAG_UNKNOWN : m->health;
}

enum diag_code diag_look_member_code(const struct diag_look *l, const struct diag_member *m)
{
        return l->stale ? DIAG_CODE_VIEW_STALE : m->code;
}

/* Nobody speaks for a unit that only silent nodes have. */
enum diag_health diag_look_unit_health(const struct diag_look *l, const struct diag_unit_row *row)
{
        const unsigned *n = row->counts.n;

        return l->stale || !(n[DIAG_HEALTHY] + n[DIAG_UNHEALTHY]) ? DIAG_UNKNOWN : row->health;
}

enum diag_health diag_look_component_health(const struct diag_look *l, const struct diag_member *m,
                                            size_t component)
{
        return l->stale ? DIAG_UNKNOWN : diag_member_component_health(m, component);
}

/* Of a node that cannot vouch for its components, all of them have the node's own reason. */
static bool has_lost_its_word(const struct diag_look *l, const struct diag_member *m)
{
        return l->stale || m->stale || !diag_member_speaks(m);
}

enum diag_code diag_look_component_code(const struct diag_look *l, const struct diag_member *m,
                                        size_t component)
{
        return has_lost_its_word(l, m) ? diag_look_member_code(l, m)
                                       : m->report->components[component].code;
}

static const char *component_text(const struct diag_look *l, const struct diag_member *m,
                                  const struct diag_component *c)
{
        if (l->stale)
                return l->stale;
        return has_lost_its_word(l, m) ? m->text : c->text;
}

static uint64_t age_of(const struct diag_look *l, uint64_t seen_boot_usec)
{
        return seen_boot_usec ? usec_since(l->now_boot_usec, seen_boot_usec) : USEC_INFINITY;
}

/* --- pieces ------------------------------------------------------------------------------------ */

static void write_age(struct json_writer *w, const char *key, uint64_t usec)
{
        jw_key(w, key);
        if (usec == USEC_INFINITY)
                jw_null(w);
        else
                jw_seconds(w, usec);
}

static void write_uint_or_null(struct json_writer *w, const char *key, uint64_t v)
{
        jw_key(w, key);
        if (v)
                jw_uint(w, v);
        else
                jw_null(w);
}

static void write_strings(struct json_writer *w, const char *key, const char *const *s, size_t n)
{
        jw_key(w, key);
        jw_begin_array(w);
        for (size_t i = 0; i < n; i++)
                jw_string(w, s[i]);
        jw_end_array(w);
}

static void write_health(struct json_writer *w, enum diag_health health)
{
        jw_member_string(w, "health", diag_health_to_string(health));
}

static const char *kind_word(enum diag_component_kind kind)
{
        return kind == DIAG_COMPONENT_PROBES ? "probe" : "unit";
}

static void write_code(struct json_writer *w, enum diag_code code)
{
        jw_member_string_or_null(w, "code", diag_code_to_string(code));
}

static void write_count_members(struct json_writer *w, const struct diag_counts *counts)
{
        jw_member_uint(w, "healthy", counts->n[DIAG_HEALTHY]);
        jw_member_uint(w, "unhealthy", counts->n[DIAG_UNHEALTHY]);
        jw_member_uint(w, "unknown", counts->n[DIAG_UNKNOWN]);
}

static void write_counts(struct json_writer *w, const struct diag_counts *counts)
{
        jw_key(w, "counts");
        jw_begin_object(w);
        write_count_members(w, counts);
        jw_end_object(w);
}

/* They are still as many, but nobody knows how they are. */
static struct diag_counts all_unknown(const struct diag_counts *counts)
{
        const unsigned *n = counts->n;

        return (struct diag_counts){.n[DIAG_UNKNOWN] =
                                            n[DIAG_HEALTHY] + n[DIAG_UNHEALTHY] + n[DIAG_UNKNOWN]};
}

static void write_about(struct json_writer *w, const char *key, const char *s)
{
        if (*s)
                jw_member_string(w, key, s);
}

static void write_reason(struct json_writer *w, const struct diag_reason *r)
{
        jw_begin_object(w);
        jw_member_string(w, "code", diag_code_to_string(r->code));
        jw_member_string(w, "text", r->text);
        write_about(w, "node_id", r->node_id);
        write_about(w, "address", r->address);
        write_about(w, "component", r->component);
        jw_member_time(w, "since", r->since_wall_usec);
        jw_member_bool(w, "acknowledged", r->acknowledged);
        jw_end_object(w);
}

/* --- the cluster ------------------------------------------------------------------------------- */

static void write_name(struct json_writer *w, const struct diag_snapshot *s)
{
        jw_key(w, "cluster");
        jw_begin_object(w);
        jw_member_string_or_null(w, "id", s->cluster_id);
        jw_member_string_or_null(w, "name", s->cluster_name);
        jw_end_object(w);
}

static void write_reasons(struct json_writer *w, const struct diag_look *l,
                          const struct diag_cluster_verdict *v)
{
        const struct diag_reason stale = {.code = DIAG_CODE_VIEW_STALE,
                                          .text = l->stale,
                                          .node_id = "",
                                          .address = "",
                                          .component = ""};

        jw_key(w, "reasons");
        jw_begin_array(w);
        if (l->stale)
                write_reason(w, &stale);
        for (size_t i = 0; i < v->n_reasons; i++)
                write_reason(w, &v->reasons[i]);
        jw_end_array(w);
}

static void write_verdict(struct json_writer *w, const struct diag_look *l,
                          const struct diag_cluster_verdict *v)
{
        write_health(w, l->stale ? DIAG_UNHEALTHY : v->health);
        jw_member_time(w, "since", l->stale ? 0 : v->since_wall_usec);
        jw_member_bool(w, "acknowledged", !l->stale && v->acknowledged);
        jw_member_string(w, "summary", str_or(l->stale, v->summary));
        write_reasons(w, l, v);
}

static void write_masters(struct json_writer *w, const struct diag_look *l,
                          const struct diag_cluster_verdict *v)
{
        jw_key(w, "masters");
        jw_begin_object(w);
        write_uint_or_null(w, "expected", v->n_expected);
        jw_member_string_or_null(w, "expected_from", v->expected_from);
        jw_member_uint(w, "known", v->n_known);
        jw_member_uint(w, "answering", l->stale ? 0 : v->n_answering);
        jw_member_uint(w, "healthy", l->stale ? 0 : v->n_healthy);
        jw_member_string(w, "quorum",
                         diag_quorum_to_string(l->stale ? DIAG_QUORUM_UNKNOWN : v->quorum));
        jw_end_object(w);
}

struct role_counts {
        struct diag_counts counts;
        unsigned n_maintenance;
};

static void count_roles(const struct diag_look *l, struct role_counts ret[static N_ROLES])
{
        for (size_t i = 0; i < l->snapshot->n_members; i++) {
                const struct diag_member *m = l->snapshot->members[i];

                if (m->reach == DIAG_REACH_SUPERSEDED)
                        continue;
                ret[m->role].counts.n[diag_look_member_health(l, m)]++;
                ret[m->role].n_maintenance += m->maintenance != NULL;
        }
}

static void write_role(struct json_writer *w, const char *key, const struct role_counts *c)
{
        jw_key(w, key);
        jw_begin_object(w);
        write_count_members(w, &c->counts);
        jw_member_uint(w, "maintenance", c->n_maintenance);
        jw_end_object(w);
}

/* A node that nobody has said the role of is no agent yet. */
static void write_nodes(struct json_writer *w, const struct diag_look *l)
{
        struct role_counts counts[N_ROLES] = {0};

        count_roles(l, counts);
        jw_key(w, "nodes");
        jw_begin_object(w);
        for (size_t i = DIAG_ROLE_MASTER; i < N_ROLES; i++)
                write_role(w, diag_role_to_string((enum diag_role)i), &counts[i]);
        write_role(w, "unknown", &counts[DIAG_ROLE_UNKNOWN]);
        jw_end_object(w);
}

static void write_leader(struct json_writer *w, const struct diag_look *l)
{
        const struct diag_snapshot *s = l->snapshot;

        jw_key(w, "leader");
        if (!*s->leader_address) {
                jw_null(w);
                return;
        }
        jw_begin_object(w);
        jw_member_string(w, "address", s->leader_address);
        jw_member_string(w, "source", s->leader_source);
        write_age(w, "age_seconds", age_of(l, s->leader_seen_boot_usec));
        jw_end_object(w);
}

/* How long ago the one that was heard least of them was heard; infinity: one never was. */
static uint64_t oldest_master(const struct diag_look *l)
{
        uint64_t oldest = 0;

        for (size_t i = 0; i < l->snapshot->n_members; i++) {
                const struct diag_member *m = l->snapshot->members[i];
                uint64_t age;

                if (m->role != DIAG_ROLE_MASTER || m->reach == DIAG_REACH_SUPERSEDED)
                        continue;
                age = age_of(l, atomic_load(&m->pulse->seen_boot_usec));
                if (age > oldest)
                        oldest = age;
        }
        return oldest;
}

/* A snapshot stays while nothing differs; the view is as of when somebody last vouched for it. */
static uint64_t as_of(const struct diag_look *l)
{
        uint64_t vouched_boot_usec = usec_since(l->now_boot_usec, l->age_usec);

        return l->snapshot->made_wall_usec +
               usec_since(vouched_boot_usec, l->snapshot->made_boot_usec);
}

static void write_view_members(struct json_writer *w, const struct diag_look *l)
{
        const struct diag_snapshot *s = l->snapshot;
        char instance[17];

        (void)snprintf(instance, sizeof(instance), "%016" PRIx64, s->instance);
        jw_member_string(w, "observer", s->observer);
        jw_member_string(w, "instance", instance);
        jw_member_uint(w, "seq", s->seq);
        jw_member_time(w, "as_of", as_of(l));
        write_age(w, "age_seconds", l->age_usec);
        jw_member_bool(w, "complete", !l->stale && s->round_wall_usec);
}

void diag_view_write(struct json_writer *w, const struct diag_look *l)
{
        jw_begin_object(w);
        write_view_members(w, l);
        jw_end_object(w);
}

static void write_view_with_masters(struct json_writer *w, const struct diag_look *l)
{
        jw_key(w, "view");
        jw_begin_object(w);
        write_view_members(w, l);
        write_age(w, "oldest_master_seconds", oldest_master(l));
        jw_end_object(w);
}

static void write_peer_view(struct json_writer *w, const struct diag_look *l,
                            const struct diag_peer_view *v)
{
        jw_begin_object(w);
        jw_member_string(w, "observer", v->observer);
        write_health(w, v->fresh ? v->health : DIAG_UNKNOWN);
        jw_member_time(w, "as_of", v->as_of_wall_usec);
        write_age(w, "age_seconds", age_of(l, v->seen_boot_usec));
        jw_member_bool(w, "fresh", v->fresh);
        jw_member_bool(w, "agrees", v->agrees);
        jw_end_object(w);
}

static void write_peer_views(struct json_writer *w, const struct diag_look *l, bool own)
{
        jw_key(w, "views");
        jw_begin_array(w);
        for (size_t i = 0; !own && i < l->snapshot->n_views; i++)
                write_peer_view(w, l, &l->snapshot->views[i]);
        jw_end_array(w);
}

static void write_source(struct json_writer *w, const struct diag_look *l,
                         const struct diag_source_state *s)
{
        bool authoritative = DIAG_SOURCE_BIT(s->source) & DIAG_SOURCE_AUTHORITATIVE;

        jw_begin_object(w);
        jw_member_string(w, "name", diag_source_to_string(s->source));
        jw_member_string(w, "kind", authoritative ? "authoritative" : "observing");
        jw_member_string(w, "state", s->state);
        write_age(w, "age_seconds", age_of(l, s->seen_boot_usec));
        jw_member_uint(w, "nodes", s->n_nodes);
        jw_member_string_or_null(w, "error", s->error);
        jw_end_object(w);
}

static void write_sources(struct json_writer *w, const struct diag_look *l)
{
        jw_key(w, "sources");
        jw_begin_array(w);
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (l->snapshot->sources[i].used)
                        write_source(w, l, &l->snapshot->sources[i]);
        jw_end_array(w);
}

void diag_cluster_write(struct buf *out, const struct diag_look *l, bool own)
{
        const struct diag_snapshot *s = l->snapshot;
        const struct diag_cluster_verdict *v = own ? &s->own : &s->verdict;
        struct json_writer w = {.out = out};

        jw_begin_object(&w);
        write_name(&w, s);
        write_verdict(&w, l, v);
        write_masters(&w, l, v);
        write_nodes(&w, l);
        write_leader(&w, l);
        write_view_with_masters(&w, l);
        write_peer_views(&w, l, own);
        write_sources(&w, l);
        jw_end_object(&w);
        buf_putc(out, '\n');
}

/* --- a node ------------------------------------------------------------------------------------ */

static void write_identity(struct json_writer *w, const struct diag_member *m)
{
        jw_member_string(w, "node_id", m->node_id);
        jw_member_string(w, "address", m->address);
        write_strings(w, "addresses", m->addresses, m->n_addresses);
        jw_member_string_or_null(w, "hostname", m->hostname);
        write_uint_or_null(w, "port", m->port);
        jw_member_string_or_null(w, "role", diag_role_to_string(m->role));
}

void diag_member_write_inventory(struct json_writer *w, const struct diag_member *m)
{
        jw_begin_object(w);
        write_identity(w, m);
        jw_end_object(w);
}

static void write_pulse(struct json_writer *w, const struct diag_look *l,
                        const struct diag_pulse *p)
{
        uint64_t seen = atomic_load(&p->seen_boot_usec), rtt = atomic_load(&p->rtt_usec);
        int64_t offset = atomic_load(&p->clock_offset_usec);

        jw_member_time(w, "last_seen", atomic_load(&p->seen_wall_usec));
        write_age(w, "age_seconds", age_of(l, seen));
        jw_key(w, "rtt_seconds");
        if (rtt) /* a loopback takes less than a millisecond, which is as fine as jw_seconds() is */
                buf_printf(w->out, "%" PRIu64 ".%06" PRIu64, rtt / USEC_PER_SEC,
                           rtt % USEC_PER_SEC);
        else
                buf_puts(w->out, "null");
        w->need_comma = true;
        jw_key(w, "clock_offset_ms");
        if (seen)
                jw_int(w, offset / (int64_t)USEC_PER_MSEC);
        else
                jw_null(w);
}

static void write_bad(struct json_writer *w, const struct diag_look *l, const struct diag_member *m)
{
        size_t n = has_lost_its_word(l, m) ? 0 : m->report->n_components;
        size_t n_bad = 0;

        jw_key(w, "bad");
        jw_begin_array(w);
        for (size_t i = 0; i < n && n_bad < DIAG_ROW_BAD_MAX; i++)
                if (m->report->components[i].health == DIAG_UNHEALTHY) {
                        jw_string(w, m->report->components[i].name);
                        n_bad++;
                }
        jw_end_array(w);
}

static void write_member_counts(struct json_writer *w, const struct diag_look *l,
                                const struct diag_member *m)
{
        struct diag_counts counts = {0};

        if (m->report)
                counts = has_lost_its_word(l, m) ? all_unknown(&m->report->counts)
                                                 : m->report->counts;
        write_counts(w, &counts);
}

static void write_member_sources(struct json_writer *w, unsigned sources)
{
        jw_key(w, "sources");
        jw_begin_array(w);
        for (size_t i = 0; i < DIAG_N_SOURCES; i++)
                if (sources & DIAG_SOURCE_BIT(i))
                        jw_string(w, diag_source_to_string((enum diag_source)i));
        jw_end_array(w);
}

static void write_member_health(struct json_writer *w, const struct diag_look *l,
                                const struct diag_member *m)
{
        write_health(w, diag_look_member_health(l, m));
        jw_member_time(w, "since", l->stale ? 0 : m->since_wall_usec);
        write_code(w, diag_look_member_code(l, m));
        jw_member_string(w, "text", str_or(l->stale, m->text));
}

void diag_member_write_row(struct json_writer *w, const struct diag_look *l,
                           const struct diag_member *m)
{
        write_identity(w, m);
        jw_member_bool(w, "leader", m->leader);
        write_member_health(w, l, m);
        jw_member_string(w, "reach", diag_reach_to_string(m->reach));
        jw_member_bool(w, "seen_down", m->seen_down);
        jw_member_bool(w, "unlisted", m->unlisted);
        write_pulse(w, l, m->pulse);
        jw_member_string_or_null(w, "protocol", diag_protocol_to_string(m->protocol));
        write_member_counts(w, l, m);
        write_bad(w, l, m);
        jw_key(w, "maintenance");
        diag_maintenance_write(w, m->maintenance);
        write_member_sources(w, m->sources);
        jw_member_string_or_null(w, "version", m->version);
        jw_member_string_or_null(w, "boot_id", m->boot_id);
        jw_member_string_or_null(w, "mesos_id", m->mesos_id);
        write_strings(w, "notes", m->notes, m->n_notes);
}

/* Nodes say their outputs in the words of API v1: the first line is a reason, which "text" says better. */
static const char *printed(const char *output)
{
        const char *end = strchr(output, '\n');

        return end ? end + 1 : "";
}

static void write_component(struct json_writer *w, const struct diag_look *l,
                            const struct diag_member *m, size_t i)
{
        const struct diag_component *c = &m->report->components[i];
        bool lost = has_lost_its_word(l, m);

        jw_begin_object(w);
        jw_member_string(w, "name", c->name);
        jw_member_string(w, "title", c->title);
        jw_member_string(w, "description", c->description);
        jw_member_string(w, "kind", kind_word(c->kind));
        write_health(w, diag_look_component_health(l, m, i));
        write_code(w, diag_look_component_code(l, m, i));
        jw_member_string(w, "text", component_text(l, m, c));
        jw_member_time(w, "since", lost ? 0 : c->since_wall_usec);
        jw_member_string(w, "output", l->outputs && !lost ? printed(diag_member_output(m, i)) : "");
        jw_end_object(w);
}

void diag_member_write_components(struct json_writer *w, const struct diag_look *l,
                                  const struct diag_member *m)
{
        jw_begin_array(w);
        for (size_t i = 0; m->report && i < m->report->n_components; i++)
                write_component(w, l, m, i);
        jw_end_array(w);
}

/* --- a unit ------------------------------------------------------------------------------------ */

static void write_codes(struct json_writer *w, const struct diag_look *l,
                        const struct diag_unit_row *row)
{
        jw_key(w, "codes");
        jw_begin_object(w);
        for (size_t i = DIAG_CODE_NONE + 1; !l->stale && i < DIAG_N_CODES; i++)
                if (row->codes[i])
                        jw_member_uint(w, diag_code_to_string((enum diag_code)i), row->codes[i]);
        jw_end_object(w);
}

void diag_unit_row_write(struct json_writer *w, const struct diag_look *l,
                         const struct diag_unit_row *row)
{
        struct diag_counts counts = l->stale ? all_unknown(&row->counts) : row->counts;

        jw_member_string(w, "name", row->name);
        jw_member_string(w, "title", row->title);
        jw_member_string(w, "description", row->description);
        jw_member_string(w, "kind", kind_word(row->kind));
        write_health(w, diag_look_unit_health(l, row));
        write_counts(w, &counts);
        jw_member_uint(w, "absent", row->n_absent);
        write_codes(w, l, row);
}

void diag_unit_node_write(struct json_writer *w, const struct diag_look *l,
                          const struct diag_unit_node *n)
{
        const struct diag_member *m = l->snapshot->members[n->member];
        const struct diag_component *c = &m->report->components[n->component];

        jw_begin_object(w);
        jw_member_string(w, "node_id", m->node_id);
        jw_member_string(w, "address", m->address);
        jw_member_string_or_null(w, "role", diag_role_to_string(m->role));
        write_health(w, diag_look_component_health(l, m, n->component));
        write_code(w, diag_look_component_code(l, m, n->component));
        jw_member_string(w, "text", component_text(l, m, c));
        jw_member_time(w, "since", has_lost_its_word(l, m) ? 0 : c->since_wall_usec);
        jw_member_string(w, "reach", diag_reach_to_string(m->reach));
        jw_end_object(w);
}
