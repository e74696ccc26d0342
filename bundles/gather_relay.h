#pragma once

/*
 * diag-gather --relay: a part of a file from another master, to standard output, as it comes. A process of its own, so
 * that a daemon neither blocks nor buffers: whoever reads slowly slows the other master down, through us.
 */

#include "base/err.h"

struct relay_order {
        const char *url;
        uint64_t from,
                n_bytes; /* which bytes, and how many: exactly so many are written, or it failed */
        const char *ca_file, *cert_file, *key_file; /* NULL: none */
};

/** gather_relay() - 0, or -errno with @e */
int gather_relay(const struct relay_order *order, struct err *e);
