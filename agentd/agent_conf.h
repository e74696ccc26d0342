#pragma once

/* diag-agentd.conf(5): defaults, then the file and its drop-ins, then the command line. */

#include "agentd/master_address.h"
#include "api/listen_conf.h"
#include "base/log.h"
#include "bundles/store.h"
#include "model/node.h"
#include "model/report.h"
#include "probes/probe.h"

#define AGENT_CONF_FILE      "/etc/diag/agentd.conf"
#define AGENT_SOCKET         "unix:/run/diag/agentd.sock"
#define AGENT_PORT           1050u
#define AGENT_PORT_MASTER    1051u /* on masters 1050 is the aggregator's */
#define AGENT_TARGET         "dcos.target"
#define AGENT_UNITS_MAX      1024u
#define AGENT_EXPECTS_MAX    4096u
#define AGENT_MASTERS_MAX    64u
#define AGENT_COMPONENTS_MAX 1024u
#define AGENT_NAME_MAX       255u /* bytes; of a component */

struct agent_expect {
        char *unit;
        enum diag_expect expect;
        bool given; /* "Expect=" alone takes it back */
};

/** [Component NAME]: a unit, a unit with probes, or probes alone. */
struct agent_component {
        char *name, *unit, *title;    /* unit, title: may be NULL */
        size_t first_probe, n_probes; /* into agent_conf.probes, once checked */
};

/** Where a section begins, for faults that only all of it can tell. */
struct agent_place {
        char *header; /* "Probe NAME" */
        char *where;  /* "FILE:LINE" */
};

struct agent_conf {
        struct listen_conf server; /* first: api/listen_conf.h asks for it */

        enum diag_role role;
        char *target; /* NULL: AGENT_TARGET, or what the machine has */
        char **units;
        size_t n_units;
        char *address, *address_command, *hostname; /* NULL: found out */
        char *mesos_url;                            /* NULL: where Mesos is on DC/OS; "off" */

        struct master_address masters[AGENT_MASTERS_MAX]; /* to whom the node is announced */
        size_t n_masters;

        struct agent_component *components; /* sorted by name once checked */
        size_t n_components;
        const struct agent_component **by_unit; /* those with a unit, sorted by it, once checked */
        size_t n_by_unit;
        struct probe_settings **probes; /* sorted by component and name once checked */
        size_t n_probes;
        const char **watched; /* units and globs, those of components included, once checked */
        size_t n_watched;

        uint64_t stuck_after_usec;
        bool stuck_after_given, starting_is_healthy;
        struct agent_expect *expects; /* sorted by unit once agent_conf_check() has passed */
        size_t n_expects;
        enum log_level log_level;
        struct store_limits bundles;
        struct agent_place *places;
        size_t n_places;
        uint64_t hash; /* over all that was set, in its order */
};

extern const struct conf_key agent_conf_keys[];

/** agent_conf_new() - all defaults; NULL when out of memory */
struct agent_conf *agent_conf_new(void);
struct agent_conf *agent_conf_free(struct agent_conf *c);

/**
 * agent_conf_check() - what only all values together can tell
 * @on_error: called for each fault; may be NULL
 *
 * Return: 0, or the first fault's -errno.
 */
int agent_conf_check(struct agent_conf *c, conf_error_fn on_error, void *userdata);

/** agent_conf_component_of() - the component that is @unit; NULL: nobody described it. */
const struct agent_component *agent_conf_component_of(const struct agent_conf *c, const char *unit);

/** agent_conf_expect() - [Unit NAME] Expect=, else @otherwise. */
enum diag_expect agent_conf_expect(const char *name, enum diag_expect otherwise, void *agent_conf);

DEFINE_CLEANUP(struct agent_conf *, agent_conf_free);
