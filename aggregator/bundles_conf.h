#pragma once

/* [Bundles] of diag-aggregatord.conf(5). */

#include "base/conf.h"
#include "bundles/gather.h"
#include "bundles/store.h"

struct bundles_conf { /* 0: the default */
        struct store_limits store;
        unsigned at_once;
        uint64_t bundle_max_bytes, node_max_bytes, timeout_usec;
};

/** bundles_conf_set() - @c: what one of the rows below sets */
int bundles_conf_set(struct bundles_conf *c, const struct conf_value *v, struct err *e);

/* clang-format off */
#define BUNDLES_CONF_KEYS(set)                       \
        {"Bundles", "MaxCount",       false, set},   \
        {"Bundles", "MaxBytes",       false, set},   \
        {"Bundles", "MaxAge",         false, set},   \
        {"Bundles", "FreeFloor",      false, set},   \
        {"Bundles", "AtOnce",         false, set},   \
        {"Bundles", "BundleMaxBytes", false, set},   \
        {"Bundles", "NodeMaxBytes",   false, set},   \
        {"Bundles", "Timeout",        false, set}
/* clang-format on */
