#pragma once

/*
 * A snapshot as API v2 spells it (docs/openapi.yaml): the cluster, its nodes, its components. What is
 * stale is called unknown, and the cluster unhealthy. Ages are those of the moment of reading.
 *
 * All append; failures are in the writer's buffer. Any thread.
 */

#include "base/json_write.h"
#include "model/look.h"

#define DIAG_ROW_BAD_MAX 32u /* components that a node's row names; its counts tell of the others */

/**
 * diag_cluster_write() - the verdict and what stands beside it: a whole document, with a newline
 * @own: what this master alone can say, which is what the other masters ask for
 */
void diag_cluster_write(struct buf *out, const struct diag_look *l, bool own);

/** diag_view_write() - the object "view": who says so, and how old it is */
void diag_view_write(struct json_writer *w, const struct diag_look *l);

/** diag_member_write_row() - the members of a node's row, without the braces around them */
void diag_member_write_row(struct json_writer *w, const struct diag_look *l,
                           const struct diag_member *m);

/** diag_member_write_components() - the list of what the node has; empty when it never said */
void diag_member_write_components(struct json_writer *w, const struct diag_look *l,
                                  const struct diag_member *m);

/** diag_member_write_inventory() - a node's address, port, role and names, and nothing that changes */
void diag_member_write_inventory(struct json_writer *w, const struct diag_member *m);

/** diag_unit_row_write() - the members of a unit's row, without the braces around them */
void diag_unit_row_write(struct json_writer *w, const struct diag_look *l,
                         const struct diag_unit_row *row);

/** diag_unit_node_write() - one component on one node */
void diag_unit_node_write(struct json_writer *w, const struct diag_look *l,
                          const struct diag_unit_node *n);

/** What the three kinds of rows show: for those who choose among them by it. */
enum diag_health diag_look_member_health(const struct diag_look *l, const struct diag_member *m);
enum diag_health diag_look_unit_health(const struct diag_look *l, const struct diag_unit_row *row);
enum diag_health diag_look_component_health(const struct diag_look *l, const struct diag_member *m,
                                            size_t component);
enum diag_code diag_look_member_code(const struct diag_look *l, const struct diag_member *m);
enum diag_code diag_look_component_code(const struct diag_look *l, const struct diag_member *m,
                                        size_t component);
