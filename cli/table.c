/* Columns: measure, make it fit, write. */

#include <assert.h>

#include "cli/table.h"

#define GAP         2u
#define INDENT      4u  /* of a last column that stands under its row */
#define BELOW_LEAST 16u /* a text under its row is not cut shorter than this */

struct table {
        struct buf *out;
        const struct term *term;
        const struct table_shape *shape;
        const struct table_column *columns;
        size_t last; /* the column of sentences */
        unsigned width[TABLE_COLUMNS_MAX];
        unsigned n_blanks; /* due before the next text; so no line ends in blanks */
        const void *userdata;
        struct buf cell; /* used again for every cell */
};

static enum hue make_cell(struct table *t, const struct table_column *c, const void *row)
{
        buf_clear(&t->cell);
        return c->cell(&t->cell, row, t->userdata);
}

/* --- fit ------------------------------------------------------------------------------------------ */

static void measure_row(struct table *t, const void *row)
{
        for (size_t i = 0; i < t->last; i++) {
                unsigned n;

                make_cell(t, &t->columns[i], row);
                n = text_columns(buf_cstr(&t->cell));
                if (n > t->width[i])
                        t->width[i] = n;
        }
}

static void measure(struct table *t, const void *const *rows, size_t n_rows)
{
        for (size_t i = 0; i < t->last; i++)
                t->width[i] = text_columns(t->columns[i].title);
        for (size_t i = 0; i < n_rows; i++)
                measure_row(t, rows[i]);
}

/* All columns but the last, with the gap that follows each. */
static unsigned columns_used(const struct table *t)
{
        unsigned n = 0;

        for (size_t i = 0; i < t->last; i++)
                n += t->width[i] + GAP;
        return n;
}

static void shrink(struct table *t)
{
        for (size_t i = t->last; i-- > 0;) {
                unsigned used = columns_used(t) - GAP, least = t->columns[i].least;
                unsigned excess = used > t->term->n_columns ? used - t->term->n_columns : 0;

                if (least == 0 || t->width[i] <= least)
                        continue;
                t->width[i] -= excess < t->width[i] - least ? excess : t->width[i] - least;
        }
}

static void fit(struct table *t)
{
        unsigned used;

        if (t->term->n_columns == 0) {
                t->width[t->last] = UINT32_MAX;
                return;
        }
        shrink(t);
        used = columns_used(t);
        t->width[t->last] = used < t->term->n_columns ? t->term->n_columns - used : 0;
}

/* --- write ---------------------------------------------------------------------------------------- */

static void put_text(struct table *t, enum hue hue, const char *text)
{
        if (!*text)
                return;
        buf_printf(t->out, "%*s", (int)t->n_blanks, "");
        t->n_blanks = 0;
        term_paint(t->term, t->out, hue, text);
}

/* What fits of the cell at hand; returns how many of @n_columns are left. */
static unsigned cut_cell(struct table *t, struct buf *cut, unsigned n_columns)
{
        text_append_cut(cut, buf_cstr(&t->cell), n_columns);
        return n_columns - text_columns(buf_cstr(cut));
}

static void put_cell(struct table *t, size_t i, enum hue hue)
{
        _cleanup_(buf_done) struct buf cut = {0};
        unsigned blanks = cut_cell(t, &cut, t->width[i]);

        if (t->columns[i].right)
                t->n_blanks += blanks;
        put_text(t, hue, buf_cstr(&cut));
        t->n_blanks += GAP;
        if (!t->columns[i].right)
                t->n_blanks += blanks;
}

static void end_line(struct table *t)
{
        buf_putc(t->out, '\n');
        t->n_blanks = 0;
}

/* A line of its own, cut to fit. */
static void put_below(struct table *t, enum hue hue, const char *text)
{
        _cleanup_(buf_done) struct buf cut = {0};
        unsigned room = t->term->n_columns;

        text_append_cut(&cut, text,
                        room == 0                     ? UINT32_MAX
                        : room > INDENT + BELOW_LEAST ? room - INDENT
                                                      : BELOW_LEAST);
        t->n_blanks = INDENT;
        put_text(t, hue, buf_cstr(&cut));
        end_line(t);
}

static void put_lines_below(struct table *t, const void *row)
{
        _cleanup_(buf_done) struct buf lines = {0};
        char *rest, *line;

        if (!t->shape->below)
                return;
        t->shape->below(&lines, row, t->userdata);
        rest = lines.n > 0 ? lines.data : NULL;
        while ((line = strsep(&rest, "\n")) && *line)
                put_below(t, HUE_PLAIN, line);
        if (lines.error && !t->out->error)
                t->out->error = lines.error;
}

static void put_row(struct table *t, const void *row)
{
        enum hue hue;

        for (size_t i = 0; i < t->last; i++)
                put_cell(t, i, make_cell(t, &t->columns[i], row));
        hue = make_cell(t, &t->columns[t->last], row);
        if (text_columns(buf_cstr(&t->cell)) <= t->width[t->last]) {
                put_text(t, hue, buf_cstr(&t->cell));
                end_line(t);
        } else {
                end_line(t);
                put_below(t, hue, buf_cstr(&t->cell));
        }
        put_lines_below(t, row);
}

static void put_heading(struct table *t)
{
        const char *last = t->columns[t->last].title;

        for (size_t i = 0; i < t->last; i++) {
                buf_clear(&t->cell);
                buf_puts(&t->cell, t->columns[i].title);
                put_cell(t, i, HUE_STRONG);
        }
        if (text_columns(last) <= t->width[t->last])
                put_text(t, HUE_STRONG, last);
        end_line(t);
}

void table_write(struct buf *out, const struct term *term, const struct table_shape *shape,
                 const void *const *rows, size_t n_rows, const void *userdata)
{
        struct table t = {
                .out = out,
                .term = term,
                .shape = shape,
                .columns = shape->columns,
                .last = shape->n_columns - 1,
                .userdata = userdata,
        };

        assert(shape->n_columns >= 2 && shape->n_columns <= TABLE_COLUMNS_MAX);
        measure(&t, rows, n_rows);
        fit(&t);
        put_heading(&t);
        for (size_t i = 0; i < n_rows; i++)
                put_row(&t, rows[i]);
        if (t.cell.error && !out->error)
                out->error = t.cell.error;
        buf_done(&t.cell);
}
