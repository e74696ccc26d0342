#pragma once

/*
 * Memory with one owner and one end: everything that belongs to a sealed object is bump-allocated
 * from its arena and goes with it. There is no free() for a part.
 */

#include "base/cleanup.h"

struct arena_chunk;

struct arena {
        struct arena_chunk *chunks; /* newest first */
        size_t n_bytes;             /* handed out, for figures */
        bool failed;                /* an allocation failed: what was built is not whole */
};

void arena_done(struct arena *a);

/** arena_alloc() - zeroed, aligned for anything; NULL when out of memory, and a->failed stays set. */
void *arena_alloc(struct arena *a, size_t n_bytes);

/** arena_strndup() - never NULL: "" for NULL, for "", and when out of memory (see a->failed). */
const char *arena_strndup(struct arena *a, const char *s, size_t n_max);
const char *arena_strdup(struct arena *a, const char *s);
const char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
