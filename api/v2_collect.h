#pragma once

/* POST /system/health/v2/node/collect: what a bundle needs of this node, as it is collected; and how much that is. */

#include "api/route.h"

extern const struct route v2_collect_routes[];

#define FRAGMENT_TYPE_ZSTD "application/vnd.diag.fragment+zstd"
#define FRAGMENT_TYPE_GZIP "application/vnd.diag.fragment+gzip"
