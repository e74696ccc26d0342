#pragma once

/*
 * All sources of nodes together, as the configuration asks for them: what each finds goes to the roster.
 * Loop only.
 */

#include "aggregator/aggregator_conf.h"
#include "aggregator/discovery_zk.h"
#include "aggregator/roster.h"
#include "aggregator/self.h"

struct sources_options {
        struct loop *loop;
        struct fetcher *fetcher;
        struct roster *roster;
        void (*changed)(void *userdata); /* a state, a name, a leader: something that is shown */
        void *userdata;
};

struct sources;

/** sources_new() - @conf: borrowed, until sources_set_conf(). @e: what cannot be used. */
int sources_new(struct sources **ret, const struct sources_options *options,
                const struct aggregator_conf *conf, struct err *e);
struct sources *sources_free(struct sources *s);

/** sources_set_conf() - a reload: what has not changed goes on */
int sources_set_conf(struct sources *s, const struct aggregator_conf *conf, struct err *e);

/** sources_set_self() - who is to be registered in ZooKeeper */
void sources_set_self(struct sources *s, const struct self_identity *own);

/** sources_zk() - borrowed; NULL: not used */
struct discovery_zk *sources_zk(const struct sources *s);

/** What ZooKeeper says of the cluster; "" not known. */
const char *sources_cluster_id(const struct sources *s);
const char *sources_cluster_name(const struct sources *s);

/** sources_leader_source() - who says who leads Mesos: "zookeeper", "exhibitor"; "" nobody */
const char *sources_leader_source(const struct sources *s);

DEFINE_CLEANUP(struct sources *, sources_free);
