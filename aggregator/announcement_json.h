#pragma once

/*
 * What a node sends to the masters to be found: PUT /system/health/v2/announce. It proves nothing: the
 * node is asked at that address before it counts.
 */

#include "base/err.h"
#include "model/node.h"

#define ANNOUNCEMENT_INTERVAL_SECONDS 600u

struct announcement {
        char *node_id, *boot_id, *address, *hostname,
                *version; /* hostname and what follows may be "" */
        uint16_t port;
        enum diag_role role;
};

/** announcement_from_json() - 0, -EBADMSG, -ENOMEM. Pure, fuzzed. */
int announcement_from_json(struct announcement **ret, const char *text, size_t n, struct err *e);

struct announcement *announcement_free(struct announcement *a);

DEFINE_CLEANUP(struct announcement *, announcement_free);
