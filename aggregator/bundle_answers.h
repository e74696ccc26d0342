#pragma once

/* What other masters, and nodes, answer where bundles are concerned, but for bundles themselves. Hostile, fuzzed. Pure. */

#include "base/cleanup.h"

#define BUNDLE_ANSWER_WORDS 200u

/** What API v2 says with an error: {"code","error","reason"}. "" where it says nothing usable. */
struct bundle_refusal {
        char reason[48]; /* a-z, '-' */
        char text[BUNDLE_ANSWER_WORDS];
};
void bundle_refusal_read(struct bundle_refusal *ret, const char *json, size_t n);

/** bundle_estimate_read() - {"likely_bytes","max_bytes"} of a node. 0 or -EBADMSG */
int bundle_estimate_read(uint64_t *ret_likely, uint64_t *ret_max, const char *json, size_t n);
