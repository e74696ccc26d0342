#pragma once

/* When an observer asks again: at its interval; after a failure sooner, and then ever later, up to that. */

#include <stdbool.h>

#include "base/mono.h"

#define PACE_FIRST_USEC (5 * USEC_PER_SEC)

struct pace {
        uint64_t interval_usec;
        uint64_t failing_usec; /* the pause that comes after the next failure; 0: the first one */
};

/** pace_after() - how long to wait, now that an answer came, or none did */
static inline uint64_t pace_after(struct pace *p, bool answered)
{
        uint64_t pause = p->failing_usec ? p->failing_usec : PACE_FIRST_USEC;

        if (answered || pause >= p->interval_usec) {
                if (answered)
                        p->failing_usec = 0;
                return p->interval_usec;
        }
        p->failing_usec = 2 * pause;
        return pause;
}
