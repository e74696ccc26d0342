#pragma once

/*
 * The end of a bundle: what stands at its root, its hash, its name. Blocking: the worker's thread, while nobody else
 * touches the bundle.
 */

#include "bundles/gather_join.h"
#include "bundles/manifest.h"

/**
 * gather_close() - size_bytes, sha256 and file of @b are set
 * @nodes: in the order of @b->nodes
 * Return: 0, or -errno with @e: then there is no archive.
 */
int gather_close(struct bundle *b, struct joiner *j, const char *directory,
                 const struct manifest_node *nodes, size_t n, struct err *e);
