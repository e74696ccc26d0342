#pragma once

/*
 * A snapshot as API v1 spells it: the cluster as the service that we replace shows it, to the key.
 * Nodes go by the address that they were discovered with. Clients count keys, so nothing is ever
 * added here.
 *
 * A node that does not speak is listed with health 3, and has no units; a unit that only such nodes
 * have is not listed. Masters that were replaced are not listed either: v1 has no word for them. In
 * a stale view every health is 3. A node has one health, and the lists of a unit's nodes show that
 * one, as they always have: the unit's own health on a node is among the units of the node.
 *
 * All writers append a whole document, and a newline; failures are in out->error. Any thread.
 */

#include "model/look.h"

void diag_v1_write_nodes(struct buf *out, const struct diag_look *l);
void diag_v1_write_node(struct buf *out, const struct diag_look *l, const struct diag_member *m);
void diag_v1_write_node_units(struct buf *out, const struct diag_look *l,
                              const struct diag_member *m);

/** diag_v1_write_node_unit() - @component: index into the report of @m, which speaks */
void diag_v1_write_node_unit(struct buf *out, const struct diag_look *l,
                             const struct diag_member *m, size_t component);

void diag_v1_write_units(struct buf *out, const struct diag_look *l);
void diag_v1_write_unit(struct buf *out, const struct diag_look *l,
                        const struct diag_unit_row *row);
void diag_v1_write_unit_nodes(struct buf *out, const struct diag_look *l,
                              const struct diag_unit_row *row);

/** diag_v1_write_unit_node() - as diag_v1_write_node_unit(), seen from the unit */
void diag_v1_write_unit_node(struct buf *out, const struct diag_look *l,
                             const struct diag_member *m, size_t component);

/** For diag_snapshot_rendered(): the two lists that everybody asks for, of a view that holds. */
struct blob *diag_snapshot_render_v1_nodes(const struct diag_snapshot *s);
struct blob *diag_snapshot_render_v1_units(const struct diag_snapshot *s);

/** diag_v1_find_node() - by the address it was discovered with; NULL: v1 does not list it */
const struct diag_member *diag_v1_find_node(const struct diag_look *l, const char *address);

/** diag_v1_find_unit() - NULL: no node that speaks has it, or (see @ret_error) out of memory */
const struct diag_unit_row *diag_v1_find_unit(const struct diag_look *l, const char *name,
                                              int *ret_error);

/** diag_v1_find_component() - -1: @m does not speak, or does not have it */
ssize_t diag_v1_find_component(const struct diag_member *m, const char *name);

/**
 * diag_v1_report() - /report: every node, and every unit with all of its nodes, each of which repeats the
 * outputs of all its units
 *
 * That is nodes × units² in length, so it is a rope: of each node the text is there once, and of a view
 * that holds the rope is there once. Return: a new reference; NULL: out of memory.
 */
struct rope *diag_v1_report(const struct diag_look *l);
