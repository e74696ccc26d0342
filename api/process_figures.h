#pragma once

/* Figures of the daemon's own process, under the names that every Prometheus client uses. */

#include "base/buf.h"

/** process_figures_write() - memory, time, descriptors; what cannot be read is left out. Any thread. */
void process_figures_write(struct buf *out);
