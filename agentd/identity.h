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
 * @port:    under which the node can be asked over TCP; 0: only locally
 * @changed: called on the loop, later, when something has become known or different
 */
int identity_new(struct identity **ret, struct loop *l, const struct agent_conf *conf,
                 uint16_t port, void (*changed)(void *userdata), void *userdata);
struct identity *identity_free(struct identity *id);

/** identity_node() - borrowed until the loop turns. */
const struct diag_node *identity_node(const struct identity *id);

/** identity_tick() - each 5 s: asks again for what is missing, each minute for all. */
void identity_tick(struct identity *id);

DEFINE_CLEANUP(struct identity *, identity_free);
