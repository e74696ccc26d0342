#pragma once

/*
 * The masters as a name of DNS has them: "master.mesos". Names are resolved by a thread that may hang for
 * as long as it likes; there is never more than one. An observer. Loop only.
 */

#include "aggregator/discovery.h"
#include "base/loop.h"

struct discovery_dns;

/** discovery_dns_new() - @name: copied. Asked at once. */
int discovery_dns_new(struct discovery_dns **ret, struct loop *l, const char *name,
                      uint64_t interval_usec, finding_fn found, void *userdata);

/** discovery_dns_free() - a thread that still waits for an answer is left to end by itself. */
struct discovery_dns *discovery_dns_free(struct discovery_dns *d);

DEFINE_CLEANUP(struct discovery_dns *, discovery_dns_free);
