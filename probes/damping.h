#pragma once

/*
 * What one answer more means for a probe's health. A single bad answer is not yet bad health; but
 * health that nobody has confirmed is never claimed. Pure.
 */

#include "model/code.h"
#include "model/health.h"
#include "model/probe.h"
#include "probes/probe.h"

struct damped {
        enum diag_health health;
        enum diag_code code;
        char text[PROBE_TEXT_MAX + 1];
        uint64_t window; /* as in struct diag_probe */
        unsigned n_window;
        unsigned n_passed, n_failed; /* in a row, up to the newest; at most DIAG_PROBE_WINDOW */
        unsigned n_unknown;          /* the same: of those that failed, those that told nothing */
};

/** damped_reset() - not run yet. */
void damped_reset(struct damped *d);

/**
 * damped_add() - one answer more
 * @fail_after: so many in a row that did not pass end "healthy", and make known what it is instead
 * @pass_after: so many in a row that passed make it healthy
 *
 * An answer that tells nothing counts as one that did not pass, but leads to unknown; and what is
 * unhealthy becomes unknown only when @fail_after such answers came in a row.
 */
void damped_add(struct damped *d, const struct probe_verdict *v, unsigned fail_after,
                unsigned pass_after);

/** damped_set_late() - there should have been an answer by now. What is in a row stays in a row. */
void damped_set_late(struct damped *d, const char *text);

/** damped_equal() - health, code and text are the same. */
bool damped_equal(const struct damped *a, const struct damped *b) _pure_;
