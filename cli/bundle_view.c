/* What went wrong comes before what went well, and what is secret is said loudest. */

#include <errno.h>
#include <inttypes.h>

#include "base/mono.h"
#include "cli/bundle_view.h"
#include "cli/table.h"

#define NOTHING       "-"
#define ADDRESS_LEAST 15u
#define ID_LEAST      24u
#define WORDS_SHOWN   10u /* of whom it is made; more are counted */

/* --- pieces ---------------------------------------------------------------------------------------- */

void text_append_size(struct buf *out, uint64_t n_bytes)
{
        static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        double n = (double)n_bytes / 1024;
        size_t i = 0;

        if (n_bytes < 1024) {
                buf_printf(out, "%" PRIu64 " B", n_bytes);
                return;
        }
        /* 1023.95 KiB would read "1024.0 KiB". */
        for (; n >= 1023.95 && i + 1 < ELEMENTSOF(units); i++)
                n /= 1024;
        buf_printf(out, "%.1f %s", n, units[i]);
}

static void put_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
        buf_printf(out, "%" PRIu64 " %s", n, n == 1 ? one : many);
}

static enum hue hue_of_state(const struct bundle_info *b)
{
        switch (b->stage) {
        case BUNDLE_STAGE_DONE:
                return b->partial ? HUE_UNSURE : HUE_GOOD;
        case BUNDLE_STAGE_FAILED:
                return HUE_BAD;
        case BUNDLE_STAGE_DELETED:
                return HUE_DIM;
        default:
                return HUE_PLAIN;
        }
}

static enum hue hue_of_part(const struct bundle_part *p)
{
        if (streq(p->state, "failed"))
                return HUE_BAD;
        if (streq(p->state, "partial"))
                return HUE_UNSURE;
        return streq(p->state, "done") ? HUE_GOOD : HUE_PLAIN;
}

bool bundle_part_has_ended(const struct bundle_part *p)
{
        return streq(p->state, "done") || streq(p->state, "partial") || streq(p->state, "failed");
}

static void paint_clean(struct buf *out, const struct term *t, enum hue hue, const char *text)
{
        _cleanup_(buf_done) struct buf clean = {0};

        text_append_clean(&clean, text);
        term_paint(t, out, hue, buf_cstr(&clean));
}

static void put_words(struct buf *out, const struct json_words *words)
{
        size_t n = words->n < WORDS_SHOWN ? words->n : WORDS_SHOWN;

        for (size_t i = 0; i < n; i++) {
                buf_puts(out, i > 0 ? ", " : "");
                text_append_clean(out, words->s[i]);
        }
        if (words->n > n)
                buf_printf(out, " and %zu more", words->n - n);
}

/* @rows: pointers to what has @size bytes each */
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

/* --- the list -------------------------------------------------------------------------------------- */

static enum hue row_id(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, ((const struct bundle_info *)row)->id);
        return HUE_STRONG;
}

static enum hue row_state(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, ((const struct bundle_info *)row)->state);
        return hue_of_state(row);
}

static enum hue row_created(struct buf *out, const void *row, const void *userdata)
{
        const struct bundle_info *b = row;
        uint64_t now_wall_usec = *(const uint64_t *)userdata;

        if (b->created_wall_usec == 0) {
                buf_puts(out, NOTHING);
        } else {
                text_append_age(out, usec_since(now_wall_usec, b->created_wall_usec));
                buf_puts(out, " ago");
        }
        return HUE_PLAIN;
}

static enum hue row_size(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct bundle_info *b = row;

        if (b->has_size)
                text_append_size(out, b->n_bytes);
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue row_nodes(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct bundle_info *b = row;

        if (b->stage == BUNDLE_STAGE_UNDERWAY)
                buf_printf(out, "%" PRIu64 "/", b->n_nodes_done);
        buf_printf(out, "%" PRIu64, b->n_nodes_total);
        return HUE_PLAIN;
}

static enum hue row_format(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, str_or(((const struct bundle_info *)row)->format, NOTHING));
        return HUE_PLAIN;
}

static void put_trouble(struct buf *out, const struct bundle_info *b)
{
        const char *before = "";

        if (b->unredacted) {
                buf_puts(out, "not redacted");
                before = "; ";
        }
        if (b->partial) {
                buf_printf(out, "%spartial", before);
                before = "; ";
        }
        if (b->n_nodes_failed > 0) {
                buf_puts(out, before);
                put_count(out, b->n_nodes_failed, "node", "nodes");
                buf_puts(out, " failed");
                before = "; ";
        }
        if (!str_empty(b->error)) {
                buf_puts(out, before);
                text_append_clean(out, b->error);
        }
}

static enum hue row_errors(struct buf *out, const void *row, _unused_ const void *userdata)
{
        put_trouble(out, row);
        return HUE_PLAIN;
}

void bundle_view_list(struct buf *out, const struct bundle_list *l, const struct term *t,
                      uint64_t now_wall_usec)
{
        static const struct table_column columns[] = {
                {"ID",      false, ID_LEAST, row_id     },
                {"STATE",   false, 0,        row_state  },
                {"CREATED", false, 0,        row_created},
                {"SIZE",    true,  0,        row_size   },
                {"NODES",   true,  0,        row_nodes  },
                {"FORMAT",  false, 0,        row_format },
                {"ERRORS",  false, 0,        row_errors },
        };
        static const struct table_shape shape = {columns, ELEMENTSOF(columns), NULL};

        write_rows(out, t, &shape, l->rows, sizeof(*l->rows), l->n, &now_wall_usec);
        if (l->n == 0)
                buf_puts(out, "no bundle\n");
        else if (l->n_total > l->n)
                buf_printf(out, "\n%zu of %" PRIu64 " bundles\n", l->n, l->n_total);
}

/* --- the nodes of one ------------------------------------------------------------------------------ */

static enum hue part_address(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, str_or(((const struct bundle_part *)row)->address, NOTHING));
        return HUE_PLAIN;
}

static enum hue part_role(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, str_or(((const struct bundle_part *)row)->role, NOTHING));
        return HUE_PLAIN;
}

static enum hue part_state(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, ((const struct bundle_part *)row)->state);
        return hue_of_part(row);
}

static enum hue part_size(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_size(out, ((const struct bundle_part *)row)->n_bytes);
        return HUE_PLAIN;
}

static enum hue part_entries(struct buf *out, const void *row, _unused_ const void *userdata)
{
        buf_printf(out, "%" PRIu64, ((const struct bundle_part *)row)->n_entries);
        return HUE_PLAIN;
}

static enum hue part_failed(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct bundle_part *p = row;

        buf_printf(out, "%" PRIu64, p->n_failed_entries);
        return p->n_failed_entries > 0 ? HUE_UNSURE : HUE_DIM;
}

static enum hue part_took(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct bundle_part *p = row;

        if (p->took_usec == USEC_INFINITY)
                buf_puts(out, NOTHING);
        else
                text_append_took(out, p->took_usec);
        return HUE_PLAIN;
}

static enum hue part_why(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, ((const struct bundle_part *)row)->error);
        return HUE_PLAIN;
}

static const struct table_column part_columns[] = {
        {"ADDRESS", false, ADDRESS_LEAST, part_address},
        {"ROLE",    false, 0,             part_role   },
        {"STATE",   false, 0,             part_state  },
        {"SIZE",    true,  0,             part_size   },
        {"ENTRIES", true,  0,             part_entries},
        {"FAILED",  true,  0,             part_failed },
        {"TOOK",    true,  0,             part_took   },
        {"WHY",     false, 0,             part_why    },
};
static const struct table_shape part_shape = {part_columns, ELEMENTSOF(part_columns), NULL};

static bool part_is_whole(const struct bundle_part *p)
{
        return streq(p->state, "done") && p->n_failed_entries == 0 && str_empty(p->error);
}

static void put_troubled_parts(struct buf *out, const struct bundle_info *b, const struct term *t)
{
        _cleanup_(freep) const void **rows = calloc(b->n_parts + 1, sizeof(*rows));
        size_t n = 0;

        if (!rows) {
                out->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < b->n_parts; i++)
                if (!part_is_whole(&b->parts[i]))
                        rows[n++] = &b->parts[i];
        if (n > 0)
                table_write(out, t, &part_shape, rows, n, NULL);
}

void bundle_view_part(struct buf *out, const struct bundle_part *p, const struct term *t)
{
        text_append_clean(out, str_or(p->address, str_or(p->node_id, NOTHING)));
        buf_puts(out, str_empty(p->role) ? "" : " ");
        text_append_clean(out, p->role);
        buf_puts(out, ": ");
        paint_clean(out, t, hue_of_part(p), p->state);
        if (!streq(p->state, "failed")) {
                buf_puts(out, ", ");
                text_append_size(out, p->n_bytes);
                buf_puts(out, ", ");
                put_count(out, p->n_entries, "entry", "entries");
        }
        if (p->n_failed_entries > 0)
                buf_printf(out, ", %" PRIu64 " failed", p->n_failed_entries);
        if (p->took_usec != USEC_INFINITY) {
                buf_puts(out, ", ");
                text_append_took(out, p->took_usec);
        }
        buf_puts(out, str_empty(p->error) ? "" : ": ");
        text_append_clean(out, p->error);
}

/* --- one of them ----------------------------------------------------------------------------------- */

void bundle_view_nodes(struct buf *out, const struct bundle_info *b)
{
        buf_puts(out, "of ");
        put_words(out, &b->nodes);
        if (b->nodes.n == 0)
                buf_puts(out, "the nodes that the master chooses");
}

void bundle_view_progress(struct buf *out, const struct bundle_info *b)
{
        buf_printf(out, "%" PRIu64 " of ", b->n_nodes_done);
        put_count(out, b->n_nodes_total, "node", "nodes");
        if (b->n_nodes_failed > 0)
                buf_printf(out, ", %" PRIu64 " of them failed", b->n_nodes_failed);
        buf_puts(out, ", ");
        text_append_size(out, b->n_received_bytes);
        buf_puts(out, str_empty(b->current) ? "" : "; ");
        text_append_clean(out, b->current);
}

/* "bundle ID: done, partial: why" */
static void put_head(struct buf *out, const struct bundle_info *b, const struct term *t)
{
        buf_puts(out, "bundle ");
        text_append_clean(out, b->id);
        buf_puts(out, ": ");
        paint_clean(out, t, hue_of_state(b), b->state);
        if (b->partial)
                term_paint(t, out, HUE_UNSURE, ", partial");
        buf_puts(out, str_empty(b->error) ? "" : ": ");
        text_append_clean(out, b->error);
        buf_putc(out, '\n');
}

/* It has no file, and never had: of what stands in it there is nothing to say. */
static bool is_nothing(const struct bundle_info *b)
{
        return b->stage == BUNDLE_STAGE_FAILED ||
               (b->stage == BUNDLE_STAGE_DELETED && !b->has_size);
}

static void put_redaction(struct buf *out, const struct bundle_info *b, const struct term *t)
{
        if (is_nothing(b))
                buf_puts(out, "there is no file");
        else if (b->unredacted)
                term_paint(
                        t, out, HUE_BAD,
                        "NOT REDACTED: passwords and keys of these nodes stand in it as they are");
        else if (b->n_redactions > 0)
                put_count(out, b->n_redactions, "secret masked", "secrets masked");
        else
                buf_puts(out, "no secret found to mask");
        buf_putc(out, '\n');
}

static void put_when(struct buf *out, const char *what, uint64_t now_wall_usec, uint64_t wall_usec)
{
        if (wall_usec == 0)
                return;
        buf_puts(out, what);
        text_append_moment(out, now_wall_usec, wall_usec);
        buf_putc(out, '\n');
}

static void put_birth(struct buf *out, const struct bundle_info *b, uint64_t now_wall_usec)
{
        put_when(out, "created    ", now_wall_usec, b->created_wall_usec);
        put_when(out, "finished   ", now_wall_usec, b->finished_wall_usec);
        buf_puts(out, "by         ");
        text_append_clean(out, str_or(b->by, "nobody knows"));
        buf_puts(out, str_empty(b->observer) ? "" : ", kept on ");
        text_append_clean(out, b->observer);
        buf_putc(out, '\n');
}

static void put_request(struct buf *out, const struct bundle_info *b)
{
        char time[RFC3339_MAX];

        buf_puts(out, "asked      ");
        bundle_view_nodes(out, b);
        if (b->since_wall_usec)
                buf_printf(out, "; since %s", rfc3339_format(time, b->since_wall_usec));
        if (b->until_wall_usec)
                buf_printf(out, "; until %s", rfc3339_format(time, b->until_wall_usec));
        if (b->kinds.n > 0) {
                buf_puts(out, "; only ");
                put_words(out, &b->kinds);
        }
        if (!str_empty(b->format)) {
                buf_puts(out, "; ");
                text_append_clean(out, b->format);
        }
        buf_putc(out, '\n');
}

static void put_size(struct buf *out, const struct bundle_info *b)
{
        if (!b->has_size)
                return;
        buf_puts(out, "size       ");
        text_append_size(out, b->n_bytes);
        if (!str_empty(b->sha256))
                buf_printf(out, "; sha256 %s", b->sha256);
        buf_putc(out, '\n');
}

void bundle_view_one(struct buf *out, const struct bundle_info *b, const struct term *t,
                     uint64_t now_wall_usec)
{
        put_head(out, b, t);
        put_birth(out, b, now_wall_usec);
        put_request(out, b);
        buf_puts(out, "progress   ");
        bundle_view_progress(out, b);
        buf_putc(out, '\n');
        put_size(out, b);
        if (!is_nothing(b)) {
                buf_puts(out, "redaction  ");
                put_redaction(out, b, t);
        }
        buf_puts(out, b->n_parts > 0 ? "\n" : "");
        write_rows(out, t, &part_shape, b->parts, sizeof(*b->parts), b->n_parts, NULL);
}

static void put_sums(struct buf *out, const struct bundle_info *b)
{
        uint64_t n_entries = 0, n_failed = 0, n_partial = 0;

        for (size_t i = 0; i < b->n_parts; i++) {
                /* Sums of what a wire says may turn over. */
                if (__builtin_add_overflow(n_entries, b->parts[i].n_entries, &n_entries) ||
                    __builtin_add_overflow(n_failed, b->parts[i].n_failed_entries, &n_failed))
                        n_entries = n_failed = UINT64_MAX;
                n_partial += streq(b->parts[i].state, "partial");
        }
        put_count(out, b->n_nodes_total, "node", "nodes");
        if (n_partial > 0)
                buf_printf(out, ", %" PRIu64 " partial", n_partial);
        if (b->n_nodes_failed > 0)
                buf_printf(out, ", %" PRIu64 " failed", b->n_nodes_failed);
        buf_puts(out, "; ");
        put_count(out, n_entries, "entry", "entries");
        if (n_failed > 0)
                buf_printf(out, ", %" PRIu64 " failed", n_failed);
        buf_puts(out, "; ");
}

static void put_place(struct buf *out, const struct bundle_info *b, const char *file)
{
        if (b->stage != BUNDLE_STAGE_DONE)
                return;
        if (b->has_size)
                text_append_size(out, b->n_bytes);
        if (file) {
                buf_puts(out, b->has_size ? " in " : "in ");
                text_append_clean(out, file);
        } else {
                buf_puts(out, b->has_size ? " on " : "on ");
                text_append_clean(out, str_or(b->observer, "the master"));
                buf_printf(out, "; to get it: diag bundle download %s", b->id);
        }
        buf_putc(out, '\n');
}

void bundle_view_outcome(struct buf *out, const struct bundle_info *b, const char *file,
                         const struct term *t)
{
        put_head(out, b, t);
        put_troubled_parts(out, b, t);
        put_sums(out, b);
        put_redaction(out, b, t);
        put_place(out, b, file);
        if (b->stage == BUNDLE_STAGE_DONE && b->partial)
                buf_puts(out, "what is missing, and why: summaryErrorsReport.txt in it\n");
}

/* --- how big it would be --------------------------------------------------------------------------- */

static enum hue estimate_address(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out,
                          str_or(((const struct bundle_estimate_node *)row)->address, NOTHING));
        return HUE_PLAIN;
}

static enum hue estimate_likely(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct bundle_estimate_node *n = row;

        if (str_empty(n->error))
                text_append_size(out, n->n_likely_bytes);
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue estimate_max(struct buf *out, const void *row, _unused_ const void *userdata)
{
        const struct bundle_estimate_node *n = row;

        if (str_empty(n->error))
                text_append_size(out, n->n_max_bytes);
        else
                buf_puts(out, NOTHING);
        return HUE_PLAIN;
}

static enum hue estimate_error(struct buf *out, const void *row, _unused_ const void *userdata)
{
        text_append_clean(out, ((const struct bundle_estimate_node *)row)->error);
        return HUE_BAD;
}

void bundle_view_estimate(struct buf *out, const struct bundle_estimate *s, const struct term *t)
{
        static const struct table_column columns[] = {
                {"ADDRESS", false, ADDRESS_LEAST, estimate_address},
                {"LIKELY",  true,  0,             estimate_likely },
                {"AT MOST", true,  0,             estimate_max    },
                {"WHY NOT", false, 0,             estimate_error  },
        };
        static const struct table_shape shape = {columns, ELEMENTSOF(columns), NULL};

        write_rows(out, t, &shape, s->nodes, sizeof(*s->nodes), s->n_nodes, NULL);
        buf_puts(out, s->n_nodes > 0 ? "\n" : "");
        text_append_size(out, s->n_likely_bytes);
        buf_puts(out, " likely, at most ");
        text_append_size(out, s->n_max_bytes);
        buf_puts(out, "; ");
        text_append_size(out, s->n_free_bytes);
        buf_puts(out, " are free, and ");
        text_append_size(out, s->n_floor_bytes);
        buf_puts(out, " have to stay so: ");
        term_paint(t, out, s->fits ? HUE_GOOD : HUE_BAD, s->fits ? "it fits" : "IT DOES NOT FIT");
        buf_putc(out, '\n');
}
