#pragma once

/*
 * The cluster rule: the cluster is unhealthy until every master is healthy. A pure function of the
 * members, of what was declared, and of what the other masters say.
 */

#include "model/member.h"

#define DIAG_MASTERS_MAX 64u

/* Reasons of one master; of more, the last one says how many are left out. */
#define DIAG_MASTER_REASONS_MAX 64u

/* Views of two masters may differ for so long, while news travels, without being a reason. */
#define DIAG_VIEWS_DIFFER_USEC (UINT64_C(30) * 1000000)

/** Why something is not healthy: the same object everywhere in API v2. */
struct diag_reason {
        enum diag_code code;
        const char *text;
        const char *node_id, *address, *component; /* "" where it is about none */
        uint64_t since_wall_usec;
        bool acknowledged;
};

/** Healthy masters against the majority of those that there must be. */
enum diag_quorum {
        DIAG_QUORUM_UNKNOWN = 0,
        DIAG_QUORUM_OK,      /* one more may fail */
        DIAG_QUORUM_AT_RISK, /* none more may fail */
        DIAG_QUORUM_LOST,
};
const char *diag_quorum_to_string(
        enum diag_quorum q) _const_; /* "unknown", "ok", "at-risk", "lost" */

/** What another master says of the cluster, from its own view. */
struct diag_peer_view {
        const char *observer; /* its address */
        enum diag_health health;
        uint64_t as_of_wall_usec;
        uint64_t seen_boot_usec; /* when we heard it */
        bool fresh;
        bool agrees;
        uint64_t differs_since_boot_usec; /* 0: agrees */
};

struct diag_rule {
        unsigned n_expected;       /* masters; 0: nobody has declared a number */
        const char *expected_from; /* "MastersExpected", "file:/…", "static"; "" without */
        bool asked_all;            /* every master has been asked since the start */
        const struct diag_peer_view *views; /* may be NULL */
        size_t n_views;
        bool own; /* do not look at the views of others: what this master alone can say */
        uint64_t now_wall_usec, now_boot_usec;
};

struct diag_cluster_verdict {
        enum diag_health health; /* healthy or unhealthy, never unknown */
        enum diag_code code;     /* of the first reason, which is the headline */
        bool acknowledged;       /* every reason is */
        const char *summary;     /* one line */
        uint64_t since_wall_usec;
        struct diag_reason *reasons; /* in the order of the rule, then of addresses */
        size_t n_reasons;
        unsigned n_expected, n_known, n_answering, n_healthy; /* masters, superseded ones apart */
        const char *expected_from;
        enum diag_quorum quorum;
};

/**
 * diag_verdict_judge() - what the masters add up to
 * @ret:     its strings and reasons belong to @a, or to the members
 * @members: any order; those that are no masters are skipped
 * @previous: where since comes from as long as the health stays; may be NULL
 *
 * Return: 0, or -ENOMEM. Pure.
 */
int diag_verdict_judge(struct diag_cluster_verdict *ret, struct arena *a,
                       struct diag_member *const *members, size_t n, const struct diag_rule *rule,
                       const struct diag_cluster_verdict *previous);

/**
 * diag_verdict_supersedes() - is @m a master that is gone for good, because others have taken its place?
 *
 * That is: it does not answer, no static list names it, and as many other masters as there must be
 * answer and are healthy. Pure.
 */
bool diag_verdict_supersedes(const struct diag_member *m, struct diag_member *const *members,
                             size_t n, unsigned n_expected);
