#pragma once

/* GET /metrics of the aggregator: the cluster, its nodes and units, and the daemon itself. */

#include "api/route.h"
#include "model/look.h"

/* Nodes that are not healthy and get a series of their own; the others of them are counted. */
#define CLUSTER_METRICS_NODES_MAX 1000u

extern const struct route cluster_metrics_routes[];

/**
 * cluster_metrics_write() - what is published
 *
 * Of a stale view there is no diag_cluster_healthy, so that its absence is an alarm, and no node is
 * healthy. Failures are in out->error. Any thread.
 */
void cluster_metrics_write(struct buf *out, const struct diag_look *l);
