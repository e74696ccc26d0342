/*
 * Metrics are tables: a row is a family, and says of a component, or probe, whether there is a
 * sample. All samples of a family must follow each other, so the families are the outer loop.
 */

#include <stdio.h>

#include "api/exposition.h"
#include "api/metrics.h"
#include "api/node_answer.h"
#include "api/process_figures.h"
#include "api/server.h"
#include "base/mono.h"

#define GAUGE   "gauge"
#define COUNTER "counter"

/* --- the node --------------------------------------------------------------------------------- */

static void write_build(struct buf *out, const struct diag_report *r)
{
        const struct exposition_label labels[] = {
                {"version", str_or(r->node.version, "")},
                {0     }
        };

        exposition_family(out, "diag_build_info", GAUGE, "Always 1; the version of diag-agentd.");
        exposition_uint(out, "diag_build_info", labels, 1);
}

static void write_flag(struct buf *out, const char *name, const char *help, bool on)
{
        exposition_family(out, name, GAUGE, help);
        exposition_uint(out, name, NULL, on);
}

static void write_node(struct buf *out, const struct feed_view *v)
{
        enum diag_health health = v->stale ? DIAG_UNKNOWN : v->report->health;

        write_build(out, v->report);
        write_flag(out, "diag_node_healthy", "1: healthy, 0: unhealthy or unknown.",
                   health == DIAG_HEALTHY);
        write_flag(out, "diag_node_unknown", "1: nobody can vouch for the health of this node.",
                   health == DIAG_UNKNOWN);
        write_flag(out, "diag_node_maintenance",
                   "1: somebody works on this node and has said so; changes no health.",
                   v->report->maintenance != NULL);
        exposition_family(out, "diag_facts_age_seconds", GAUGE,
                          "Since systemd last answered; +Inf: it has not answered yet.");
        exposition_seconds(out, "diag_facts_age_seconds", NULL, v->confirmed_age_usec);
}

static void write_value(struct buf *out, const char *name, const struct exposition_label *labels,
                        bool seconds, uint64_t value)
{
        if (seconds)
                exposition_seconds(out, name, labels, value);
        else
                exposition_uint(out, name, labels, value);
}

/* --- components ------------------------------------------------------------------------------- */

static bool component_healthy(const struct diag_component *c, uint64_t *ret)
{
        *ret = c->health == DIAG_HEALTHY;
        return true;
}

static bool component_unknown(const struct diag_component *c, uint64_t *ret)
{
        *ret = c->health == DIAG_UNKNOWN;
        return true;
}

struct component_family {
        const char *name, *type, *help;
        bool seconds; /* the value is in µs */
        bool (*value)(const struct diag_component *,
                      uint64_t *ret); /* false: no sample, as in all tables here */
};

/* clang-format off */
static const struct component_family component_families[] = {
        {"diag_component_healthy", GAUGE, "1: healthy, 0: unhealthy or unknown.", false,
         component_healthy},
        {"diag_component_unknown", GAUGE, "1: nobody can vouch for its health.", false,
         component_unknown},
};
/* clang-format on */

/* What is stale has lost its health, but not its name. */
static void write_components(struct buf *out, const struct feed_view *v,
                             const struct component_family *f)
{
        uint64_t value;

        exposition_family(out, f->name, f->type, f->help);
        for (size_t i = 0; i < v->report->n_components; i++) {
                struct diag_component c = v->report->components[i];
                const struct exposition_label labels[] = {
                        {"component", c.name},
                        {0          }
                };

                if (v->stale)
                        c.health = DIAG_UNKNOWN;
                if (f->value(&c, &value))
                        write_value(out, f->name, labels, f->seconds, value);
        }
}

/* --- units ------------------------------------------------------------------------------------ */

static bool unit_restarts(const struct diag_unit *u, uint64_t *ret)
{
        *ret = u->n_restarts;
        return diag_unit_is_service(u);
}

static bool unit_state_change(const struct diag_unit *u, uint64_t *ret)
{
        *ret = u->state_change_wall_usec;
        return *ret != 0;
}

struct unit_family {
        const char *name, *type, *help;
        bool seconds; /* the value is in µs */
        bool (*value)(const struct diag_unit *, uint64_t *ret);
};

/* clang-format off */
static const struct unit_family unit_families[] = {
        {"diag_unit_restarts_total", COUNTER,
         "Restarts of a service by systemd since somebody started it (NRestarts).", false,
         unit_restarts},
        {"diag_unit_state_change_timestamp_seconds", GAUGE,
         "When systemd last saw its state change.", true,
         unit_state_change},
};
/* clang-format on */

/* A unit has its own name, whatever its component is called. */
static void write_units(struct buf *out, const struct feed_view *v, const struct unit_family *f)
{
        uint64_t value;

        exposition_family(out, f->name, f->type, f->help);
        for (size_t i = 0; i < v->report->n_components; i++) {
                const struct diag_unit *u = v->report->components[i].unit;
                const struct exposition_label labels[] = {
                        {"unit", u ? u->name : ""},
                        {0     }
                };

                if (u && f->value(u, &value))
                        write_value(out, f->name, labels, f->seconds, value);
        }
}

/* --- probes ----------------------------------------------------------------------------------- */

static bool probe_healthy(const struct diag_probe *p, uint64_t *ret)
{
        *ret = p->health == DIAG_HEALTHY;
        return true;
}

static bool probe_unknown(const struct diag_probe *p, uint64_t *ret)
{
        *ret = p->health == DIAG_UNKNOWN;
        return true;
}

static bool probe_duration(const struct diag_probe *p, uint64_t *ret)
{
        *ret = p->took_usec;
        return p->last_run_wall_usec != 0;
}

struct probe_family {
        const char *name, *type, *help;
        bool seconds; /* the value is in µs */
        bool (*value)(const struct diag_probe *, uint64_t *ret);
};

/* clang-format off */
static const struct probe_family probe_families[] = {
        {"diag_probe_healthy", GAUGE, "1: healthy, 0: unhealthy or unknown.", false, probe_healthy},
        {"diag_probe_unknown", GAUGE, "1: it has no result that counts.", false, probe_unknown},
        {"diag_probe_duration_seconds", GAUGE, "How long its last run took.", true, probe_duration},
};
/* clang-format on */

static void write_probes_of(struct buf *out, const struct feed_view *v,
                            const struct diag_component *c, const struct probe_family *f)
{
        uint64_t value;

        for (size_t i = 0; i < c->n_probes; i++) {
                struct diag_probe p = c->probes[i];
                const struct exposition_label labels[] = {
                        {"component", c->name},
                        {"probe",           p.name},
                        {0}
                };

                if (p.skipped) /* nobody asks it: it is neither well nor unknown */
                        continue;
                if (v->stale)
                        p.health = DIAG_UNKNOWN;
                if (f->value(&p, &value))
                        write_value(out, f->name, labels, f->seconds, value);
        }
}

static void write_probes(struct buf *out, const struct feed_view *v, const struct probe_family *f)
{
        exposition_family(out, f->name, f->type, f->help);
        for (size_t i = 0; i < v->report->n_components; i++)
                write_probes_of(out, v, &v->report->components[i], f);
}

void metrics_write_node(struct buf *out, const struct feed_view *v)
{
        write_node(out, v);
        for (size_t i = 0; i < ELEMENTSOF(component_families); i++)
                write_components(out, v, &component_families[i]);
        for (size_t i = 0; i < ELEMENTSOF(unit_families); i++)
                write_units(out, v, &unit_families[i]);
        for (size_t i = 0; i < ELEMENTSOF(probe_families); i++)
                write_probes(out, v, &probe_families[i]);
}

/* --- the server ------------------------------------------------------------------------------- */

static void write_single(struct buf *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
        exposition_family(out, name, type, help);
        exposition_uint(out, name, NULL, value);
}

static void write_labelled(struct buf *out, const char *name, const char *label,
                           const char *label_value, uint64_t value)
{
        const struct exposition_label labels[] = {
                {label, label_value},
                {0    }
        };

        exposition_uint(out, name, labels, value);
}

static void write_answers(struct buf *out, const struct server_stats *s)
{
        char code[16];

        exposition_family(out, "diag_http_requests_total", COUNTER, "Answers, by HTTP status.");
        for (size_t i = 0; i < SERVER_STATUSES; i++) {
                (void)snprintf(code, sizeof(code), "%u", s->answers[i].status);
                write_labelled(out, "diag_http_requests_total", "code",
                               s->answers[i].status ? code : "other", s->answers[i].n);
        }
        write_single(out, "diag_http_answer_bytes_total", COUNTER,
                     "Bodies of answers that were taken to their end.", s->answer_bytes);
}

static void write_refusals(struct buf *out, const struct server_stats *s)
{
        exposition_family(out, "diag_http_refused_total", COUNTER,
                          "Requests and connections that were sent away, and why.");
        for (size_t i = SERVER_REFUSAL_NONE + 1; i < SERVER_REFUSALS; i++)
                write_labelled(out, "diag_http_refused_total", "reason",
                               server_refusal_to_string((enum server_refusal)i), s->refusals[i]);
        write_single(out, "diag_http_accept_failures_total", COUNTER,
                     "Connections that could not be taken: out of descriptors or memory.",
                     s->accept_failures);
}

static uint64_t n_open(const struct server_stats *s, size_t i)
{
        return s->listeners[i].n_open;
}

static uint64_t n_total(const struct server_stats *s, size_t i)
{
        return s->listeners[i].n_total;
}

static uint64_t n_max(const struct server_stats *s, size_t i)
{
        return s->listeners[i].n_max;
}

struct listener_family {
        const char *name, *type, *help;
        uint64_t (*value)(const struct server_stats *s, size_t i);
};

/* clang-format off */
static const struct listener_family listener_families[] = {
        {"diag_http_connections", GAUGE, "Open connections of a listener.", n_open},
        {"diag_http_connections_limit", GAUGE, "Most connections of a listener at a time.", n_max},
        {"diag_http_connections_total", COUNTER, "Connections that a listener has taken.", n_total},
};
/* clang-format on */

static size_t first_of_name(const struct server_stats *s, size_t i)
{
        size_t first = 0;

        while (!streq(s->listeners[first].name, s->listeners[i].name))
                first++;
        return first;
}

/*
 * Sockets that were passed to us may have the same address; two samples of one name are no scrape.
 */
static void write_listeners(struct buf *out, const struct server_stats *s,
                            const struct listener_family *f)
{
        uint64_t sums[SERVER_LISTENERS_MAX] = {0};

        exposition_family(out, f->name, f->type, f->help);
        for (size_t i = 0; i < s->n_listeners; i++)
                sums[first_of_name(s, i)] += f->value(s, i);
        for (size_t i = 0; i < s->n_listeners; i++)
                if (first_of_name(s, i) == i)
                        write_labelled(out, f->name, "listener", s->listeners[i].name, sums[i]);
}

static void write_parked(struct buf *out, const struct parked_stats *p)
{
        write_single(out, "diag_http_parked", GAUGE, "Requests that wait for a change.",
                     p->n_waiting);
        write_single(out, "diag_http_parked_limit", GAUGE, "Most that may wait at a time.",
                     p->n_max);
        write_single(out, "diag_http_parked_total", COUNTER, "Requests that have waited.",
                     p->n_parked);
        write_single(out, "diag_http_parked_refused_total", COUNTER,
                     "Requests that were answered at once because too many waited.", p->n_refused);
}

void metrics_write_server(struct buf *out, const struct server_stats *s)
{
        write_answers(out, s);
        write_refusals(out, s);
        for (size_t i = 0; i < ELEMENTSOF(listener_families); i++)
                write_listeners(out, s, &listener_families[i]);
        write_parked(out, &s->parked);
}

/* --- answering -------------------------------------------------------------------------------- */

static int get_metrics(const struct request *q, struct reply *r)
{
        const struct node_host *host = q->host;
        _cleanup_(feed_view_done) struct feed_view v = {0};
        _cleanup_(buf_done) struct buf out = {0};
        struct server_stats stats;
        int k;

        k = feed_look(host->feed, &v);
        if (k < 0)
                return k;
        metrics_write_node(&out, &v);
        server_stats(host->server, &stats);
        metrics_write_server(&out, &stats);
        request_times_write(&out, server_times(host->server));
        process_figures_write(&out);
        reply_header(r, "Cache-Control", "no-cache");
        return reply_blob(r, 200, EXPOSITION_CONTENT_TYPE, blob_new_take(&out));
}

const struct route metrics_routes[] = {
        {"GET",        "/metrics", get_metrics, AUTHORITY_HEALTH},
        {0},
};
