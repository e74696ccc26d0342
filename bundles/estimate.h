#pragma once

/* How large a collection would be, without reading anything: sizes of files, and shares of the journal's. */

#include "bundles/collect.h"

#define ESTIMATE_USEC (UINT64_C(800) * 1000) /* what is not known by then counts as its limit */

struct estimate {
        uint64_t likely_bytes, max_bytes; /* decoded */
        size_t n_sources;
};

void estimate_make(struct estimate *ret, const struct collect_choice *choice,
                   const struct collect_request *q, const struct collect_terms *t);

/** estimate_write() - {"likely_bytes","max_bytes","sources"} */
void estimate_write(struct buf *out, const struct estimate *e);
