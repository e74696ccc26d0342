#pragma once

/*
 * Figures as Prometheus reads them: its text format 0.0.4. A family is begun once and all its
 * samples follow. One odd byte costs a scrape all of its samples, so label values are escaped, and
 * what is no UTF-8 in them is replaced.
 */

#include "base/buf.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct exposition_label {
        const char *name, *value;
};

/** exposition_family() - @type: "gauge", "counter"; @help: one line without backslashes */
void exposition_family(struct buf *out, const char *name, const char *type, const char *help);

/** exposition_uint() - a sample; @labels: ends with a row without name; NULL: none */
void exposition_uint(struct buf *out, const char *name, const struct exposition_label *labels,
                     uint64_t value);

/** exposition_seconds() - the same for a time or a duration; USEC_INFINITY is +Inf */
void exposition_seconds(struct buf *out, const char *name, const struct exposition_label *labels,
                        uint64_t usec);
