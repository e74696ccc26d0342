#pragma once

/*
 * Names of units, by systemd's rules (systemd.unit(5)): "prefix.type", "prefix@instance.type" and
 * the template "prefix@.type". We check them ourselves because one bad name costs the whole reply
 * of a ListUnitsByNames call.
 */

#include "base/cleanup.h"

#define UNIT_NAME_MAX 255u

enum unit_name_kind {
        UNIT_NAME_INVALID = 0,
        UNIT_NAME_PLAIN,
        UNIT_NAME_INSTANCE,
        UNIT_NAME_TEMPLATE, /* never loaded, never asked for */
};
enum unit_name_kind unit_name_kind(const char *name) _pure_;

/** unit_name_is_unit() - something that systemd can have a state for. */
bool unit_name_is_unit(const char *name) _pure_;

/** unit_name_has_type() - unit_name_has_type("a.timer", "timer"). */
bool unit_name_has_type(const char *name, const char *type) _pure_;

/** unit_name_is_glob() - a pattern rather than a name: has '*', '?' or '['. */
bool unit_name_is_glob(const char *name) _pure_;
