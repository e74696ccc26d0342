#pragma once

/*
 * Asks every node, at its pace: our own node daemon by long poll ("If-None-Match", "Prefer: wait"), so that
 * a change is here at once and an idle cluster costs next to nothing; anything that does not wait by a plain
 * GET each interval. Each node has at most one request in flight.
 *
 *   connects         POLLER_CONNECTS a second, masters first and exempt
 *   in flight        POLLER_ACTIVE_MAX, those that are held by their node apart
 *   dead nodes       2, 4, 8, 16, 30 s apart, a quarter more or less, in a lane of their own
 *   a node that answers at once, always: at most one request a second
 */

#include "aggregator/merge.h"
#include "base/loop.h"
#include "net/fetch.h"

#define POLLER_PORT_AGENT  1050u
#define POLLER_PORT_MASTER 1051u /* of the node daemon there; its front door is 1050 */

#define POLLER_CONNECTS     500u /* a second */
#define POLLER_CONNECTS_TLS 300u
#define POLLER_RETRIES      350u /* a second, of nodes that are known to be dead */
#define POLLER_ACTIVE_MAX   512u
#define POLLER_DEAD_MAX     256u /* of these */

#define POLLER_WAIT_MASTER_USEC     (UINT64_C(5) * 1000000)
#define POLLER_WAIT_AGENT_USEC      (UINT64_C(27) * 1000000) /* a tenth more or less: never over 30 s */
#define POLLER_INTERVAL_MASTER_USEC (UINT64_C(5) * 1000000)
#define POLLER_INTERVAL_AGENT_USEC  (UINT64_C(30) * 1000000) /* a fifth more or less */
#define POLLER_ANSWER_USEC          (UINT64_C(3) * 1000000)  /* beyond the wait */

#define POLLER_CONNECT_USEC (UINT64_C(2500) * 1000) /* of these */

/** Figures since the start, for /metrics. Loop only. */
struct poller_stats {
        uint64_t n_polls[ANSWER_BUSY + 1]; /* by enum answer_kind */
        uint64_t n_connects, n_changes;
        unsigned n_active, n_held, n_queued;
        uint64_t duration_buckets[12],
                duration_sum_usec; /* of answers that were not held: metrics.c */
};
extern const uint64_t poller_buckets_usec[11]; /* upper bounds; the last bucket has none */

struct poller_options {
        struct loop *loop;
        struct fetcher *fetcher;
        struct roster *roster;
        bool tls;                         /* https, but to loopback addresses */
        uint16_t port_master, port_agent; /* of nodes whose port nobody says; 0: the usual ones */
        /* This node's picture may differ. @is_new: it has another report. */
        void (*changed)(void *userdata, struct node *n, bool is_new);
        void *userdata;
};

struct poller;

int poller_new(struct poller **ret, const struct poller_options *options);

/** poller_free() - every node must have left */
struct poller *poller_free(struct poller *p);

/** poller_add() - from now on it is asked. 0 or -ENOMEM. */
int poller_add(struct poller *p, struct node *n);
void poller_remove(struct poller *p, struct node *n);

/** poller_ask_again() - ask it now, whatever is in flight, and do not let it wait */
void poller_ask_again(struct poller *p, struct node *n);

/** poller_max_age() - how old the facts of @n may get while all is well */
uint64_t poller_max_age(const struct node *n);

/**
 * poller_round() - ask every node whose answer is not standing already
 *
 * Masters, nodes that do not wait, and those that do not answer are asked now. A node that holds a request
 * of ours would have told of a change. @done is called once all have answered or failed; one round at a time.
 * Return: 0, or -EBUSY.
 */
int poller_round(struct poller *p, void (*done)(void *userdata), void *userdata);

/** poller_abandon_round() - nobody waits for the one that is under way any more: its @done is not called */
void poller_abandon_round(struct poller *p);

/** poller_tick() - once a second: whose facts are too old, and whose outputs are to be asked for */
void poller_tick(struct poller *p);

void poller_stats(const struct poller *p, struct poller_stats *ret);

DEFINE_CLEANUP(struct poller *, poller_free);
