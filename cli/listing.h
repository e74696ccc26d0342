#pragma once

/* Long lists: which rows are asked for, and how many of these a person wants to see. */

#include "cli/cluster_json.h"
#include "cli/term.h"

#define LISTING_FOLD 50u /* of more rows, those that are healthy are only counted */

/** What the command line says; NULL: nothing. Borrowed. */
struct listing {
        const char *role, *health, *component, *query;
        bool all;
};

enum {
        LISTING_OPTION_ROLE = 800,
        LISTING_OPTION_HEALTH,
        LISTING_OPTION_COMPONENT,
        LISTING_OPTION_QUERY,
        LISTING_OPTION_ALL,
};

/** listing_take() - what getopt_long() found. Return: was it one of these? */
bool listing_take(struct listing *l, int option, const char *value);

/** listing_append_query() - the filters, as the master's API calls them */
void listing_append_query(struct buf *path, const struct listing *l);

/** listing_folds() - are the healthy ones of @n_total only counted? */
bool listing_folds(const struct listing *l, uint64_t n_total);

/** What came of it. */
struct listing_outcome {
        size_t n_shown;
        uint64_t n_total;       /* as the master says */
        const char *one, *many; /* "node", "nodes" */
        const struct cluster_view *view;
};

/** listing_summary() - the line under a list: how many of how many, and who says so */
void listing_summary(struct buf *out, const struct listing *l, const struct listing_outcome *o,
                     const struct term *t);

/** listing_health() - @worst of the rows that came; of none it is not known, unless they were sought. */
enum diag_health listing_health(const struct listing *l, size_t n_rows, enum diag_health worst);
