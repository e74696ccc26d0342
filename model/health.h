#pragma once

/* What health is. Zero is unknown, so that memory from calloc() never says healthy. */

#include "base/cleanup.h"

enum diag_health {
        DIAG_UNKNOWN = 0,
        DIAG_HEALTHY,
        DIAG_UNHEALTHY,
};
#define DIAG_N_HEALTH 3

/** The words of API v2: "unknown", "healthy", "unhealthy". */
const char *diag_health_to_string(enum diag_health h) _const_;

/** A word that we do not know is unknown: a newer node may have more of them. */
enum diag_health diag_health_from_string(const char *s) _pure_;

/** unhealthy > unknown > healthy: a known fault is worse than not knowing. */
enum diag_health diag_health_worse(enum diag_health a, enum diag_health b) _const_;
