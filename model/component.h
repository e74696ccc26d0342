#pragma once

/* A component of several parts: its unit, and what asking it has found. Pure. */

#include "model/report.h"

/**
 * diag_component_may_be_asked() - do the probes of a unit in this state mean anything?
 *
 * Not while it is legitimately down (off, skipped, armed by a socket that a probe would trigger …),
 * nor while it is still on its way up and is the reason itself: nobody answers then, which is no news.
 */
bool diag_component_may_be_asked(enum diag_code unit_code) _const_;

/**
 * diag_component_weigh() - the component is as bad as the worst of its parts
 * @c: health, code and text of its unit (a component without one: healthy, DIAG_CODE_OK), and probes
 * @a: where the text goes
 *
 * The unit's reason wins over a probe's that is as bad; of probes, the first one's. Probes that were
 * skipped do not count.
 */
void diag_component_weigh(struct diag_component *c, struct arena *a);
