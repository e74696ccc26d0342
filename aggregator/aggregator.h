#pragma once

/* The master's daemon as a whole: owns the parts and connects them. */

#include "aggregator/aggregator_conf.h"

struct aggregator;

/**
 * aggregator_load_fn - read the configuration again, because of SIGHUP
 * @ret: new, the aggregator's
 * Return: 0, or -errno when it is not fit for use; every fault has been logged.
 */
typedef int (*aggregator_load_fn)(struct aggregator_conf **ret, void *userdata);

/**
 * aggregator_new() - everything but listening. Signals must be blocked.
 * @taken: the configuration, the aggregator's now, also on failure
 */
int aggregator_new(struct aggregator **ret, struct aggregator_conf *taken, aggregator_load_fn load,
                   void *userdata, struct err *e);
struct aggregator *aggregator_free(struct aggregator *a);

/** aggregator_listen() - open the configured listeners, or the default ones. */
int aggregator_listen(struct aggregator *a, struct err *e);

/** aggregator_run() - until SIGTERM or SIGINT. Return: 0 or -errno. */
int aggregator_run(struct aggregator *a);

DEFINE_CLEANUP(struct aggregator *, aggregator_free);
