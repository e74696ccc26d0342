#pragma once

/*
 * A file of another master, on its way to a client of ours: a child (diag-gather --relay) fetches it, and the pipe that it
 * writes to is the stream. When the client goes, the pipe closes, and the child with it.
 *
 * Belongs to the loop.
 */

#include "api/stream.h"
#include "base/err.h"
#include "base/loop.h"

#define RELAYS_MAX 8u /* at once */

struct relay_request {
        const char *url;
        uint64_t from, n;                           /* which bytes, and how many */
        const char *ca_file, *cert_file, *key_file; /* NULL: none */
};

/** relay_start() - 0; -EBUSY: RELAYS_MAX run; or -errno with @e */
int relay_start(struct stream **ret, struct loop *l, const char *program,
                const struct relay_request *q, struct err *e);
