#pragma once

/*
 * Where our znodes are, whose they are, and what their root says:
 *
 *      CHROOT                          {"schema":1,"cluster_id","name","created"}
 *      CHROOT/masters/NODE_ID          a master says where it is; only that master writes it
 *      CHROOT/forgotten/NODE_ID        somebody forgot it on purpose; any master writes it
 *      CHROOT/maintenance/NODE_ID      for nodes that cannot hold their own flag; any master writes it
 *
 * and, outside, where the masters of Mesos say who leads. Each znode may be read by all and changed by
 * whoever has the secret: who may change a directory may delete what is in it, whatever that says.
 */

#include "aggregator/zk.h"

#define ZK_SCHEMA   1u
#define ZK_PATH_MAX 512u

enum zk_dir { ZK_DIR_MASTERS = 0, ZK_DIR_FORGOTTEN, ZK_DIR_MAINTENANCE, ZK_DIRS };

/** Numbers of watches: those of the directories, and two more. */
#define ZK_WATCH_ROOT  ((int)ZK_DIRS)
#define ZK_WATCH_MESOS ((int)ZK_DIRS + 1)

struct zk_tree {
        struct zk *zk;
        const char *chroot;     /* "/diag": absolute, no '/' at its end */
        const char *mesos_path; /* "/mesos"; "": not asked for */
        bool has_secret;
        bool open; /* a root that others may write to will do */
};

/** zk_tree_path() - @id: NULL for the directory; @buf is returned. */
char *zk_tree_path(char buf[static ZK_PATH_MAX], const struct zk_tree *t, enum zk_dir dir,
                   const char *id);

/** zk_path_is_valid() - absolute, at most 256 bytes, no empty parts, dots or odd characters; not "/". */
bool zk_path_is_valid(const char *path);

/** zk_tree_may_write() - without a secret, only where all is open. */
bool zk_tree_may_write(const struct zk_tree *t);

struct zk_root {
        uint64_t schema;            /* 0: it has no data */
        char cluster_id[37];        /* a UUID, or "" */
        char name[256 + 1];         /* of the cluster, or "" */
        uint64_t created_wall_usec; /* or 0 */
};

enum zk_root_state {
        ZK_ROOT_UNKNOWN = 0,
        ZK_ROOT_GOOD,
        ZK_ROOT_ABSENT,
        ZK_ROOT_ANYBODY,  /* everybody may write to it */
        ZK_ROOT_SOMEBODY, /* it was made with another secret */
        ZK_ROOT_STRANGE,  /* it says something, which is not ours */
        ZK_ROOT_NEWER,    /* of a schema that is not known here: neither read nor write */
};

struct zk_root_look {
        enum zk_root_state state;
        struct zk_root root;
        struct zk_stat stat; /* zeros: absent */
};

/**
 * zk_tree_look() - is there a root, and may it be used? Sets its watch.
 * @e: for all states but good and absent: why not
 * Return: 0, or as zk_get().
 */
int zk_tree_look(struct zk_tree *t, struct zk_root_look *ret, struct err *e);

/**
 * zk_tree_make() - make what is missing of the root, what is above it, and the directories
 * @root: what it will say if nobody has said anything; created_wall_usec is filled in
 *
 * Only after zk_tree_look() found a good root, or none. Several masters may do it at once.
 * Return: 0, or as zk_commit().
 */
int zk_tree_make(struct zk_tree *t, const struct zk_root *root, struct err *e);

/** zk_error_words() - why ZooKeeper did not do it, for people: @error as zk_commit(). */
const char *zk_error_words(int error);
