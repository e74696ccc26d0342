#pragma once

/* The node daemon as a whole: owns the parts and connects them. */

#include "agentd/agent_conf.h"

struct agent;

/**
 * agent_load_fn - read the configuration again, because of SIGHUP
 * @ret: new, the agent's
 * Return: 0, or -errno when it is not fit for use; every fault has been logged.
 */
typedef int (*agent_load_fn)(struct agent_conf **ret, void *userdata);

/**
 * agent_new() - everything but listening. Signals must be blocked.
 * @taken: the configuration, the agent's now, also on failure
 */
int agent_new(struct agent **ret, struct agent_conf *taken, agent_load_fn load, void *userdata,
              struct err *e);
struct agent *agent_free(struct agent *a);

/** agent_listen() - open the configured listeners, or the default ones. */
int agent_listen(struct agent *a, struct err *e);

/** agent_run() - until SIGTERM or SIGINT. Return: 0 or -errno. */
int agent_run(struct agent *a);

/** agent_look_once() - look at everything once and write the full report (API v2) to @out. */
int agent_look_once(struct agent *a, struct buf *out, struct err *e);

DEFINE_CLEANUP(struct agent *, agent_free);
