#pragma once

/*
 * Bundles as the service that we replace had them first ("/report/diagnostics/…"), on top of the same jobs: one at a
 * time in the cluster, called bundle-YYYY-MM-DD-SECONDS.zip.
 */

#include "api/route.h"

extern const struct route v1_legacy_routes[];
