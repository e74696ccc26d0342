#pragma once

/*
 * What one node of the fleet is and says. It is spelled by the encoders of the real daemon, so that its
 * bytes are those that a real node sends; only the facts are made up.
 */

#include <netinet/in.h>
#include <sys/queue.h>

#include "base/blob.h"
#include "model/report.h"

#define FLEET_NODES_MAX 62500u /* NET.0.1 … NET.249.250 */
#define FLEET_UNITS     30u

/** How it treats those who ask. */
enum fleet_mode {
        FLEET_OK = 0,
        FLEET_V1,       /* the service that we replace: v1 only, no entity tag, no waiting */
        FLEET_FROZEN,   /* the kernel takes connections, the process does nothing */
        FLEET_FLOOD,    /* a body without end */
        FLEET_REDIRECT, /* to another node */
        FLEET_GARBAGE,  /* a body that is no JSON */
        FLEET_EMPTY,    /* {} */
        FLEET_STALE,    /* answers, but has not asked its systemd for an hour */
        FLEET_HOT,      /* says that it waited, and has not */
        FLEET_HALF,     /* closes in the middle of the body */
        FLEET_IMPOSTOR, /* gives the identity of the next node, of another boot */
        FLEET_N_MODES
};
const char *fleet_mode_to_string(enum fleet_mode m) _const_;
int fleet_mode_from_string(const char *s, enum fleet_mode *ret); /* 0 or -EINVAL */

enum fleet_form { FLEET_FORM_HEALTH, FLEET_FORM_FULL, FLEET_FORM_V1, FLEET_N_FORMS };

struct fleet_client;
TAILQ_HEAD(fleet_clients, fleet_client);

struct fleet_node {
        uint32_t index;
        uint16_t port;
        enum diag_role role;
        enum fleet_mode mode;
        enum diag_phase phase;
        unsigned n_boots;
        uint64_t instance, seq;
        uint32_t failed; /* a bit for each unit */
        uint64_t since_wall_usec[FLEET_UNITS];
        struct blob *bodies[FLEET_N_FORMS]; /* kept until something changes; NULL: not made */
        bool served;                        /* has answered 200 since the last mark */
        struct fleet_clients clients;       /* connections of those who ask it */
};

/**
 * fleet_set_net() - the /16 in which the nodes are: "127.1", which is the default, or another one that is
 * local ("ip route add local 10.1.0.0/16 dev lo"). Once, before all else. 0 or -EINVAL.
 */
int fleet_set_net(const char *net);

/** fleet_address() - of the node with that index, host byte order; and back: -1 for nobody's. */
in_addr_t fleet_address(uint32_t index);
int64_t fleet_index(in_addr_t address);

/** fleet_unit_name() - @unit < FLEET_UNITS */
const char *fleet_unit_name(size_t unit) _const_;

void fleet_node_init(struct fleet_node *n, uint32_t index, enum diag_role role, uint16_t port);

/** fleet_node_set_unit() - true when that is a change, which then has a number. */
bool fleet_node_set_unit(struct fleet_node *n, size_t unit, bool fails);

/** fleet_node_restart() - another run of its daemon; @boot: of the whole machine */
void fleet_node_restart(struct fleet_node *n, bool boot);

/** fleet_node_set_phase() - "stopping" is a goodbye. */
void fleet_node_set_phase(struct fleet_node *n, enum diag_phase phase);

/** How long ago it asked its systemd: up to 15 s, different for each node. */
uint64_t fleet_node_confirmed_age_usec(const struct fleet_node *n);

/** fleet_node_body() - a new reference; ends the program when there is no memory. */
struct blob *fleet_node_body(struct fleet_node *n, enum fleet_form form);

/** fleet_node_component() - one component of the full form; NULL: it has none of that name. */
struct blob *fleet_node_component(struct fleet_node *n, const char *name, size_t n_name);
