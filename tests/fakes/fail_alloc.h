#pragma once

/*
 * A heap that says no, at a chosen moment. Whatever is linked with fail_alloc_wraps (tests/meson.build)
 * has its own calls of malloc() and the like counted here; those of libraries are not ours to mend and
 * go on as ever. Any thread.
 *
 * A whole daemon is told by $DIAG_FAIL_ALLOC=FIRST[,COUNT], counted from the start of the process (0: none);
 * it says at its end how many calls there were, and how many failed.
 */

#include "base/cleanup.h"

#define FAIL_ALLOC_REST UINT64_MAX

/** fail_alloc_begin() - of the allocations from now on, number @first (from 1) and @count in all fail. */
void fail_alloc_begin(uint64_t first, uint64_t count);

/** fail_alloc_end() - no more of that. Return: how many have failed. */
uint64_t fail_alloc_end(void);
