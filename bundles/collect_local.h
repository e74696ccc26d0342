#pragma once

/*
 * A bundle of this node by whoever is logged in: no daemon, no network, no cluster. As root it holds what a
 * bundle of the cluster would hold of the node; as somebody else, what he may read.
 */

#include "bundles/collect.h"

enum collect_exit {
        COLLECT_EXIT_WHOLE = 0,
        COLLECT_EXIT_FAILED = 1,
        COLLECT_EXIT_WRONG_CALL = 2,
        COLLECT_EXIT_PARTIAL = 4,
};

struct collect_local {
        struct collect_request request; /* without role, prefix and units */
        const char *output;             /* NULL: a name of its own, in the working directory */
        const char *role, *address;     /* NULL: what the node's health says */
        bool json, quiet, verbose;
};

/** collect_local_run() - Return: an exit status; what is to be said has been said. */
int collect_local_run(struct collect_local *l, struct collect_terms *t);

/** collect_local_say() - LIST or ESTIMATE of this node, on stdout. */
int collect_local_say(struct collect_local *l, struct collect_terms *t);
