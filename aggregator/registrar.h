#pragma once

/*
 * What a master writes to ZooKeeper. Each verb reads what is there, changes all that it must in one
 * commit by version, and begins anew when somebody else was faster: so it may be repeated after a
 * failure whose outcome nobody knows, and a node is in masters or in forgotten, never in both.
 *
 * For the thread that has the session: they block. Each returns 0, or as zk_commit(); @e says what was
 * being done.
 */

#include "aggregator/zk_picture.h"

/** How long a tombstone is kept. Until then every master that may remember the node has seen it. */
#define REGISTRAR_TOMBSTONE_USEC (30 * 24 * 60 * USEC_PER_MIN)

/**
 * registrar_register() - @m is a master, and not forgotten
 *
 * Written only if something is different; when it was first registered stays, as do members that we
 * do not know. A change is made by deleting and creating, because others watch which masters there
 * are, and would not see one that is set.
 */
int registrar_register(struct zk_tree *t, const struct zk_master *m, struct err *e);

/** registrar_forget() - 0, too, when it is forgotten already: what was said first stays. */
int registrar_forget(struct zk_tree *t, const struct zk_tombstone *tombstone, struct err *e);

/** registrar_put_maintenance() - replaces what was there. registrar_delete_maintenance() - 0 without one. */
int registrar_put_maintenance(struct zk_tree *t, const struct zk_maintenance *m, struct err *e);
int registrar_delete_maintenance(struct zk_tree *t, const char *node_id, struct err *e);

/**
 * registrar_sweep() - delete tombstones older than REGISTRAR_TOMBSTONE_USEC, by our clock, if that is
 * both what they say and what ZooKeeper says
 * @p: what is there
 */
int registrar_sweep(struct zk_tree *t, const struct zk_picture *p, uint64_t now_wall_usec,
                    struct err *e);
