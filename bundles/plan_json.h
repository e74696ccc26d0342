#pragma once

/* What one file of the plan says. */

#include "base/buf.h"
#include "base/err.h"
#include "bundles/plan.h"

struct plan_entry {
        struct source source;
        bool has_kind, has_user, has_timeout, has_max_bytes; /* said, not the default */
};

struct plan_text {
        struct plan_entry *entries;
        size_t n;
        char *requires; /* a path; NULL: nothing */
};

/**
 * plan_text_read() - decode a file
 * @file:     how it is called in errors and warnings
 * @foreign:  DC/OS's own: what we do not know, and what its own reader skips, is a warning
 * @warnings: a line each
 *
 * Return: 0, or -EINVAL, -E2BIG, -ENOMEM with @e naming file and entry.
 */
int plan_text_read(struct plan_text *ret, const char *file, const char *text, size_t n,
                   bool foreign, struct buf *warnings, struct err *e);
void plan_text_done(struct plan_text *t);
