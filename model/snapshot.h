#pragma once

/*
 * The cluster at one moment: its members, sorted by address, and the verdict. Built by the loop, then
 * sealed and published; any thread reads it for as long as it holds a reference. A copy costs a
 * counted reference a member, so that one may be published for every change.
 *
 * A sealed snapshot says what was found, not how old that is: whoever hands it out asks api/view.h.
 */

#include "base/rope.h"
#include "model/member.h"
#include "model/verdict.h"

#define DIAG_MEMBERS_MAX 32768u
#define DIAG_UNIT_NAMES_MAX \
        4096u /* of components, in the whole cluster; the others are "(other)" */
#define DIAG_VIEWS_MAX  DIAG_MASTERS_MAX
#define DIAG_UNIT_OTHER "(other)"

/** A source of members, as it is. */
struct diag_source_state {
        enum diag_source source;
        bool used;
        const char *state;       /* "ok", "connecting", "failed" … */
        uint64_t seen_boot_usec; /* its last answer; 0: none yet */
        unsigned n_nodes;
        const char *error; /* "" without */
};

/** One component on one node. */
struct diag_unit_node {
        uint32_t member;    /* index into members */
        uint32_t component; /* index into that member's report */
};

/** A component across all nodes that have it. */
struct diag_unit_row {
        const char *name, *title, *description;
        enum diag_component_kind kind;
        enum diag_health health; /* the worst of those nodes that can speak */
        struct diag_counts counts;
        unsigned n_absent; /* nodes of a role where most have it, and which have not */
        unsigned codes[DIAG_N_CODES];
        struct diag_unit_node *nodes; /* in the order of members */
        size_t n_nodes;
};

/** All components: made of a snapshot when somebody asks for the first time. */
struct diag_unit_index {
        struct arena arena;
        struct diag_unit_row *rows; /* sorted by name */
        size_t n_rows;
        bool truncated; /* there were more names than DIAG_UNIT_NAMES_MAX */
};

/** How many nodes of a role are what. */
struct diag_tally {
        struct diag_counts counts;
        unsigned n_maintenance, n_superseded;
};

enum diag_snapshot_memo {
        DIAG_SNAPSHOT_MEMO_V1_NODES,
        DIAG_SNAPSHOT_MEMO_V1_UNITS,
        DIAG_N_SNAPSHOT_MEMO
};

struct diag_snapshot {
        struct ref ref;
        struct arena arena;

        uint64_t instance; /* which run of the aggregator: 64 random bits */
        uint64_t seq;      /* +1 for each snapshot that differs */
        uint64_t
                verdict_seq; /* seq of the last one that changed the verdict, or what stands beside it */
        uint64_t made_wall_usec, made_boot_usec;
        uint64_t round_wall_usec;              /* when every node had last been heard; 0: not yet */
        const char *cluster_id, *cluster_name; /* "" not known */
        const char *observer;                  /* our own address */
        uint64_t view_max_age_usec;            /* an older view is no view: api/view.h */

        struct diag_member **members; /* sorted by address; references */
        size_t n_members;
        struct diag_member *masters[DIAG_MASTERS_MAX + 1]; /* of these; one too many says so */
        size_t n_masters;
        struct diag_tally tally[DIAG_ROLE_AGENT_PUBLIC + 1]; /* by enum diag_role */

        struct diag_cluster_verdict verdict; /* with what the other masters say */
        struct diag_cluster_verdict own;     /* from here alone */
        struct diag_peer_view *views;
        size_t n_views;
        struct diag_source_state sources[DIAG_N_SOURCES]; /* by enum diag_source */
        const char *leader_address, *leader_source;       /* of the Mesos masters; "" not known */
        uint64_t leader_seen_boot_usec;

        bool sealed;
        _Atomic(struct diag_unit_index *) units; /* see diag_snapshot_units() */
        blob_memo memo[DIAG_N_SNAPSHOT_MEMO];
        _Atomic(struct rope *) v1_reports[2]; /* see diag_v1_report(); without outputs, and with */
};

/** diag_snapshot_new() - room for @n_members; strings are set with the arena of the snapshot. */
int diag_snapshot_new(struct diag_snapshot **ret, size_t n_members);
struct diag_snapshot *diag_snapshot_ref(struct diag_snapshot *s);
struct diag_snapshot *diag_snapshot_unref(struct diag_snapshot *s);

/** diag_snapshot_add() - in the order of addresses, or nothing is found; takes a reference of its own. */
void diag_snapshot_add(struct diag_snapshot *s, struct diag_member *m);

/**
 * diag_snapshot_seal() - judge and number
 * @previous: may be NULL
 *
 * The seq is that of @previous if nothing differs: then @previous may as well stay.
 * Return: 0 or -ENOMEM.
 */
int diag_snapshot_seal(struct diag_snapshot *s, const struct diag_snapshot *previous,
                       const struct diag_rule *rule);

/** diag_snapshot_find() - by the address it was discovered with; NULL: none. */
const struct diag_member *diag_snapshot_find(const struct diag_snapshot *s, const char *address);

/**
 * diag_snapshot_look_up() - by node_id, any of its addresses, or hostname
 * @ret: up to @n_max of those that fit
 * Return: how many fit: more than one is a name that is not unique.
 */
size_t diag_snapshot_look_up(const struct diag_snapshot *s, const char *name,
                             const struct diag_member **ret, size_t n_max);

/** diag_snapshot_units() - made once for each snapshot; NULL: out of memory. Any thread. */
const struct diag_unit_index *diag_snapshot_units(const struct diag_snapshot *s);
const struct diag_unit_row *diag_unit_index_find(const struct diag_unit_index *x, const char *name);

/** diag_snapshot_rendered() - as diag_report_rendered() */
struct blob *diag_snapshot_rendered(const struct diag_snapshot *s, enum diag_snapshot_memo which,
                                    struct blob *(*render)(const struct diag_snapshot *s));

DEFINE_CLEANUP(struct diag_snapshot *, diag_snapshot_unref);
