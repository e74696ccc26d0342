#pragma once

/* API v2 of the cluster: /cluster, /nodes, /units, /announce. */

#include "api/route.h"

extern const struct route v2_cluster_routes[], v2_nodes_routes[], v2_units_routes[];
