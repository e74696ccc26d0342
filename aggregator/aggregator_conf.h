#pragma once

/* diag-aggregatord.conf(5): defaults, then the file and its drop-ins, then the command line. */

#include "aggregator/bundles_conf.h"
#include "aggregator/discovery.h"
#include "api/listen_conf.h"
#include "base/log.h"

#define AGGREGATOR_CONF_FILE    "/etc/diag/aggregatord.conf"
#define AGGREGATOR_SOCKET       "unix:/run/diag/aggregatord.sock"
#define AGGREGATOR_AGENT_SOCKET "/run/diag/agentd.sock"
#define AGGREGATOR_PORT         1050u
#define AGGREGATOR_URLS_MAX     8u

struct aggregator_node {
        char *address;
        enum diag_role role;
        uint16_t port; /* 0: the usual one of its role */
};

struct aggregator_conf {
        struct listen_conf server; /* first: api/listen_conf.h asks for it */

        char *name, *cluster_id; /* of the cluster; NULL: not known */
        unsigned n_expected;     /* masters; 0: not said */
        char *expected_file;     /* a file that holds the number; NULL: none */
        uint64_t forget_agents_usec, view_max_age_usec;
        char *agent_socket;                          /* of the node daemon of this machine */
        uint16_t port_master, port_agent, port_peer; /* 0: the usual ones */

        struct aggregator_node *nodes;
        size_t n_nodes;
        char *nodes_file;

        char *zk_hosts, *zk_chroot, *zk_secret, *zk_secret_file,
                *zk_mesos_path; /* NULL: not used */
        bool zk_open;
        char *mesos_urls[AGGREGATOR_URLS_MAX]; /* of masters, or one name that is the leader's */
        size_t n_mesos_urls;
        char *exhibitor_url, *dns_name; /* NULL: not used */
        uint64_t mesos_interval_usec, exhibitor_interval_usec, dns_interval_usec;

        struct bundles_conf bundles;
        enum log_level log_level;
};

extern const struct conf_key aggregator_conf_keys[];

/** aggregator_conf_new() - all defaults; NULL when out of memory */
struct aggregator_conf *aggregator_conf_new(void);
struct aggregator_conf *aggregator_conf_free(struct aggregator_conf *c);

/**
 * aggregator_conf_check() - what only all values together can tell; and read the file of nodes
 *
 * A file that names no node at all is fine where another source does. Who says nothing gets
 * "master=127.0.0.1": the machine itself.
 * Return: 0, or the first fault's -errno.
 */
int aggregator_conf_check(struct aggregator_conf *c, conf_error_fn on_error, void *userdata);

/** aggregator_conf_expected() - how many masters there must be, now; 0: nobody says. @from: 256 bytes. */
unsigned aggregator_conf_expected(const struct aggregator_conf *c, char *from);

DEFINE_CLEANUP(struct aggregator_conf *, aggregator_conf_free);
