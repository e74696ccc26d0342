#pragma once

/*
 * What is known of nodes, on our own disk: so that after a restart, with no source at hand, a master that
 * is down is missing, and not forgotten. Written whole, and at most every MEMORY_APART_USEC. Loop only.
 */

#include "aggregator/roster.h"
#include "base/loop.h"

#define MEMORY_APART_USEC (UINT64_C(10) * 1000000)
#define MEMORY_BYTES_MAX  (16u * 1024u * 1024u)

struct memory;

/** memory_new() - @path: NULL: nothing is kept. @roster: gets what the file has. Never fails for the file. */
int memory_new(struct memory **ret, struct loop *l, const char *path, struct roster *roster);

/** memory_free() - saves what is not saved yet */
struct memory *memory_free(struct memory *m);

/** memory_touch() - something worth keeping may have changed */
void memory_touch(struct memory *m);

/** memory_from_json() - for memory_new(), and a fuzzer: each node it holds. 0, -EBADMSG, -E2BIG, -ENOMEM. */
int memory_from_json(const char *text, size_t n, void (*fn)(const struct found *f, void *userdata),
                     void *userdata, struct err *e);

DEFINE_CLEANUP(struct memory *, memory_free);
