#pragma once

/* The node daemon as a whole: owns the parts and connects them. */

#include "agentd/agent_conf.h"

struct agent;

/** agent_new() - everything but listening. Signals must be blocked. @conf is borrowed. */
int agent_new(struct agent **ret, const struct agent_conf *conf, struct err *e);
struct agent *agent_free(struct agent *a);

/** agent_listen() - open the configured listeners, or the default ones. */
int agent_listen(struct agent *a, struct err *e);

/** agent_run() - until SIGTERM or SIGINT. Return: 0 or -errno. */
int agent_run(struct agent *a);

/** agent_look_once() - look at everything once and write the full report (API v2) to @out. */
int agent_look_once(struct agent *a, struct buf *out, struct err *e);

DEFINE_CLEANUP(struct agent *, agent_free);
