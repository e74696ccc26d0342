#pragma once

/*
 * This machine without its daemon: `diag-agentd --once` looks at systemd, prints what it found, ends; and so do other
 * programs of ours.
 */

#include <limits.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * local_find_program() - the one of our own version, if it is there
 * @places:    seen from the directory of our own executable; the first that can be executed counts
 * @otherwise: what it is else
 */
void local_find_program(char path[static PATH_MAX], const char *const places[], size_t n_places,
                        const char *otherwise);

/**
 * local_run() - run a program of ours, and take what it prints
 * @argv:    argv[0] is its path, or a name that is looked up in $PATH; ends with NULL
 * @output:  what it printed is appended; its max is respected
 * @timeout: for all of it; then it is killed
 * @e:       says what was run and how it failed; may be NULL
 *
 * Its stderr is ours.
 * Return: 0, -ENOENT (no such program), -ETIMEDOUT, -E2BIG, -ECHILD (it failed) or what failed here.
 */
int local_run(const char *const argv[], struct buf *output, uint64_t timeout_usec, struct err *e);

/**
 * local_look() - run diag-agentd --once: the one beside our own (../sbin, or the same directory), else the one in $PATH
 *
 * As local_run().
 */
int local_look(struct buf *json, uint64_t timeout_usec, struct err *e);
