#pragma once

/* GET /livez: does the daemon's own loop turn? Says nothing about the health of the node. */

#include "api/route.h"

extern const struct route livez_routes[];
