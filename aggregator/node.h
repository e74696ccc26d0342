#pragma once

/*
 * What the aggregator knows of one node: who says that it exists, how asking it goes, and what it has
 * said. Belongs to the roster; only the loop touches it. What others may see of it is its member.
 */

#include <sys/queue.h>

#include "aggregator/discovery.h"
#include "model/member.h"

struct fetch;
struct poll;

/* A node with our agentd confirms its facts with each answer; nothing older is shown as what is. */
#define NODE_FACTS_MAX_AGE_USEC (UINT64_C(45) * 1000000)

/* How long a node that has said goodbye may be away before that is an outage like any other. */
#define NODE_REBOOT_USEC (UINT64_C(10) * 60 * 1000000)

/* A clock that is further off than this is remarked upon. */
#define NODE_CLOCK_SKEW_USEC INT64_C(1000000)

struct node_claim {
        uint16_t port;
        uint8_t role; /* enum diag_role */
        bool leader, down;
};

struct node {
        char *address; /* the key: as it was discovered */

        /* Who says that it exists, and who it is. */
        char *claimed_id, *claimed_hostname; /* what sources say of it; NULL: nothing */
        uint64_t announced_boot_usec;        /* when it last announced itself */
        uint64_t unlisted_boot_usec; /* since when only memory knows it; 0: some source does */
        struct node *alias_of; /* it is the same machine as that one, which is asked for both */
        struct node *aliases, *next_alias; /* those that are this one, too */
        struct node *same_id;              /* the next one with the same node_id: the roster's */
        uint64_t doubted_boot_usec;        /* since when another node says to be it; 0: none does */

        /* What it said. */
        struct diag_report *report; /* the last one that could be understood; NULL: none yet */
        char **outputs; /* of report->components, as API v1 has them; NULL: all are healthy */
        struct diag_pulse *pulse;
        struct diag_maintenance *maintenance; /* of one that cannot hold its own flag; NULL: none */

        /* How asking it goes. */
        uint64_t failing_boot_usec; /* since when; 0: it answers */
        uint64_t failed_wall_usec;  /* when it became unreachable */
        uint64_t goodbye_boot_usec; /* when it said that its machine stops; 0: it did not */
        char *fault;                /* why the last request failed; NULL: it did not */

        struct poll *poll;          /* the poller's */
        struct diag_member *member; /* what was published last; NULL: not yet */
        STAILQ_ENTRY(node) dirty_link;

        unsigned sources;                         /* DIAG_SOURCE_BIT()s */
        unsigned generation[DIAG_N_SOURCES];      /* of the roster: which list it was in */
        struct node_claim claims[DIAG_N_SOURCES]; /* of those in sources */
        enum diag_protocol protocol;
        unsigned n_failures; /* since the last answer */
        uint16_t port;       /* where it is asked */
        bool in_id_tree;
        bool conflict; /* another node says to be it, and both of them answer */
        bool superseded;
        bool stale;                 /* it answers, and has not confirmed its facts for too long */
        bool answered, asked;       /* at least once; asked: answered, or failed */
        bool failed_for_good;       /* it is unreachable, and not merely late */
        bool bad_answer;            /* it did answer, with something else */
        bool maintenance_is_shared; /* by ZooKeeper: who takes it away there, takes it away here */
        bool dirty;                 /* it may differ from its member by now */
};

/** node_role() - what the best source says */
enum diag_role node_role(const struct node *n);

/** node_port() - what the best source says; 0: none does */
uint16_t node_port(const struct node *n);

/** node_reach() - as it is at @now_boot_usec */
enum diag_reach node_reach(const struct node *n, uint64_t now_boot_usec);

/** node_id() - what it says itself, else what sources say, else NULL */
const char *node_id(const struct node *n);

/** node_is_skewed() - its clock is off by more than NODE_CLOCK_SKEW_USEC */
bool node_is_skewed(const struct node *n);

/** node_set_maintenance() - copied; NULL: none. 0 or -ENOMEM. */
int node_set_maintenance(struct node *n, const struct diag_maintenance *m);

void node_clear_outputs(struct node *n);

/**
 * node_make_member() - what others may see of it at this moment
 * @ret: a new reference: its member of before, if nothing differs
 *
 * Pure but for that. Return: 0 or -ENOMEM.
 */
int node_make_member(struct diag_member **ret, const struct node *n, uint64_t now_boot_usec,
                     uint64_t now_wall_usec);
