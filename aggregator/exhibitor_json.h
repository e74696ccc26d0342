#pragma once

/* What Exhibitor answers to /exhibitor/v1/cluster/status: the members of its ensemble. */

#include "aggregator/discovery.h"
#include "base/arena.h"

struct exhibitor_list {
        struct found nodes[DIAG_MASTERS_MAX];
        size_t n;
        size_t n_skipped;   /* entries that cannot be asked */
        struct err skipped; /* why, the first one */
};

/**
 * exhibitor_from_json() - [{"code": 3, "description": "serving", "hostname": "10.0.0.1", "isLeader": true}]
 * @ret:   filled on success; its strings are @arena's
 * @e:     what is wrong
 *
 * Case does not matter in keys. A member that does not serve (its code is not 3) is down, and a master.
 * Return: 0, -EBADMSG (no JSON, no list), -ENODATA (an empty list), -E2BIG (more than DIAG_MASTERS_MAX),
 * -ENOMEM.
 */
int exhibitor_from_json(struct exhibitor_list *ret, struct arena *arena, const char *text, size_t n,
                        struct err *e);
