#pragma once

/*
 * What a master answers: the cluster, its nodes and their components, as API v2 spells them
 * (docs/openapi.yaml, /cluster, /nodes, /units). A master may be newer than we are: words are kept as they
 * came, and what it does not say is "", 0 or false.
 *
 * Decoders are as strict as reader_json.h, pure, fuzzed, and return 0, -EBADMSG (not such an answer),
 * -E2BIG (over a limit) or -ENOMEM; @e names the fault and may be NULL. Strings belong to the answer.
 */

#include "cli/reader_json.h"
#include "model/report_json.h"

#define CLUSTER_JSON_MAX    (16u * 1024u * 1024u) /* of one answer */
#define CLUSTER_ROWS_MAX    65536u                /* of all pages of a list */
#define CLUSTER_REASONS_MAX 8192u
#define CLUSTER_LIST_MAX    1024u /* of anything else */

/** Health as it came, and what it means to us: a word that we do not know is unknown. */
struct cluster_health {
        const char *word;
        enum diag_health health;
};

/** Whose view it is, and how old. */
struct cluster_view {
        const char *observer, *instance;
        uint64_t seq;
        uint64_t as_of_wall_usec;
        uint64_t age_usec, oldest_master_usec; /* USEC_INFINITY: not said */
        bool complete;
};

struct cluster_counts {
        uint64_t n[DIAG_N_HEALTH];
};

/* --- GET /cluster --------------------------------------------------------------------------------- */

struct cluster_reason {
        const char *code, *text, *address, *component;
        uint64_t since_wall_usec;
        bool acknowledged;
};

struct cluster_masters {
        bool told; /* the answer has them */
        uint64_t n_expected, n_known, n_answering, n_healthy;
        const char *expected_from, *quorum;
};

struct cluster_role {
        const char *role;
        struct cluster_counts counts;
        uint64_t n_maintenance;
};

/** What another master says. */
struct cluster_peer {
        const char *observer;
        struct cluster_health health;
        uint64_t age_usec;
        bool agrees;
};

struct cluster_source {
        const char *name, *state, *error;
        uint64_t age_usec, n_nodes;
};

struct cluster {
        struct arena arena;
        const char *id, *name, *summary;
        struct cluster_health health;
        uint64_t since_wall_usec;
        bool acknowledged;
        struct cluster_masters masters;
        const struct cluster_reason *reasons;
        size_t n_reasons;
        const struct cluster_role *roles;
        size_t n_roles;
        const char *leader, *leader_source;
        uint64_t leader_age_usec;
        struct cluster_view view;
        const struct cluster_peer *peers;
        size_t n_peers;
        const struct cluster_source *sources;
        size_t n_sources;
};

/** @ret: cluster_done() it; untouched on failure */
int cluster_from_json(struct cluster *ret, const char *text, size_t n, struct err *e);
void cluster_done(struct cluster *c);

/* --- GET /nodes ----------------------------------------------------------------------------------- */

struct cluster_node {
        const char *node_id, *address, *hostname, *role;
        struct cluster_health health;
        const char *code, *text, *reach, *protocol, *version;
        uint64_t port, since_wall_usec;
        uint64_t age_usec, rtt_usec; /* USEC_INFINITY: never heard */
        int64_t clock_offset_msec;
        bool leader, seen_down, unlisted;
        struct cluster_counts counts;
        const struct diag_maintenance *maintenance; /* NULL: none */
        struct json_words addresses, sources, notes;
};

/** Rows in the order in which they came. Zeroed is a good start. */
struct cluster_nodes {
        struct arena arena;
        struct cluster_node *rows;
        size_t n;
        uint64_t n_total; /* that were asked for, on all pages */
        const char *next; /* the token of the next page; "": this was the last */
        struct cluster_view view;
};

/** cluster_nodes_add() - another page; @to has no more rows than before on failure */
int cluster_nodes_add(struct cluster_nodes *to, const char *text, size_t n, struct err *e);
void cluster_nodes_done(struct cluster_nodes *l);

/* --- GET /nodes/{node} ---------------------------------------------------------------------------- */

struct cluster_component {
        const char *name, *code, *text, *output;
        struct cluster_health health;
        uint64_t since_wall_usec;
};

struct cluster_one_node {
        struct arena arena;
        struct cluster_node row;
        const struct cluster_component *components;
        size_t n_components;
        bool truncated;
        struct cluster_view view;

        bool tells_live; /* the node itself was to be asked */
        const char *live_error;
        struct diag_report *report; /* what it answered; NULL: nothing */
        struct diag_moment moment;
};

/** @ret: cluster_one_node_done() it; untouched on failure */
int cluster_one_node_from_json(struct cluster_one_node *ret, const char *text, size_t n,
                               struct err *e);
void cluster_one_node_done(struct cluster_one_node *o);

/* --- GET /units ----------------------------------------------------------------------------------- */

struct cluster_code {
        const char *code;
        uint64_t n;
};

/** A component across all nodes. */
struct cluster_unit {
        const char *name, *title, *description;
        struct cluster_health health; /* the worst of them */
        struct cluster_counts counts;
        uint64_t n_absent;
        const struct cluster_code *codes; /* what is wrong, and on how many */
        size_t n_codes;
};

/** As struct cluster_nodes. */
struct cluster_units {
        struct arena arena;
        struct cluster_unit *rows;
        size_t n;
        uint64_t n_total;
        const char *next;
        bool truncated;
        struct cluster_view view;
};

int cluster_units_add(struct cluster_units *to, const char *text, size_t n, struct err *e);
void cluster_units_done(struct cluster_units *l);

/* --- GET /units/{name} ---------------------------------------------------------------------------- */

/** That component on one node. */
struct cluster_unit_node {
        const char *address, *role, *code, *text, *reach;
        struct cluster_health health;
        uint64_t since_wall_usec;
};

/** As struct cluster_nodes. */
struct cluster_one_unit {
        struct arena arena;
        struct cluster_unit unit;
        struct cluster_unit_node *rows;
        size_t n;
        uint64_t n_total;
        const char *next;
        struct cluster_view view;
};

int cluster_one_unit_add(struct cluster_one_unit *to, const char *text, size_t n, struct err *e);
void cluster_one_unit_done(struct cluster_one_unit *u);
