#pragma once

/* GET /system/health/v1: this node, in the wire of the service that we replace. */

#include "api/route.h"

extern const struct route v1_node_routes[];
