#pragma once

/* [Bundles] of a daemon's configuration: how many bundles it keeps, how long, and what it leaves free. Pure. */

#include "base/err.h"
#include "bundles/store.h"

/**
 * store_limits_set() - MaxCount=, MaxBytes=, MaxAge= or FreeFloor=
 * @value: a number; a duration (systemd.time(7)) of MaxAge; of bytes with K, M, G or T behind it (1024); "": the default
 * Return: 0, or -EINVAL with @e: what is wrong with the value, or there is no such @key.
 */
int store_limits_set(struct store_limits *limits, const char *key, const char *value,
                     struct err *e);
