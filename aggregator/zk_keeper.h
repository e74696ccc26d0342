#pragma once

/*
 * What the thread of discovery_zk does all day: one session after the other, reading when something
 * changed, registering, sweeping. Blocks, and belongs to that one thread; zk_poke() and zk_quit() end
 * its waiting.
 */

#include "aggregator/discovery_zk.h"

struct zk_keeper;

/** What is known now. */
struct zk_findings {
        enum discovery_zk_state state; /* never DISCOVERY_ZK_RESET, which is a matter of time */
        enum discovery_zk_registration registration;
        uint64_t answered_boot_usec;
        uint64_t reset_boot_usec;   /* when it was last found wiped or restored; 0: never */
        struct zk_picture *picture; /* NULL: nothing was ever read */
        char error[248];
};

/** zk_keeper_new() - @zk: borrowed, without a session. Off until zk_keeper_use(). */
int zk_keeper_new(struct zk_keeper **ret, struct zk *zk);
struct zk_keeper *zk_keeper_free(struct zk_keeper *k);

/**
 * zk_keeper_use() - @conf is borrowed until the next call has returned
 *
 * Another session begins unless this one will do: who we are may change within one.
 */
void zk_keeper_use(struct zk_keeper *k, const struct discovery_zk_conf *conf);

/** zk_keeper_turn() - wait for something to do, and do it. False: zk_quit() was called. */
bool zk_keeper_turn(struct zk_keeper *k);

/** zk_keeper_findings() - borrowed until the next call. */
const struct zk_findings *zk_keeper_findings(const struct zk_keeper *k);

/*
 * The verbs of discovery_zk.h, done now. Afterwards zk_keeper_look() makes findings of them.
 * Return: 0, or as discovery_zk_done_fn has it, with @e.
 */
int zk_keeper_register(struct zk_keeper *k, struct err *e);
int zk_keeper_forget(struct zk_keeper *k, const struct zk_tombstone *t, struct err *e);
int zk_keeper_put_maintenance(struct zk_keeper *k, const struct zk_maintenance *m, struct err *e);
int zk_keeper_delete_maintenance(struct zk_keeper *k, const char *node_id, struct err *e);
void zk_keeper_look(struct zk_keeper *k);

DEFINE_CLEANUP(struct zk_keeper *, zk_keeper_free);
