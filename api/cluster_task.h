#pragma once

/*
 * What the aggregator's loop does for a request: an errand (api/errand.h) that carries who asks for what,
 * and takes back an answer as it is to go out.
 */

#include "api/cluster_host.h"
#include "api/reply.h"
#include "api/request.h"

/* A question to one node must not make somebody wait for long: there is an older answer. */
#define CLUSTER_ASK_USEC   (10 * USEC_PER_SEC)
#define CLUSTER_ROUND_USEC (60 * USEC_PER_SEC)

/**
 * cluster_task_start() - make it of @q, which has none yet, and queue it
 * @node:   node_id; NULL: it is about none
 * @target: path and query to ask for; NULL: none
 *
 * Method, body and who asks are copied from @q. Return: 0 or -ENOMEM.
 */
int cluster_task_start(const struct request *q, enum cluster_task_kind kind, const char *node,
                       const char *target);

/** cluster_task_wait() - as errand_wait(); @ret: the task, once it is done */
enum errand_result cluster_task_wait(const struct request *q, struct reply *r,
                                     const struct cluster_task **ret);

/** cluster_task_await() - the same, where API v2's words are right for who waits in vain */
int cluster_task_await(const struct request *q, struct reply *r, const struct cluster_task **ret);

/** cluster_task_answer() - what came of it, as it is; @t outlives @r */
int cluster_task_answer(const struct cluster_task *t, struct reply *r);
