#pragma once

/*
 * What requests have the loop do that asks other machines: rounds, questions to one node, forwarding to the
 * node daemon of this machine, forgetting, maintenance, announcements. Each task ends, and ends once; who
 * cannot be asked in time is said so. Loop only.
 */

#include "aggregator/memory.h"
#include "aggregator/poller.h"
#include "aggregator/publisher.h"
#include "aggregator/self.h"
#include "aggregator/sources.h"
#include "api/cluster_host.h"

/* Two rounds begin at least so far apart, and so many times the time that the last one took. */
#define TASKS_ROUND_APART_USEC  (UINT64_C(100) * 1000)
#define TASKS_ROUND_APART_TIMES 4u

#define TASKS_ANNOUNCED_A_SECOND 200u /* candidates that are looked at */
#define TASKS_CANDIDATES_MAX     512u /* looked at, at once */
#define TASKS_CANDIDATES_EACH    64u  /* of these, from one address */

struct tasks_options {
        struct loop *loop;
        struct fetcher *fetcher;
        struct roster *roster;
        struct poller *poller;
        struct publisher *publisher;
        struct memory *memory;
        struct self *self;
        struct sources *sources; /* for ZooKeeper, if it is used; NULL: it is not */
        const char *agent_socket;
        bool tls;
        uint16_t port_peer; /* of the other masters' aggregators */
};

struct tasks;

int tasks_new(struct tasks **ret, const struct tasks_options *options);

/** tasks_free() - what is still running ends unanswered; the server is gone, the errands are not */
struct tasks *tasks_free(struct tasks *t);

/** tasks_is_idle() - nobody waits for anything that was begun */
bool tasks_is_idle(const struct tasks *t);

/** For api/cluster_host.h. */
void tasks_begin(struct tasks *t, struct errand *e, struct cluster_task *task);
void tasks_abandoned(struct tasks *t, struct errand *e, struct cluster_task *task);

DEFINE_CLEANUP(struct tasks *, tasks_free);
