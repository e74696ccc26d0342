#pragma once

/* The cluster as a person wants to read it. Pure; what came over the wire is cleaned. */

#include "cli/cluster_json.h"
#include "cli/term.h"

/** cluster_view_all() - the verdict and why, then what stands beside it. */
void cluster_view_all(struct buf *out, const struct cluster *c, const struct term *t,
                      uint64_t now_wall_usec);

/** cluster_view_line() - the verdict in one line, without its end. */
void cluster_view_line(struct buf *out, const struct cluster *c);

/** cluster_view_health() - the word as it came, in its colour. */
void cluster_view_health(struct buf *out, const struct term *t, const struct cluster_health *h);

/** cluster_view_age() - of the answer: "as 10.0.0.1 saw it 3 s ago", and what is missing in it. */
void cluster_view_age(struct buf *out, const struct term *t, const struct cluster_view *v);

/** cluster_view_why() - a reason: the text, or at least its code; and "(acknowledged)" */
void cluster_view_why(struct buf *out, const char *text, const char *code, bool acknowledged);
