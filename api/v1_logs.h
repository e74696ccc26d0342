#pragma once

/*
 * GET /system/health/v1/logs: what can be had of this node one by one, and by which name; and each of them, by provider
 * (units, files, cmds) and name, in the words of the service that we replace. Nothing that is not in the list can be
 * had.
 */

#include "api/route.h"

extern const struct route v1_logs_routes[];
