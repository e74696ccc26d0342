#pragma once

/*
 * What came of a node's fragment, by what we saw of it, so that the manifest says that and not what the node says.
 * A MiB for each thousand of entries at most. The worker's thread.
 */

#include "bundles/fragment.h"
#include "bundles/node_status.h"

struct arrival;

struct arrivals {
        struct arrival *all;
        size_t n, n_alloc;
};

void arrivals_done(struct arrivals *a);

/** arrivals_add() - @entry is complete; 0 or -ENOMEM */
int arrivals_add(struct arrivals *a, const struct fragment_entry *entry);

/**
 * arrivals_correct() - make @s true: sizes and digests as they came, an error where nothing came of what is said to be
 * there, an entry without a source for what it does not name. Sorts @a.
 *
 * Return: how many entries were not as @s said.
 */
size_t arrivals_correct(struct arrivals *a, struct node_status *s);
