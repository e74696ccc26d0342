#pragma once

/*
 * What a collection was: the last entry of a node's fragment, "PREFIX/status.json", and from there a part of the
 * manifest of the bundle. Written by the collector, read (as hostile) by who joins fragments.
 *
 *   {"prefix","hostname","version","role","started","finished","since","until","redacted","partial","partial_reason",
 *    "entries":[{"path","kind","source","size","sha256","duration_seconds","redactions","truncated","optional","error"}]}
 */

#include "base/buf.h"
#include "base/err.h"
#include "bundles/archive.h"
#include "bundles/source.h"

#define NODE_STATUS_NAME        "status.json"
#define NODE_STATUS_BYTES_MAX   (4u << 20)
#define NODE_STATUS_ENTRIES_MAX 20000u

struct node_status_entry {
        char *path; /* below the prefix */
        enum source_kind kind;
        char *source; /* id */
        uint64_t size;
        char sha256[DIGEST_HEX];
        uint64_t took_usec;
        uint64_t n_redactions;
        bool truncated, optional;
        char *error; /* NULL: none. Of an optional source the entry holds it, too */
};

struct node_status {
        char *prefix, *hostname, *version; /* of diag, there */
        enum diag_role role;
        uint64_t started_wall_usec, finished_wall_usec, since_wall_usec, until_wall_usec;
        bool redacted, partial; /* partial: it was cut short, by its time, its size, or who asked */
        char *partial_reason;   /* one line; NULL */
        struct node_status_entry *entries;
        size_t n_entries, n_alloc;
};

void node_status_done(struct node_status *s);

/** node_status_add() - an entry, zeroed, to fill in; NULL: out of memory, or too many */
struct node_status_entry *node_status_add(struct node_status *s);

void node_status_write(struct buf *out, const struct node_status *s);

/**
 * node_status_read() - strict about what it knows, and skips keys that it does not: the node may be newer
 * Paths are clean (plan_name.h), texts harmless. 0, or -EINVAL, -E2BIG, -ENOMEM with @e; @ret untouched
 */
int node_status_read(struct node_status *ret, const char *json, size_t n, struct err *e);

/** node_status_n_failed() - failed: of required sources, or of all */
size_t node_status_n_failed(const struct node_status *s, bool required_only);
uint64_t node_status_n_redactions(const struct node_status *s);
