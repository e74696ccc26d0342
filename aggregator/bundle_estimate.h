#pragma once

/*
 * How big would a bundle be, and is there room for it? Each node estimates its own part; what does not answer in time is
 * named, and counts for nothing. Belongs to the loop.
 */

#include "aggregator/bundle_nodes.h"
#include "net/fetch.h"

#define BUNDLE_ESTIMATE_AT_ONCE 64u
#define BUNDLE_ESTIMATE_USEC    (UINT64_C(3) * 1000000) /* of a node */
#define BUNDLE_ESTIMATES_USEC \
        (UINT64_C(20) * 1000000) /* of all of them: then those that are left are not asked */

struct bundle_estimate;

struct bundle_estimate_terms {
        struct fetcher *fetcher;
        const char *caller;
        uint64_t free_bytes, floor_bytes;
        /* Once, from the loop, perhaps within bundle_estimate_new(); it may free the estimate. @json: an object; failures are in json->error. */
        void (*done)(struct buf *json, void *userdata);
        void *userdata;
};

/**
 * bundle_estimate_new() - ask
 * @nodes: chosen already; borrowed until this returns
 * Return: 0, or -errno: then done is never called.
 */
int bundle_estimate_new(struct bundle_estimate **ret, const struct bundle *nodes,
                        const struct diag_snapshot *s, const struct bundle_where *where,
                        const struct bundle_estimate_terms *terms);
struct bundle_estimate *bundle_estimate_free(struct bundle_estimate *x);

DEFINE_CLEANUP(struct bundle_estimate *, bundle_estimate_free);
