#pragma once

/*
 * This node tells the masters that it exists: PUT /system/health/v2/announce, to those that are configured,
 * and to those that they name. It proves nothing to them, and they ask back. A master does not announce
 * itself: who decides is declared. On the loop only.
 */

#include "agentd/announced_json.h"
#include "agentd/outside.h"
#include "model/node.h"
#include "net/fetch.h"

#define ANNOUNCE_MASTERS_MAX ANNOUNCED_MASTERS_MAX /* in all */

struct announce;

/** announce_new() - @seed: spreads the nodes of a cluster over time. 0 or -ENOMEM. */
int announce_new(struct announce **ret, struct loop *l, uint64_t seed);
struct announce *announce_free(struct announce *a);

/**
 * announce_set_masters() - those that are configured; without any, nobody is told anything
 * @tls: https, but to this machine itself, with these credentials; NULL: in plain text
 *
 * New ones are told at once. What it asks with is its own: whom we trust to be a master is not whom a probe
 * or Mesos is asked by. Return: 0, -EINVAL (credentials of no use: nobody is told), -ENOMEM or -errno.
 */
int announce_set_masters(struct announce *a, const struct master_address *masters, size_t n,
                         const struct fetch_tls *tls, struct err *e);

/**
 * announce_set_node() - what is told; something else than before is told at once
 * @node:     borrowed for the call
 * @instance: of the daemon, as in its reports
 * @outside:  where it can be asked; NULL, or without an address: nobody is told anything
 *
 * Return: 0 or -ENOMEM: as before, then.
 */
int announce_set_node(struct announce *a, const struct diag_node *node, uint64_t instance,
                      const struct outside *outside);

/** announce_tick() - each 5 s: tells those whose time has come. */
void announce_tick(struct announce *a);

DEFINE_CLEANUP(struct announce *, announce_free);
