#pragma once

/*
 * Deadlines, the earliest first: a binary heap of structs that their owners embed. Adding and removing
 * cost the logarithm of their number, whatever the order.
 */

#include "base/cleanup.h"

struct deadline {
        uint64_t mono_usec; /* unchanged while it is in a heap */
        size_t place;       /* ours: counted from 1; 0: in none */
};

/** Zeroed is empty. */
struct deadlines {
        struct deadline **heap;
        size_t n, n_room;
};

/** deadlines_add() - @d stays the caller's, who removes it before it goes. 0 or -ENOMEM. */
int deadlines_add(struct deadlines *s, struct deadline *d);

/** deadlines_remove() - nothing happens to one that is in no heap. */
void deadlines_remove(struct deadlines *s, struct deadline *d);

/** deadlines_first() - the earliest; NULL without any. */
struct deadline *deadlines_first(const struct deadlines *s);

void deadlines_done(struct deadlines *s);
