#pragma once

/*
 * An atomic count of owners. It keeps an object alive; it does not protect what is inside: what
 * several threads hold is sealed, that is, nobody writes to it any more.
 */

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ref {
        atomic_uint n;
};

static inline void ref_init(struct ref *r)
{
        atomic_init(&r->n, 1);
}

static inline void ref_inc(struct ref *r)
{
        unsigned before = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);

        assert(before > 0);
        (void)before;
}

/** ref_dec() - true for the last owner, who now frees the object. */
static inline bool ref_dec(struct ref *r)
{
        return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}
