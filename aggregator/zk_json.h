#pragma once

/*
 * What our znodes say, as JSON, both ways. Whoever has the secret may have written it, and anybody
 * where the tree is open: strict about types and limits, lenient about members that we do not know,
 * which are kept when a znode is written anew. Pure, any thread, fuzzed.
 *
 * Decoding: @text need not end in NUL; strings are copied to @a; node_id is left to the caller.
 * Return: 0, -EBADMSG, -E2BIG (over ZK_DATA_MAX), -ENOMEM; @ret is untouched on failure. @e names the
 * member and the fault; may be NULL.
 */

#include "aggregator/zk_picture.h"
#include "base/buf.h"

int zk_root_from_json(struct zk_root *ret, const char *text, size_t n, struct err *e);
int zk_master_from_json(struct zk_master *ret, struct arena *a, const char *text, size_t n,
                        struct err *e);
int zk_tombstone_from_json(struct zk_tombstone *ret, struct arena *a, const char *text, size_t n,
                           struct err *e);
int zk_maintenance_from_json(struct zk_maintenance *ret, struct arena *a, const char *text,
                             size_t n, struct err *e);

/*
 * Encoding: @old is what is there now, NULL for nothing; its members that we do not know are kept if
 * it is an object and all fits. Failures are in out->error.
 */
void zk_root_to_json(struct buf *out, const struct zk_root *r);
void zk_master_to_json(struct buf *out, const struct zk_master *m, const char *old, size_t n_old);
void zk_tombstone_to_json(struct buf *out, const struct zk_tombstone *t);
void zk_maintenance_to_json(struct buf *out, const struct zk_maintenance *m, const char *old,
                            size_t n_old);
