#pragma once

/*
 * What the service that we replace calls a bundle, added to one of ours: a zip, entry by entry, below the node's directory.
 * That service masks nothing, so it is done here, with the salt of the bundle: too late for the wire, and early enough
 * for whoever gets the bundle. Blocking.
 */

#include <stdatomic.h>

#include "bundles/archive.h"
#include "bundles/node_status.h"

struct gather_zip {
        struct archive *into;
        const char *prefix;
        const uint8_t *salt; /* REDACT_SALT_BYTES; NULL: mask nothing */
        uint64_t max_bytes, max_entries, deadline_mono_usec;
        const atomic_bool *canceled;

        /* What came of it. */
        struct node_status status; /* node_status_done() it */
        char fault[224];           /* why it is not all; "" */
        uint64_t n_entries;
};

/** gather_zip_add() - 0, also when the zip is faulty; or -errno of the archive, of memory, -ECANCELED, with @e */
int gather_zip_add(struct gather_zip *z, int fd, struct err *e);
