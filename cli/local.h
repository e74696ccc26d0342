#pragma once

/* This machine without its daemon: `diag-agentd --once` looks at systemd, prints what it found, ends. */

#include "base/buf.h"
#include "base/err.h"

/**
 * local_look() - run diag-agentd --once
 * @json:    what it printed is appended; its max is respected
 * @timeout: for all of it; then it is killed
 * @e:       says what was run and how it failed; may be NULL
 *
 * The program is the one beside our own (../sbin, or the same directory), else the one in $PATH. Its
 * stderr is ours.
 * Return: 0, -ENOENT (no such program), -ETIMEDOUT, -E2BIG, -ECHILD (it failed) or what failed here.
 */
int local_look(struct buf *json, uint64_t timeout_usec, struct err *e);
