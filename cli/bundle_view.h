#pragma once

/* Bundles as a person reads them. All text from a master is cleaned. */

#include "cli/bundle_json.h"
#include "cli/term.h"

/** text_append_size() - "512 B", "70.0 MiB": three digits that count, in powers of 1024 */
void text_append_size(struct buf *out, uint64_t n_bytes);

/** bundle_view_list() - a table, and how many there are */
void bundle_view_list(struct buf *out, const struct bundle_list *l, const struct term *t,
                      uint64_t now_wall_usec);

/** bundle_view_one() - all that is known of it */
void bundle_view_one(struct buf *out, const struct bundle_info *b, const struct term *t,
                     uint64_t now_wall_usec);

/** bundle_view_outcome() - what came of it: what went wrong where, and how large it is. @file: where it is; NULL: there */
void bundle_view_outcome(struct buf *out, const struct bundle_info *b, const char *file,
                         const struct term *t);

/** bundle_view_nodes() - "of masters, unhealthy, 10.0.0.5": whom it is made of */
void bundle_view_nodes(struct buf *out, const struct bundle_info *b);

/** bundle_view_progress() - "5 of 8 nodes, 1 of them failed, 70.0 MiB; journal of …", without its '\n' */
void bundle_view_progress(struct buf *out, const struct bundle_info *b);

/** bundle_view_part() - "10.0.0.3 agent: done, 1.0 MiB, 61 entries, 4.1 s", without its '\n' */
void bundle_view_part(struct buf *out, const struct bundle_part *p, const struct term *t);

/** bundle_part_has_ended() - nothing more comes from that node */
bool bundle_part_has_ended(const struct bundle_part *p) _pure_;

/** bundle_view_estimate() - a table, what it comes to, and whether there is room */
void bundle_view_estimate(struct buf *out, const struct bundle_estimate *s, const struct term *t);
