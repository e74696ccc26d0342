/* What a master knows of a node, which may be long ago: reach and age say so before anything else does. */

#include <errno.h>
#include <inttypes.h>

#include "base/mono.h"
#include "cli/cluster_view.h"
#include "cli/node_view.h"
#include "cli/status_view.h"
#include "cli/table.h"

#define NOTHING        "-"
#define HOSTNAME_LEAST 8u
#define REACH_LEAST    5u
#define ADDRESS_LEAST  15u
#define NAME_LEAST     20u

static const enum diag_health worst_first[DIAG_N_HEALTH] = {
        DIAG_UNHEALTHY,
        DIAG_UNKNOWN,
        DIAG_HEALTHY,
};

struct view {
        const struct cluster_one_node *n; /* NULL: a table of many */
        const struct term *t;
        uint64_t now_wall_usec;
};

/* --- cells ---------------------------------------------------------------------------------------- */

static enum hue put_word(struct buf *out, const char *word)
{
        text_append_clean(out, str_or(word, NOTHING));
        return HUE_PLAIN;
}

static enum hue put_since(struct buf *out, const void *userdata, uint64_t since_wall_usec)
{
        const struct view *v = userdata;

        if (since_wall_usec)
                text_append_age(out, usec_since(v->now_wall_usec, since_wall_usec));
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue put_health(struct buf *out, const struct cluster_health *h)
{
        text_append_clean(out, h->word);
        return hue_of_health(h->health);
}

static enum hue cell_health(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_health(out, &((const struct cluster_node *)row)->health);
}

static enum hue cell_role(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_word(out, ((const struct cluster_node *)row)->role);
}

static enum hue cell_address(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_node *n = row;

        put_word(out, n->address);
        return n->health.health == DIAG_HEALTHY ? HUE_PLAIN : HUE_STRONG;
}

static enum hue cell_hostname(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_word(out, ((const struct cluster_node *)row)->hostname);
}

static enum hue cell_reach(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_node *n = row;

        put_word(out, n->reach);
        return streq(n->reach, "ok") ? HUE_PLAIN : HUE_UNSURE;
}

static enum hue cell_since(struct buf *out, const void *row, const void *userdata)
{
        return put_since(out, userdata, ((const struct cluster_node *)row)->since_wall_usec);
}

/* Of a healthy node: that it leads, and that somebody works on it. */
static enum hue cell_why(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_node *n = row;
        bool healthy = n->health.health == DIAG_HEALTHY;

        cluster_view_why(out, n->text, n->code, n->maintenance && !healthy);
        if (n->leader)
                buf_puts(out, out->n > 0 ? "; leader" : "leader");
        if (n->maintenance && healthy)
                buf_puts(out, out->n > 0 ? "; in maintenance" : "in maintenance");
        return healthy ? HUE_DIM : HUE_PLAIN;
}

void node_view_table(struct buf *out, const struct cluster_node *nodes, size_t n,
                     const struct term *t, uint64_t now_wall_usec)
{
        static const struct table_column columns[] = {
                {"HEALTH",   false, 0,              cell_health  },
                {"ROLE",     false, 0,              cell_role    },
                {"ADDRESS",  false, ADDRESS_LEAST,  cell_address },
                {"HOSTNAME", false, HOSTNAME_LEAST, cell_hostname},
                {"REACH",    false, REACH_LEAST,    cell_reach   },
                {"SINCE",    true,  0,              cell_since   },
                {"WHY",      false, 0,              cell_why     },
        };
        static const struct table_shape shape = {columns, ELEMENTSOF(columns), NULL};
        const struct view v = {NULL, t, now_wall_usec};
        _cleanup_(freep) const void **rows = NULL;

        if (n == 0)
                return;
        rows = calloc(n, sizeof(*rows));
        if (!rows) {
                out->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < n; i++)
                rows[i] = &nodes[i];
        table_write(out, t, &shape, rows, n, &v);
}

/* --- one node: what a master knows of it ---------------------------------------------------------- */

/* "m2 (master, 10.0.0.2)" */
static void put_who(struct buf *out, const struct cluster_node *n)
{
        const char *name = str_or(n->hostname, n->address);
        bool has_address = name != n->address && !str_empty(n->address);

        text_append_clean(out, str_or(name, str_or(n->node_id, "this node")));
        if (str_empty(n->role) && !has_address)
                return;
        buf_puts(out, " (");
        text_append_clean(out, n->role);
        buf_puts(out, !str_empty(n->role) && has_address ? ", " : "");
        if (has_address)
                text_append_clean(out, n->address);
        buf_putc(out, ')');
}

/* "29 components: 1 unhealthy, 28 healthy" */
static void put_counts(struct buf *out, const struct cluster_counts *counts)
{
        const char *before = ": ";
        uint64_t n = 0;

        for (size_t i = 0; i < DIAG_N_HEALTH; i++)
                n += counts->n[i];
        if (n == 0)
                return;
        buf_printf(out, "%" PRIu64 " component%s", n, n == 1 ? "" : "s");
        for (size_t i = 0; i < DIAG_N_HEALTH; i++) {
                enum diag_health h = worst_first[i];

                if (counts->n[h] == 0)
                        continue;
                buf_printf(out, "%s%" PRIu64 " %s", before, counts->n[h], diag_health_to_string(h));
                before = ", ";
        }
        buf_putc(out, '\n');
}

static void put_headline(struct buf *out, const struct view *v)
{
        const struct cluster_node *n = &v->n->row;

        put_who(out, n);
        buf_puts(out, n->since_wall_usec ? " has been " : " is ");
        cluster_view_health(out, v->t, &n->health);
        if (n->since_wall_usec) {
                buf_puts(out, " for ");
                put_since(out, v, n->since_wall_usec);
        }
        buf_puts(out,
                 n->maintenance && n->health.health != DIAG_HEALTHY ? " (acknowledged)\n" : "\n");
        if (str_empty(n->text) && str_empty(n->code))
                return;
        cluster_view_why(out, n->text, n->code, false);
        buf_putc(out, '\n');
}

static const char *meaning_of(const char *const (*meanings)[2], size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (streq(meanings[i][0], word))
                        return meanings[i][1];
        return "";
}

static void field_reach(struct buf *out, const struct view *v)
{
        static const char *const meanings[][2] = {
                {"late",        "a request has failed, and the next one decides"            },
                {"unreachable", "it does not answer, or not in a way that can be understood"},
                {"never",       "it has not answered since it was found"                    },
                {"rebooting",   "it said goodbye, and is expected back"                     },
                {"conflict",    "another node that answers says that it is this one"        },
                {"superseded",  "it is gone, and others have taken its place"               },
        };
        const struct cluster_node *n = &v->n->row;
        const char *meaning = meaning_of(meanings, ELEMENTSOF(meanings), n->reach);

        put_word(out, n->reach);
        buf_printf(out, "%s%s", *meaning ? ": " : "", meaning);
        if (n->age_usec != USEC_INFINITY) {
                buf_puts(out, "; last heard ");
                text_append_age(out, n->age_usec);
                buf_puts(out, " ago");
        }
        if (n->rtt_usec != USEC_INFINITY && streq(n->reach, "ok"))
                buf_printf(out, ", round trip %" PRIu64 ".%" PRIu64 " ms",
                           n->rtt_usec / USEC_PER_MSEC,
                           n->rtt_usec % USEC_PER_MSEC / (USEC_PER_MSEC / 10));
}

static void field_maintenance(struct buf *out, const struct view *v)
{
        const struct diag_maintenance *m = v->n->row.maintenance;

        if (!m)
                return;
        buf_puts(out, "until ");
        text_append_moment(out, v->now_wall_usec, m->until_wall_usec);
        buf_puts(out, ", by ");
        text_append_clean(out, m->by);
        buf_puts(out, ": ");
        text_append_clean(out, m->reason);
}

static void field_leader(struct buf *out, const struct view *v)
{
        if (v->n->row.leader)
                buf_puts(out, "of the masters");
}

static void field_addresses(struct buf *out, const struct view *v)
{
        const struct json_words *w = &v->n->row.addresses;

        for (size_t i = 0; w->n > 1 && i < w->n; i++) {
                buf_puts(out, i > 0 ? ", " : "");
                text_append_clean(out, w->s[i]);
        }
}

static void field_sources(struct buf *out, const struct view *v)
{
        const struct cluster_node *n = &v->n->row;

        for (size_t i = 0; i < n->sources.n; i++) {
                buf_puts(out, i > 0 ? ", " : "");
                text_append_clean(out, n->sources.s[i]);
        }
        if (n->unlisted)
                buf_puts(out,
                         n->sources.n > 0 ? "; none names it any more" : "none names it any more");
        if (n->seen_down)
                buf_puts(out, "; Exhibitor says that it is down");
}

static void field_version(struct buf *out, const struct view *v)
{
        const struct cluster_node *n = &v->n->row;

        if (str_empty(n->version) && str_empty(n->protocol))
                return;
        text_append_clean(out, str_or(n->version, NOTHING));
        if (streq(n->protocol, "v1"))
                buf_puts(out, ", as the service that diag replaces (API v1)");
        else if (!str_empty(n->protocol)) {
                buf_puts(out, ", API ");
                text_append_clean(out, n->protocol);
        }
}

static void field_id(struct buf *out, const struct view *v)
{
        text_append_clean(out, v->n->row.node_id);
        if (strncmp(v->n->row.node_id, "addr:", strlen("addr:")) == 0)
                buf_puts(out, " (it has told none)");
}

static void put_skew(struct buf *out, const struct cluster_node *n)
{
        int64_t off = n->clock_offset_msec;
        uint64_t msec = off < 0 ? -(uint64_t)off : (uint64_t)off;

        buf_puts(out, ": its clock is ");
        if (msec < UINT64_MAX / USEC_PER_MSEC)
                text_append_took(out, msec * USEC_PER_MSEC);
        else
                buf_puts(out, "ages");
        buf_puts(out, off < 0 ? " behind that of the master" : " ahead of that of the master");
}

/* One a line; words of a newer master stand for themselves. */
static void field_notes(struct buf *out, const struct view *v)
{
        static const char *const meanings[][2] = {
                {"role-differs",
                 ": it says that it has another role than the sources, which count"                     },
                {"identity-differs", ": it was announced with another id than it has"                   },
                {"truncated",        ": it has more components than a report holds, and the list is cut"},
        };
        const struct cluster_node *n = &v->n->row;

        for (size_t i = 0; i < n->notes.n; i++) {
                const char *note = n->notes.s[i];

                buf_puts(out, i > 0 ? "\n            " : ""); /* under the one before */
                text_append_clean(out, note);
                buf_puts(out, meaning_of(meanings, ELEMENTSOF(meanings), note));
                if (streq(note, "clock-skew"))
                        put_skew(out, n);
        }
}

static void field_view(struct buf *out, const struct view *v)
{
        cluster_view_age(out, v->t, &v->n->view);
}

/* A field that has nothing to say is left out. */
static const struct {
        const char *label;
        void (*write)(struct buf *out, const struct view *v);
} fields[] = {
        {"reach",     field_reach      },
        {"worked on", field_maintenance},
        {"leader",    field_leader     },
        {"addresses", field_addresses  },
        {"sources",   field_sources    },
        {"version",   field_version    },
        {"id",        field_id         },
        {"notes",     field_notes      },
        {"view",      field_view       },
};

static void put_fields(struct buf *out, const struct view *v)
{
        _cleanup_(buf_done) struct buf value = {0};

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                buf_clear(&value);
                fields[i].write(&value, v);
                if (value.n > 0)
                        buf_printf(out, "  %-9s %s\n", fields[i].label, buf_cstr(&value));
        }
}

/* --- its components ------------------------------------------------------------------------------- */

static enum hue component_name(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_component *c = row;

        put_word(out, c->name);
        return c->health.health == DIAG_HEALTHY ? HUE_PLAIN : HUE_STRONG;
}

static enum hue component_health(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_health(out, &((const struct cluster_component *)row)->health);
}

static enum hue component_since(struct buf *out, const void *row, const void *userdata)
{
        return put_since(out, userdata, ((const struct cluster_component *)row)->since_wall_usec);
}

static enum hue component_why(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_component *c = row;

        cluster_view_why(out, c->text, c->code, false);
        return c->health.health == DIAG_HEALTHY ? HUE_DIM : HUE_PLAIN;
}

/* What it printed; the healthy need not say. An empty line would end what stands under a row. */
static void lines_of_output(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_component *c = row;
        const char *s = c->health.health == DIAG_HEALTHY ? "" : c->output;

        while (*(s += strspn(s, "\n"))) {
                _cleanup_(buf_done) struct buf line = {0};
                size_t n = strcspn(s, "\n");

                buf_append(&line, s, n);
                buf_puts(out, "  ");
                text_append_clean(out, buf_cstr(&line));
                buf_putc(out, '\n');
                s += n;
        }
}

static const struct table_column columns[] = {
        {"COMPONENT", false, NAME_LEAST, component_name  },
        {"HEALTH",    false, 0,          component_health},
        {"SINCE",     true,  0,          component_since },
        {"WHY",       false, 0,          component_why   },
};
static const struct table_shape shape = {columns, ELEMENTSOF(columns), lines_of_output};

static void put_components(struct buf *out, const struct view *v)
{
        size_t n = 0, n_all = v->n->n_components;
        _cleanup_(freep) const void **rows = calloc(n_all + 1, sizeof(*rows));

        if (!rows) {
                out->error = -ENOMEM;
                return;
        }
        for (size_t k = 0; k < DIAG_N_HEALTH; k++)
                for (size_t i = 0; i < n_all; i++)
                        if (v->n->components[i].health.health == worst_first[k])
                                rows[n++] = &v->n->components[i];
        buf_putc(out, '\n');
        table_write(out, v->t, &shape, rows, n, v);
        if (v->n->truncated)
                buf_puts(out, "there are more: the list is cut\n");
}

/* --- what the node itself says -------------------------------------------------------------------- */

static void put_live(struct buf *out, const struct view *v)
{
        const struct diag_report *r = v->n->report;
        const struct status_view live = {
                .report = r,
                .now_wall_usec =
                        v->n->moment.now_wall_usec ? v->n->moment.now_wall_usec : v->now_wall_usec,
                .confirmed_age_usec = v->n->moment.confirmed_age_usec,
                .term = v->t,
        };

        buf_puts(out, "\nasked just now, it says:\n");
        status_view_overview(out, &live);
        for (size_t i = 0; i < r->n_components; i++) {
                if (r->components[i].health == DIAG_HEALTHY)
                        continue;
                buf_putc(out, '\n');
                status_view_component(out, &live, &r->components[i]);
        }
}

static void say_not_live(struct buf *out, const struct view *v)
{
        _cleanup_(buf_done) struct buf text = {0};

        buf_puts(&text, "the node could not be asked just now");
        buf_puts(&text, str_empty(v->n->live_error) ? "" : ": ");
        text_append_clean(&text, v->n->live_error);
        buf_puts(&text, "; this is what it said last");
        buf_putc(out, '\n');
        term_paint(v->t, out, HUE_UNSURE, buf_cstr(&text));
        buf_putc(out, '\n');
}

void node_view_one(struct buf *out, const struct cluster_one_node *n, const struct term *t,
                   uint64_t now_wall_usec)
{
        const struct view v = {n, t, now_wall_usec};

        put_headline(out, &v);
        put_counts(out, &n->row.counts);
        put_fields(out, &v);
        if (n->tells_live && !n->report)
                say_not_live(out, &v);
        if (n->report)
                put_live(out, &v);
        else if (n->n_components > 0)
                put_components(out, &v);
}
