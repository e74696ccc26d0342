#pragma once

/* GET /livez: does the daemon's own loop turn? Says nothing about the health of anything else. */

#include "api/route.h"

/** livez_routes - of the node daemon */
extern const struct route livez_routes[];

/** livez_answer() - for a loop that showed its last sign of life so long ago */
int livez_answer(struct reply *r, const char *daemon, uint64_t beat_age_usec,
                 uint64_t max_age_usec);
