#pragma once

/*
 * The agents that are registered with Mesos, from the leading master's /slaves; and the masters of Mesos,
 * where ZooKeeper names them. Who leads is said by ZooKeeper (json.info_*), else whoever of the configured
 * masters answers with a list leads: the others answer with a redirect. Observers only add. Loop only.
 *
 * Its states: "connecting" (no answer so far), "ok", "no-leader" (Mesos says so, or nobody is known to ask),
 * "failed". What was found stays while it is not "ok".
 */

#include "aggregator/discovery.h"
#include "base/loop.h"
#include "net/fetch.h"

#define DISCOVERY_MESOS_BYTES_MAX \
        (64u * 1024u * 1024u) /* of /slaves: 10,000 agents are some 20 MB */

struct discovery_mesos_conf {
        const char *const *urls; /* "http://leader.mesos:5050"; tried in turn */
        size_t n_urls;
        uint64_t interval_usec;
};

struct discovery_mesos;

/** discovery_mesos_new() - @conf is copied. Asked at once. 0, -EINVAL (no URL, or over 500 bytes), -ENOMEM. */
int discovery_mesos_new(struct discovery_mesos **ret, struct loop *l, struct fetcher *f,
                        const struct discovery_mesos_conf *conf, finding_fn found, void *userdata);
struct discovery_mesos *discovery_mesos_free(struct discovery_mesos *d);

/** discovery_mesos_set_conf() - from now on; asks anew. As discovery_mesos_new(). */
int discovery_mesos_set_conf(struct discovery_mesos *d, const struct discovery_mesos_conf *conf);

/**
 * discovery_mesos_set_masters() - as ZooKeeper has them, the leader marked; copied
 * @leader_port: of the leader's HTTP; 0: 5050
 * They are part of what is found. None: nothing is known from there.
 */
int discovery_mesos_set_masters(struct discovery_mesos *d, const struct found *masters, size_t n,
                                uint16_t leader_port);

DEFINE_CLEANUP(struct discovery_mesos *, discovery_mesos_free);
