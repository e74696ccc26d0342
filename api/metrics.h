#pragma once

/* GET /metrics: the node, its components and probes, and the daemon's own door, for Prometheus. */

#include "api/feed.h"
#include "api/route.h"
#include "api/server_stats.h"

extern const struct route metrics_routes[];

/**
 * metrics_write_node() - what a look at the feed has found
 *
 * healthy is 1 or 0, and 0 for what is unknown, too, so that an alert on it needs nothing else;
 * unknown says which. Of a stale view nothing is healthy. Failures are in out->error. Any thread.
 */
void metrics_write_node(struct buf *out, const struct feed_view *v);

/** metrics_write_server() - what the daemon's own server has counted. Likewise. */
void metrics_write_server(struct buf *out, const struct server_stats *stats);
