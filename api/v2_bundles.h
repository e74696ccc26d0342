#pragma once

/* Bundles of the cluster, or of a node, in API v2. */

#include "api/route.h"

extern const struct route v2_bundle_routes[];
