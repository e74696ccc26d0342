#pragma once

/* API v1 of the cluster: /units…, /nodes…, /report, as the service that we replace serves them. */

#include "api/route.h"

extern const struct route v1_cluster_routes[];
