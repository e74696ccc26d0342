#pragma once

/* The probes of a component as a person wants to read them. Pure. */

#include "cli/term.h"
#include "model/report.h"

/** For whom, and when. */
struct probe_view {
        const struct term *term;
        uint64_t now_wall_usec; /* on the node's own clock */
};

/** probe_view_count() - "2/3 probes pass" */
void probe_view_count(struct buf *out, const struct diag_component *c);

/** probe_view_line() - one probe in one line: who, how, when, and what was wrong then. */
void probe_view_line(struct buf *out, const struct probe_view *v, const struct diag_probe *p);

/** probe_view_all() - all that is known of one probe, as a part of its component. */
void probe_view_all(struct buf *out, const struct probe_view *v, const struct diag_probe *p);
