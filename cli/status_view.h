#pragma once

/* A node's report as a person wants to read it: at one glance, or one component in full. Pure. */

#include "cli/term.h"
#include "model/report.h"

struct status_view {
        const struct diag_report *report;
        uint64_t
                now_wall_usec; /* on the node's own clock, so that ages are right if it is set wrong */
        uint64_t confirmed_age_usec; /* how long ago systemd answered; 0: not said */
        const struct term *term;
};

/** status_view_overview() - the node in a few lines, then its components, worst first. */
void status_view_overview(struct buf *out, const struct status_view *v);

/** status_view_component() - all that is known of one component, its output included. */
void status_view_component(struct buf *out, const struct status_view *v,
                           const struct diag_component *c);
