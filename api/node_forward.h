#pragma once

/*
 * Paths of one node, on the aggregator's door: they are about this machine, and are forwarded to its
 * node daemon, with no more rights than who asks has.
 */

#include "api/route.h"

extern const struct route node_forward_routes[];
