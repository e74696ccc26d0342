#pragma once

/*
 * What ZooKeeper says of this cluster, at one moment. Sealed, counted, any thread; all that it points
 * at goes with it.
 *
 * Ids are names of znodes: 32 hex digits of ours, or "addr:ADDRESS" of a node that has no id. Of each
 * kind there is at most one entry for an id, in the order of ids. A node in both masters and forgotten
 * was forgotten.
 */

#include "aggregator/zk_tree.h"
#include "base/arena.h"
#include "base/ref.h"

#define ZK_MASTERS_MAX     64u
#define ZK_FORGOTTEN_MAX   4096u
#define ZK_MAINTENANCE_MAX 4096u
#define ZK_MESOS_MAX       64u
#define ZK_NOTES_MAX       8u
#define ZK_ID_MAX          64u  /* bytes of an id */
#define ZK_TEXT_MAX        256u /* bytes of hostname, by, reason, name */

/** Strings are "" and times 0 where nothing is known, except as said. */
struct zk_master {
        const char *node_id; /* 32 hex digits */
        const char *address; /* an IP literal: always there */
        const char *hostname, *boot_id;
        uint64_t registered_wall_usec;
        uint16_t port; /* 0: not known */
};

struct zk_tombstone {
        const char *node_id, *address, *by, *reason;
        uint64_t at_wall_usec;
        uint64_t created_wall_usec; /* by ZooKeeper's clock */
        int32_t version;
};

struct zk_maintenance {
        const char *node_id, *by, *reason;
        uint64_t since_wall_usec;
        uint64_t until_wall_usec; /* always there */
};

/** A master of Mesos; the one with the lowest sequence leads. */
struct zk_mesos_master {
        const char *address; /* an IP literal: always there */
        const char *hostname, *id, *version;
        uint64_t sequence;
        uint16_t port; /* 0: not known */
};

struct zk_picture {
        struct ref ref;
        struct arena arena;
        struct zk_root root;
        struct zk_master *masters;
        struct zk_tombstone *forgotten;
        struct zk_maintenance *maintenance;
        struct zk_mesos_master *mesos; /* the first to come first */
        size_t n_masters, n_forgotten, n_maintenance, n_mesos;
        size_t n_masters_unread; /* masters of which no more than that is known: there are more than n_masters */
        size_t n_mesos_unread; /* in the old format, or not fit to be read */
        bool mesos_leads;      /* mesos[0] is the leader; else nobody, or one that was not read */
        const char *notes[ZK_NOTES_MAX]; /* what was skipped, and why: a sentence each */
        size_t n_notes, n_notes_left_out;
        struct zk_stat root_stat, dirs[ZK_DIRS]; /* zeros where there is none; not compared */
};

/**
 * zk_picture_read() - ask for all of it
 * @ret:  new reference
 * @tree: with its root, which was looked at just before
 *
 * Blocks; sets a watch on all that it reads. An entry that is no good is skipped and noted. When a
 * watch fires meanwhile, the picture may show two moments: read again.
 * Return: 0, -ENOMEM, or of the connection, as zk_get().
 */
int zk_picture_read(struct zk_picture **ret, struct zk_tree *tree, const struct zk_root_look *root,
                    struct err *e);

struct zk_picture *zk_picture_ref(struct zk_picture *p);
struct zk_picture *zk_picture_unref(struct zk_picture *p);

/** zk_picture_equal() - either may be NULL. */
bool zk_picture_equal(const struct zk_picture *a, const struct zk_picture *b) _pure_;

/** zk_picture_notes_equal() - no picture has no notes. */
bool zk_picture_notes_equal(const struct zk_picture *a, const struct zk_picture *b) _pure_;

const struct zk_master *zk_picture_master(const struct zk_picture *p, const char *node_id);
const struct zk_tombstone *zk_picture_tombstone(const struct zk_picture *p, const char *node_id);

/** zk_node_id_is_valid() - @any: "addr:…", too. */
bool zk_node_id_is_valid(const char *id, bool any);

/** zk_text_is_valid() - at most ZK_TEXT_MAX bytes of UTF-8 that no terminal obeys */
bool zk_text_is_valid(const char *s, size_t n);

DEFINE_CLEANUP(struct zk_picture *, zk_picture_unref);
