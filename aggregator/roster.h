#pragma once

/*
 * All nodes that are known, and who says so: the union of what the sources say. Sources with authority
 * add and remove; observers only add. A master that an authoritative source has named is remembered until
 * somebody forgets it on purpose; an agent is forgotten when every source has been silent about it for long.
 *
 * Nodes are kept by address. Two addresses that turn out to be one machine become one node with two
 * addresses; two machines that say to be one are a conflict.
 */

#include "aggregator/node.h"

struct roster_ops {
        void (*added)(void *userdata, struct node *n);
        void (*leaving)(void *userdata, struct node *n);   /* it is freed when this returns */
        void (*changed)(void *userdata, struct node *n);   /* what is shown of it may differ */
        void (*ask_again)(void *userdata, struct node *n); /* its answer is needed, now */
};

struct roster;

/** roster_new() - @ops, @userdata: outlive it */
int roster_new(struct roster **ret, const struct roster_ops *ops, void *userdata);
struct roster *roster_free(struct roster *r); /* leaving() is called for every node */

/**
 * roster_take() - a source has something to say
 *
 * What cannot be asked is left out, and named in the state of the source; so is what would be over
 * DIAG_MEMBERS_MAX.
 */
void roster_take(struct roster *r, const struct finding *f);

/** roster_add() - one node more of a source that tells them one by one. The node, or NULL with @e. */
struct node *roster_add(struct roster *r, enum diag_source source, const struct found *f,
                        struct err *e);

/** roster_state() - how a source is; strings are the roster's */
const struct diag_source_state *roster_state(const struct roster *r, enum diag_source source);

/** roster_n(), roster_at() - all nodes, aliases too, sorted by address */
size_t roster_n(const struct roster *r);
struct node *roster_at(const struct roster *r, size_t i);
struct node *roster_find(const struct roster *r, const char *address);
struct node *roster_find_id(const struct roster *r, const char *node_id); /* no alias */

/** roster_set_report() - @n has said something; @taken is the node's now. Its outputs must fit already. */
void roster_set_report(struct roster *r, struct node *n, struct diag_report *taken);

/** roster_touch() - @n differs by something that others hold */
void roster_touch(struct roster *r, struct node *n);

/** roster_identify() - @n has answered: does anybody else say to be the same? */
void roster_identify(struct roster *r, struct node *n);

/** roster_forget() - a person, or a tombstone, says that it is gone. True: it is. */
bool roster_forget(struct roster *r, const char *node_id);

/* A node that has not announced itself for so long is not announced any more. */
#define ROSTER_ANNOUNCED_USEC (UINT64_C(35) * 60 * 1000000)

/** roster_tick() - forget agents that nobody has named for @forget_agents_usec, and that do not answer */
void roster_tick(struct roster *r, uint64_t forget_agents_usec);

DEFINE_CLEANUP(struct roster *, roster_free);
