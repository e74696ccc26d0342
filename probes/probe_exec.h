#pragma once

/* Kind=exec: what does a command say? Its exit status is that of a Nagios plugin. */

#include "base/child.h"
#include "base/string_list.h"
#include "probes/probe.h"

#define EXEC_WORDS_MAX 64u

extern const struct probe_ops probe_exec;

/**
 * exec_split() - a command line as in systemd's ExecStart=, without its variables and prefixes
 *
 * Words stand apart by blanks; "…" and '…' keep blanks, also within a word; \\ \" \' \n \t \s are escapes,
 * in quotes and outside. No shell. The first word must be an absolute path.
 * Return: 0, -EINVAL with @e, -E2BIG (more than EXEC_WORDS_MAX), -ENOMEM; then @ret is empty.
 */
int exec_split(const char *command, struct string_list *ret, struct err *e);

/**
 * exec_judge() - what the end of a command means
 * @path: its first word
 *
 * 0 is healthy. 1 (warning) and 2 (critical) are unhealthy: a plain script that fails exits with 1. 3, any
 * other status, a signal, and a command that cannot be run tell nothing of the component. Pure.
 */
void exec_judge(const struct child_result *r, const char *path, uint64_t timeout_usec,
                struct probe_verdict *ret);
