/* A component that is nowhere healthy, and one that is missing on some nodes, are both to be seen here only. */

#include <errno.h>
#include <inttypes.h>

#include "base/mono.h"
#include "cli/cluster_view.h"
#include "cli/table.h"
#include "cli/unit_view.h"

#define NOTHING       "-"
#define NAME_LEAST    20u
#define TITLE_LEAST   8u
#define ADDRESS_LEAST 15u

static enum hue put_word(struct buf *out, const char *word)
{
        text_append_clean(out, str_or(word, NOTHING));
        return HUE_PLAIN;
}

static enum hue put_health(struct buf *out, const struct cluster_health *h)
{
        text_append_clean(out, h->word);
        return hue_of_health(h->health);
}

static void write_rows(struct buf *out, const struct term *t, const struct table_shape *shape,
                       const void *first, size_t size, size_t n, const void *userdata)
{
        _cleanup_(freep) const void **rows = calloc(n + 1, sizeof(*rows));

        if (!rows) {
                out->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < n; i++)
                rows[i] = (const char *)first + i * size;
        if (n > 0)
                table_write(out, t, shape, rows, n, userdata);
}

/* --- all of them ---------------------------------------------------------------------------------- */

static enum hue unit_health(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_health(out, &((const struct cluster_unit *)row)->health);
}

static enum hue unit_name(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_unit *u = row;

        put_word(out, u->name);
        return u->health.health == DIAG_HEALTHY ? HUE_PLAIN : HUE_STRONG;
}

static enum hue unit_title(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_word(out, ((const struct cluster_unit *)row)->title);
}

static enum hue put_count(struct buf *out, uint64_t n, enum hue hue)
{
        buf_printf(out, "%" PRIu64, n);
        return n > 0 ? hue : HUE_DIM;
}

static enum hue unit_healthy(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_count(out, ((const struct cluster_unit *)row)->counts.n[DIAG_HEALTHY],
                         HUE_PLAIN);
}

static enum hue unit_unhealthy(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_count(out, ((const struct cluster_unit *)row)->counts.n[DIAG_UNHEALTHY],
                         HUE_BAD);
}

static enum hue unit_unknown(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_count(out, ((const struct cluster_unit *)row)->counts.n[DIAG_UNKNOWN],
                         HUE_UNSURE);
}

static enum hue unit_absent(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_count(out, ((const struct cluster_unit *)row)->n_absent, HUE_UNSURE);
}

/* "6 exit-code, 1 crash-loop" */
static void append_codes(struct buf *out, const struct cluster_unit *u)
{
        const char *before = "";

        for (size_t i = 0; i < u->n_codes; i++) {
                if (streq(u->codes[i].code, "ok"))
                        continue;
                buf_printf(out, "%s%" PRIu64 " ", before, u->codes[i].n);
                text_append_clean(out, u->codes[i].code);
                before = ", ";
        }
}

static enum hue unit_why(struct buf *out, const void *row, _unused_ const void *userdata)
{
        append_codes(out, row);
        return ((const struct cluster_unit *)row)->health.health == DIAG_HEALTHY ? HUE_DIM
                                                                                 : HUE_PLAIN;
}

void unit_view_table(struct buf *out, const struct cluster_units *l, const struct term *t)
{
        static const struct table_column columns[] = {
                {"HEALTH",    false, 0,           unit_health   },
                {"NAME",      false, NAME_LEAST,  unit_name     },
                {"TITLE",     false, TITLE_LEAST, unit_title    },
                {"HEALTHY",   true,  0,           unit_healthy  },
                {"UNHEALTHY", true,  0,           unit_unhealthy},
                {"UNKNOWN",   true,  0,           unit_unknown  },
                {"ABSENT",    true,  0,           unit_absent   },
                {"WHY",       false, 0,           unit_why      },
        };
        static const struct table_shape shape = {columns, ELEMENTSOF(columns), NULL};

        write_rows(out, t, &shape, l->rows, sizeof(*l->rows), l->n, NULL);
}

/* --- one of them ---------------------------------------------------------------------------------- */

void unit_view_head(struct buf *out, const struct cluster_unit *u, const struct term *t)
{
        _cleanup_(buf_done) struct buf text = {0};
        uint64_t n =
                u->counts.n[DIAG_HEALTHY] + u->counts.n[DIAG_UNHEALTHY] + u->counts.n[DIAG_UNKNOWN];

        text_append_clean(&text, str_or(u->name, "this component"));
        term_paint(t, out, HUE_STRONG, buf_cstr(&text));
        buf_puts(out, ": ");
        cluster_view_health(out, t, &u->health);
        buf_putc(out, '\n');
        buf_clear(&text);
        text_append_clean(&text, streq(u->title, u->name) ? "" : u->title);
        buf_puts(&text, text.n > 0 && !str_empty(u->description) ? ": " : "");
        text_append_clean(&text, u->description);
        buf_printf(out, "%s%s", buf_cstr(&text), text.n > 0 ? "\n" : "");
        buf_printf(out,
                   "%" PRIu64 " node%s: %" PRIu64 " unhealthy, %" PRIu64 " unknown, %" PRIu64
                   " healthy\n",
                   n, n == 1 ? "" : "s", u->counts.n[DIAG_UNHEALTHY], u->counts.n[DIAG_UNKNOWN],
                   u->counts.n[DIAG_HEALTHY]);
        if (u->n_absent == 0)
                return;
        buf_clear(&text);
        buf_printf(&text, "absent on %" PRIu64 " more, where nearly all of the same role have it",
                   u->n_absent);
        term_paint(t, out, HUE_UNSURE, buf_cstr(&text));
        buf_putc(out, '\n');
}

static enum hue node_health(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_health(out, &((const struct cluster_unit_node *)row)->health);
}

static enum hue node_role(struct buf *out, const void *row, _unused_ const void *userdata)
{
        return put_word(out, ((const struct cluster_unit_node *)row)->role);
}

static enum hue node_address(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_unit_node *n = row;

        put_word(out, n->address);
        return n->health.health == DIAG_HEALTHY ? HUE_PLAIN : HUE_STRONG;
}

static enum hue node_reach(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_unit_node *n = row;

        put_word(out, n->reach);
        return streq(n->reach, "ok") ? HUE_PLAIN : HUE_UNSURE;
}

static enum hue node_since(struct buf *out, const void *row, const void *userdata)
{
        const struct cluster_unit_node *n = row;

        if (n->since_wall_usec)
                text_append_age(out, usec_since(*(const uint64_t *)userdata, n->since_wall_usec));
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue node_why(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct cluster_unit_node *n = row;

        cluster_view_why(out, n->text, n->code, false);
        return n->health.health == DIAG_HEALTHY ? HUE_DIM : HUE_PLAIN;
}

void unit_view_nodes(struct buf *out, const struct cluster_one_unit *u, size_t n,
                     const struct term *t, uint64_t now_wall_usec)
{
        static const struct table_column columns[] = {
                {"HEALTH",  false, 0,             node_health },
                {"ROLE",    false, 0,             node_role   },
                {"ADDRESS", false, ADDRESS_LEAST, node_address},
                {"REACH",   false, 0,             node_reach  },
                {"SINCE",   true,  0,             node_since  },
                {"WHY",     false, 0,             node_why    },
        };
        static const struct table_shape shape = {columns, ELEMENTSOF(columns), NULL};

        write_rows(out, t, &shape, u->rows, sizeof(*u->rows), n, &now_wall_usec);
}
