#pragma once

/* Components across the nodes of the cluster, as a person wants to read them. Pure; cleaned. */

#include "cli/cluster_json.h"
#include "cli/term.h"

/** unit_view_table() - all of them in a table, in their order; nothing for none. */
void unit_view_table(struct buf *out, const struct cluster_units *l, const struct term *t);

/** unit_view_head() - what one of them is and how it is, all nodes taken together. */
void unit_view_head(struct buf *out, const struct cluster_unit *u, const struct term *t);

/** unit_view_nodes() - the first @n of the nodes that have it, in a table; nothing for none. */
void unit_view_nodes(struct buf *out, const struct cluster_one_unit *u, size_t n,
                     const struct term *t, uint64_t now_wall_usec);
