#pragma once

/* GET /system/health/v2/node: this node, with everything that we know of it. */

#include "api/route.h"

extern const struct route v2_node_routes[];

/** Where API v2 is reachable through a proxy that knows only the old prefix. */
extern const struct route_alias v2_aliases[];
