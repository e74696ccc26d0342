#pragma once

/*
 * Which nodes a bundle is of: the words of a request, looked up in what is published. They are chosen when the bundle is
 * asked for, so that its state lists them from the first moment on; and looked up again when they are asked.
 */

#include "aggregator/self.h"
#include "bundles/bundle.h"
#include "bundles/gather.h"
#include "model/snapshot.h"

/* Of a cluster with more nodes, who says nothing gets all masters, all nodes that are not healthy, and so many agents
 * that are, to compare them with. */
#define BUNDLE_NODES_ALL_UP_TO 50u
#define BUNDLE_NODES_HEALTHY   3u

/**
 * bundle_nodes_choose() - @b->nodes, from @b->request, sorted by address
 *
 * Masters that were replaced are only in it by name.
 * Return: 0; -ENOENT with @e naming the word that is no node; -EINVAL (a name of several); -E2BIG; -ENOMEM.
 */
int bundle_nodes_choose(struct bundle *b, const struct diag_snapshot *s, struct err *e);

/** How nodes are asked. What is pointed to is borrowed. */
struct bundle_where {
        const struct self *self;          /* this machine's node, which is asked over … */
        const char *agent_socket;         /* … its socket, where it takes our word for who asks */
        bool tls;                         /* https, but to loopback addresses */
        uint16_t port_master, port_agent; /* of nodes whose port nobody says; 0: the usual ones */
};

/** bundle_nodes_locate() - where it is asked, as far as is known now. 0 or -ENOMEM; gather_order_done() frees. */
int bundle_nodes_locate(struct gather_node *ret, const struct bundle_node *n,
                        const struct diag_snapshot *s, const struct bundle_where *where);
