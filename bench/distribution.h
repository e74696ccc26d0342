#pragma once

/* Samples, and how they are spread: what every bench prints. */

#include "base/cleanup.h"

/** Zeroed is empty. All samples are kept, in nanoseconds. */
struct distribution {
        uint64_t *samples;
        size_t n, n_room;
};

/** distribution_add() - ends the program when there is no memory for it */
void distribution_add(struct distribution *d, uint64_t nsec);

/**
 * distribution_print() - one line: min, p50, p90, p99, max in milliseconds; sorts the samples
 * @title: what was measured
 */
void distribution_print(struct distribution *d, const char *title);

/** distribution_print_histogram() - some twenty lines of bars; sorts the samples */
void distribution_print_histogram(struct distribution *d);

/** distribution_quantile() - the smallest sample that @q (0 … 1) of all are not above; sorts */
uint64_t distribution_quantile(struct distribution *d, double q);

void distribution_done(struct distribution *d);
