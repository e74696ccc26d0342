#pragma once

/* Figures of bundles for /metrics: noted by the loop, written by whoever is asked. */

#include "bundles/store.h"

struct bundle_figures;

int bundle_figures_new(struct bundle_figures **ret);
struct bundle_figures *bundle_figures_free(struct bundle_figures *f);

/** bundle_figures_note() - as they are now. Loop only. */
void bundle_figures_note(struct bundle_figures *f, const struct store *s);

/** bundle_figures_write() - any thread. Failures are in out->error. */
void bundle_figures_write(struct bundle_figures *f, struct buf *out);

DEFINE_CLEANUP(struct bundle_figures *, bundle_figures_free);
