#pragma once

/*
 * A bundle of the cluster is made by a process of its own, diag-gather DIRECTORY, one for each: it asks up to
 * GATHER_AT_ONCE nodes at a time for their fragments, spools each beside the archive, walks it by the grammar, and
 * joins it. What is hostile is decoded there, and not in the daemon; its memory and its CPU go with it; cancelling it
 * is killing it. It dies with the daemon.
 *
 * In DIRECTORY: state.json, a bundle (bundles/bundle.h), which it rewrites at most twice a second while it runs, and a
 * last time, final, at its end; gather.json, from the daemon, and cluster.json and nodes.json, the view at that moment
 * (copied into the bundle as "health.json" and "nodes.json"); file.part, the archive, renamed to file.FORMAT when it is
 * whole. Fragments in flight are files in there without a name, so that nothing is left of them whatever happens. Its exit
 * status is 0 when state.json is final.
 */

#include "base/buf.h"
#include "base/err.h"
#include "bundles/bundle.h"

#define GATHER_AT_ONCE      16u
#define GATHER_BUNDLE_BYTES (UINT64_C(4) << 30)   /* of the archive */
#define GATHER_NODE_BYTES   (UINT64_C(512) << 20) /* decoded */
#define GATHER_NODE_ENTRIES 20000u
#define GATHER_USEC         (UINT64_C(7200) * 1000000)
#define GATHER_NODE_USEC    (UINT64_C(1900) * 1000000)
#define GATHER_STALL_USEC   (UINT64_C(90) * 1000000) /* without a byte */

struct gather_node {
        char *url;     /* "https://10.0.0.9:1050", no slash at its end */
        char *address; /* as it was discovered */
        char *node_id; /* NULL: not known */
        char *socket;  /* of this machine's own node daemon, which believes us; NULL: over TCP */
        enum diag_role role;
        bool v1; /* the service that we replace: PUT, wait, GET, DELETE of a local bundle, a zip */
        bool unreachable; /* as far as we know: asked all the same, with a short deadline */
};

#define GATHER_ORDER_BYTES_MAX (16u << 20)
#define GATHER_AT_ONCE_MAX     64u

/** gather.json. Written by the daemon, 0600. */
struct gather_order {
        struct gather_node *nodes;
        size_t n_nodes;
        char *ca_file, *cert_file, *key_file; /* of https; NULL: none */
        unsigned at_once;                     /* 0: GATHER_AT_ONCE */
        uint64_t bundle_max_bytes, node_max_bytes, free_floor,
                timeout_usec; /* 0: the constants above; no floor */
};

void gather_order_done(struct gather_order *o);

/** gather_order_complete() - what nobody said is as the constants say */
void gather_order_complete(struct gather_order *o);
void gather_order_write(struct buf *out, const struct gather_order *o);

/** gather_order_read() - strict: of an unknown key, too, @e names it. 0, -EINVAL, -E2BIG, -ENOMEM */
int gather_order_read(struct gather_order *ret, const char *json, size_t n, struct err *e);

/** gather_run() - all of it. Return: the exit status. */
int gather_run(const char *directory);
