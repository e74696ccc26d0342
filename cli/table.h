#pragma once

/*
 * Rows in columns that fit the terminal. A table holds nothing: it asks for each cell twice, once to
 * measure and once to write. The last column is for sentences: one that does not fit goes under its
 * row. If the others are too wide, they are cut from the right, each down to its least width.
 */

#include "cli/term.h"

#define TABLE_COLUMNS_MAX 12u

struct table_column {
        const char *title;
        bool right;     /* aligned; for numbers */
        unsigned least; /* columns; 0: never cut */
        /** Append the clean text of a cell to @out, say in which hue it is shown. Pure. */
        enum hue (*cell)(struct buf *out, const void *row, const void *userdata);
};

/** What is the same for every row. */
struct table_shape {
        const struct table_column *columns;
        size_t n_columns; /* 2 to TABLE_COLUMNS_MAX */
        /** Append what stands under a row: clean lines, each with its '\n'. NULL: nothing. Pure. */
        void (*below)(struct buf *out, const void *row, const void *userdata);
};

/**
 * table_write() - append heading and rows to @out
 * @rows: what the functions of @shape get, with @userdata
 */
void table_write(struct buf *out, const struct term *t, const struct table_shape *shape,
                 const void *const *rows, size_t n_rows, const void *userdata);
