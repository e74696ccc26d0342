#pragma once

/* Figures of the fan-out for /metrics: noted by the loop, written by whoever is asked. */

#include "aggregator/poller.h"
#include "base/buf.h"

struct figures;

int figures_new(struct figures **ret);
struct figures *figures_free(struct figures *f);

/** figures_note() - as they are now. Loop only. */
void figures_note(struct figures *f, const struct poller *p);

/** figures_write() - @figures: a struct figures. Any thread. Failures are in out->error. */
void figures_write(void *figures, struct buf *out);

DEFINE_CLEANUP(struct figures *, figures_free);
