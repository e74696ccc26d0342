#pragma once

/*
 * /etc/diag/collect.conf and its drop-ins: what a collector may do whoever asks it. It runs with root's rights for
 * a daemon without any, so that it believes only what nobody but root can write.
 */

#include "base/conf.h"
#include "base/string_list.h"
#include "bundles/plan.h"

#define COLLECT_CONF_FILE "/etc/diag/collect.conf"

struct collect_conf {
        bool allow_unredacted;
        struct string_list endpoint_config; /* more files of DC/OS's kind */
        uint64_t max_bytes, source_max_bytes, timeout_usec;
        char *command_user;
};

/** collect_conf_init() - the defaults. 0 or -ENOMEM. */
int collect_conf_init(struct collect_conf *c);
void collect_conf_done(struct collect_conf *c);

/**
 * collect_conf_load() - into @c, which was initialised
 * @root_owned: refuse what others than root may write: the file, its directory, its drop-ins (-EPERM)
 * @e:          the first error; all of them go to @on_fault, which may be NULL
 */
int collect_conf_load(struct collect_conf *c, const char *path, bool root_owned,
                      conf_error_fn on_fault, void *userdata, struct err *e);

/**
 * collect_conf_plan() - the plan of this machine: the usual files, and those that the configuration names
 * @paths: NULL: plan_system_paths
 */
int collect_conf_plan(struct plan **ret, const struct collect_conf *c,
                      const struct plan_paths *paths, struct err *e);
