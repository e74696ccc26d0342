#pragma once

/*
 * Bodies of the old bundle APIs. They were read by Go's decoder, which clients rely on: keys in any case, unknown
 * ones passed over, null for "as it is", anything behind the first value ignored.
 */

#include "base/err.h"
#include "base/string_list.h"

/**
 * v1_bundle_body_read() - {"masters":bool,"agents":bool}; both are true where nothing is said, also without a body
 * Return: 0, or -EINVAL with @e.
 */
int v1_bundle_body_read(bool *ret_masters, bool *ret_agents, const char *json, size_t n,
                        struct err *e);

/**
 * v1_legacy_body_read() - {"nodes":["all","10.0.0.9"]}; empty strings are left out
 * @ret: zeroed; string_list_done(), also on failure
 * Return: 0; -EINVAL with @e ("EOF" without a body); -E2BIG: more than BUNDLE_WORDS_MAX; -ENOMEM.
 */
int v1_legacy_body_read(struct string_list *ret, const char *json, size_t n, struct err *e);
