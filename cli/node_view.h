#pragma once

/* Nodes of the cluster as a person wants to read them. Pure; what came over the wire is cleaned. */

#include "cli/cluster_json.h"
#include "cli/term.h"

/** node_view_table() - @nodes in a table, in their order; nothing for none. */
void node_view_table(struct buf *out, const struct cluster_node *nodes, size_t n,
                     const struct term *t, uint64_t now_wall_usec);

/** node_view_one() - all that a master knows of a node; with what the node itself said, if it was asked. */
void node_view_one(struct buf *out, const struct cluster_one_node *n, const struct term *t,
                   uint64_t now_wall_usec);
