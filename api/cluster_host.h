#pragma once

/*
 * What the aggregator's handlers know: request->host of the cluster's routes. What they cannot answer
 * from the published view they hand to the loop as a task: it asks other machines, and ends later.
 */

#include "api/bundle_host.h"
#include "api/errand.h"
#include "api/view.h"

enum cluster_task_kind {
        CLUSTER_TASK_ROUND,  /* ask every node anew (?cache); answered when all have been */
        CLUSTER_TASK_FORGET, /* @node */
        CLUSTER_TASK_START_MAINTENANCE, /* @node, @body */
        CLUSTER_TASK_STOP_MAINTENANCE,  /* @node */
        CLUSTER_TASK_ANNOUNCE,          /* @body, from @caller */
        CLUSTER_TASK_ASK_NODE,          /* GET @target at @node: its own answer, as it is now */
        CLUSTER_TASK_FORWARD, /* @method @target @body to the node daemon of this machine */
};

/** The data of an errand, made by api/cluster_task.h. Strings are owned by it. */
struct cluster_task {
        enum cluster_task_kind kind;
        char *node;                   /* node_id */
        char *method, *target, *body; /* target: path and query */
        size_t n_body;
        char *content_type, *if_none_match, *prefer;
        enum authority_class class; /* of the caller, and who that is */
        bool output;
        char caller[AUTHORITY_NAME_MAX];

        /* What came of it: an answer as it is to go out. Without one (@answer is NULL) and a status
         * from 502 up, nobody answered who was asked. */
        unsigned status;
        struct blob *answer;
        char answer_type[64], etag[64], preference_applied[32], confirmed_age[32], location[256];
};

struct cluster_ops {
        /* Begin; on the loop. Ends with errand_finish(), at once or later, but always. */
        void (*begin)(void *userdata, struct errand *e, struct cluster_task *t);
        /* Optional. Nobody waits for this one any more: it may be cut short, and is still to be
         * finished, which may happen in here. */
        void (*abandoned)(void *userdata, struct errand *e, struct cluster_task *t);
};

struct cluster_host {
        const struct bundle_host
                *bundles; /* first: api/bundle_answer.h; NULL, or without ops: none are made */
        struct view *view;
        struct errands *errands;
        struct server *server;
        const struct cluster_ops *ops;
        void *userdata; /* of ops */
        /* Figures of the fan-out, for /metrics: appended to @out. Any thread. */
        void (*write_metrics)(void *userdata, struct buf *out);
        void *metrics_userdata;
};
