#pragma once

/* The small files of a gatherer's directory: what it is told, and what it says of itself. */

#include "bundles/gather.h"

#define GATHER_VIEW_BYTES_MAX (64u << 20) /* of cluster.json and nodes.json */

/** gather_load() - @ret_bundle: of state.json. 0, or -errno with @e naming the file */
int gather_load_bundle(struct bundle **ret, const char *directory, struct err *e);
int gather_load_order(struct gather_order *ret, const char *directory, struct err *e);

/**
 * gather_save() - state.json anew
 * @sync: on the disk before this returns: for a state that is final
 */
int gather_save(const struct bundle *b, const char *directory, bool sync, struct err *e);

/** gather_path() - "DIRECTORY/NAME". 0 or -ENAMETOOLONG */
int gather_path(char ret[static 4096], const char *directory, const char *name);
