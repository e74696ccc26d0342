#pragma once

/* "Did you mean …?": the names nearest to one that does not exist. */

#include "base/buf.h"

#define SUGGEST_MAX 3u

struct suggestion {
        const char *wanted; /* what was typed; borrowed, like the names */
        struct {
                const char *name;
                unsigned distance;
        } best[SUGGEST_MAX]; /* nearest first */
        size_t n;
};

/** suggestion_offer() - take @name into account. Begin with (struct suggestion) { .wanted = … }. */
void suggestion_offer(struct suggestion *s, const char *name);

/** suggestion_append() - "; did you mean a, b or c?", cleaned; nothing when nothing is near. */
void suggestion_append(const struct suggestion *s, struct buf *out);
