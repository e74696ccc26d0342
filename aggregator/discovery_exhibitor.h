#pragma once

/* The masters as Exhibitor lists them: who leads, and who is down. An observer. Loop only. */

#include "aggregator/discovery.h"
#include "base/loop.h"
#include "net/fetch.h"

struct discovery_exhibitor;

/** discovery_exhibitor_new() - @url: of ".../exhibitor/v1/cluster/status"; copied. Asked at once. */
int discovery_exhibitor_new(struct discovery_exhibitor **ret, struct loop *l, struct fetcher *f,
                            const char *url, uint64_t interval_usec, finding_fn found,
                            void *userdata);
struct discovery_exhibitor *discovery_exhibitor_free(struct discovery_exhibitor *d);

DEFINE_CLEANUP(struct discovery_exhibitor *, discovery_exhibitor_free);
