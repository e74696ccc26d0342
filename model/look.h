#pragma once

/*
 * A snapshot as one reader may see it at one moment. The snapshot says what was found; whether that
 * still holds, how old it is, and how much of it this reader may have, does not stand in it.
 */

#include "model/snapshot.h"

struct diag_look {
        const struct diag_snapshot *snapshot;
        const char *stale; /* why nothing in it holds any more, one sentence; NULL: it holds */
        uint64_t now_boot_usec;
        uint64_t age_usec; /* since somebody last vouched for it */
        bool outputs;      /* the reader may have what components printed */
};
