#pragma once

/*
 * Bundles, as the master's API has them: our own, which stand in a store and are made by a runner, and those of all other
 * masters, which are asked. What requests want done comes as errands (api/bundle_host.h).
 *
 * Belongs to the loop, but for bundles_write().
 */

#include "aggregator/bundle_peers.h"
#include "aggregator/bundle_runner.h"
#include "api/bundle_host.h"

struct bundles_options { /* what is pointed to is borrowed, and outlives it */
        struct loop *loop;
        struct fetcher *fetcher; /* ours for nodes and masters */
        struct view *view;
        struct bundle_where where;
        uint16_t port_peer; /* of other masters; 0: the usual one */
        const char *directory;
        struct store_limits store;
        struct gather_order gather; /* limits and files; without nodes */
};

struct bundles;

/** bundles_new() - a directory that cannot be had is tried again and again. 0, or -errno with @e */
int bundles_new(struct bundles **ret, const struct bundles_options *options, struct err *e);

/** bundles_stop() - errands that are under way are finished, now: the loop turns no more */
void bundles_stop(struct bundles *b);

/** bundles_free() - what is being made is CANCELED */
struct bundles *bundles_free(struct bundles *b);

/** bundles_set_limits() - what a reload may change */
int bundles_set_limits(struct bundles *b, const struct store_limits *store,
                       const struct gather_order *gather);

/** bundles_set_peers() - the other masters, by address */
void bundles_set_peers(struct bundles *b, const char *const *addresses, size_t n);

/** bundle_ops_of_cluster - its userdata is a struct bundles */
extern const struct bundle_ops bundles_ops;

/** bundles_note() - once a second or so: count for bundles_write() */
void bundles_note(struct bundles *b);

/** bundles_write() - figures for /metrics. Any thread. Failures are in out->error. */
void bundles_write(struct bundles *b, struct buf *out);

/** bundles_is_idle() - no errand is under way */
bool bundles_is_idle(const struct bundles *b);

DEFINE_CLEANUP(struct bundles *, bundles_free);
