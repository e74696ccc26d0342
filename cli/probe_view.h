#pragma once

/* The probes of a component as a person wants to read them. Pure. */

#include "cli/status_view.h"

/** probe_view_count() - "2/3 probes pass" */
void probe_view_count(struct buf *out, const struct diag_component *c);

/** probe_view_line() - one probe in one line: who, how, when, and what was wrong then. */
void probe_view_line(struct buf *out, const struct status_view *v, const struct diag_probe *p);

/** probe_view_all() - all that is known of one probe, as a part of its component. */
void probe_view_all(struct buf *out, const struct status_view *v, const struct diag_probe *p);
