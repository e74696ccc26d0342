#pragma once

/*
 * Who this node is. Whatever cannot be found out is empty; nothing here delays an answer: a command
 * that tells the address runs as a child, and everything is looked at again each minute.
 */

#include "agentd/agent_conf.h"
#include "base/loop.h"

struct identity;

/**
 * identity_new() - find out what can be found at once, and start what takes time
 * @conf:    borrowed
 * @changed: called on the loop, later, when something has become known or different
 */
int identity_new(struct identity **ret, struct loop *l, const struct agent_conf *conf,
                 void (*changed)(void *userdata), void *userdata);
struct identity *identity_free(struct identity *id);

/** identity_reconfigure() - @conf replaces the one that was borrowed; asks for all anew. */
void identity_reconfigure(struct identity *id, const struct agent_conf *conf);

/** identity_set_port() - of TCP, once it is known; 0: only locally. */
void identity_set_port(struct identity *id, uint16_t port);

/** identity_set_mesos_id() - copied. */
void identity_set_mesos_id(struct identity *id, const char *mesos_id);

/** identity_node() - borrowed until the loop turns. */
const struct diag_node *identity_node(const struct identity *id);

/** identity_tick() - each 5 s: asks again for what is missing, each minute for all. */
void identity_tick(struct identity *id);

DEFINE_CLEANUP(struct identity *, identity_free);
