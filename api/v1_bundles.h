#pragma once

/*
 * Bundles as the service that we replace has them, version 2: ids are the clients', archives are zips. A node's own
 * on the node daemon, the cluster's on any master.
 */

#include "api/route.h"

extern const struct route v1_node_bundle_routes[];
extern const struct route v1_cluster_bundle_routes[];
