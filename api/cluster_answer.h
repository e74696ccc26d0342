#pragma once

/*
 * How the cluster answers from its published view, in both APIs: one look for each answer, entity tags
 * and waiting for a change in v2. The cluster's counterpart of api/node_answer.h.
 */

#include "api/cluster_host.h"
#include "api/reply.h"
#include "api/request.h"
#include "model/look.h"

/* nginx gives up after 60 s by default, and nobody configures that for us. */
#define CLUSTER_WAIT_MAX_SECONDS 45u

#define CLUSTER_STALE_TEXT_MAX 128u

/** One look, and what it means for this reader. */
struct cluster_look {
        struct view_look view;
        char stale[CLUSTER_STALE_TEXT_MAX];
        struct diag_look look; /* of the two above */
};

/** cluster_look() - for @q, now; then cluster_look_done() */
void cluster_look(struct cluster_look *ret, const struct request *q);
void cluster_look_done(struct cluster_look *l);

/** One resource of API v2. */
struct cluster_spelling {
        bool verdict; /* its tag counts changes of the verdict, not of every node */
        /* Optional: is there what @q asks for? If not, spell() says so; no tag, no 304. */
        bool (*finds)(const struct request *q, const struct diag_look *l);
        int (*spell)(const struct request *q, struct reply *r, const struct diag_look *l);
};

/** cluster_answer() - spell it, say 304, or park the request */
int cluster_answer(const struct request *q, struct reply *r,
                   const struct cluster_spelling *spelling);
