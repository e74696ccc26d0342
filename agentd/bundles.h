#pragma once

/*
 * Bundles of this node: what requests collect of it at once (agentd/collections.h), and, for the old API, zips that
 * are made in the state directory and fetched later.
 *
 * Belongs to the loop.
 */

#include "api/bundle_host.h"
#include "api/feed.h"
#include "bundles/store.h"

struct bundles;

struct bundles_options {
        struct loop *loop;
        const struct feed *feed;
        struct errands *errands;
        const char *socket;    /* of the collector; NULL: COLLECTOR_SOCKET */
        const char *directory; /* of the zips; NULL: there is no room for any */
        struct store_limits limits;
        enum diag_role role;
        uint16_t port; /* where clients of the old API expect this daemon */
};

/**
 * bundles_new()
 * Return: 0, also when the directory cannot be used: then @e says why, and zips are refused with these words. -ENOMEM
 */
int bundles_new(struct bundles **ret, const struct bundles_options *options, struct err *e);

/** bundles_free() - the server is gone; what was being made is given up */
struct bundles *bundles_free(struct bundles *b);

/** bundles_reconfigure() - from now on */
void bundles_reconfigure(struct bundles *b, enum diag_role role, const struct store_limits *limits);

/** bundles_host() - for handlers; lives as long as @b */
const struct bundle_host *bundles_host(const struct bundles *b);

DEFINE_CLEANUP(struct bundles *, bundles_free);
