#pragma once

/*
 * ZooKeeper as a source of who the masters are, and as the place where they say so: one session for
 * the aggregator, on a thread of its own, because resolving names, reading and closing may all block.
 * The loop is told what was read, whole and sealed; nothing here ever makes it wait. What was read
 * last stays while nobody answers: its age is for whoever hands it out.
 *
 * This master registers itself once, at the start (when ZooKeeper is first there), and again when its
 * entry has vanished without a tombstone: somebody wiped or restored ZooKeeper. To register deletes
 * an older tombstone: a machine that is started as a master is one. To be forgotten while it runs
 * is a person's decision about it: it stays out, across new sessions and wipes, until
 * discovery_zk_register(), or until its daemon is started anew. So who takes a living master away
 * stops diag-aggregatord there, and forgets it then.
 *
 * All of it belongs to the loop's thread.
 */

#include "aggregator/zk_picture.h"
#include "base/loop.h"

#define DISCOVERY_ZK_SESSION_USEC (20 * USEC_PER_SEC)
#define DISCOVERY_ZK_RESET_USEC   (10 * USEC_PER_MIN)
#define DISCOVERY_ZK_JOBS_MAX     64u

struct discovery_zk;

/** Copied; NULL is "". */
struct discovery_zk_conf {
        const char *hosts;      /* "127.0.0.1:2181,10.0.0.2:2181", the nearest first; "": off */
        const char *chroot;     /* "/diag" */
        const char *mesos_path; /* "/mesos"; "": not asked for */
        const char *secret;     /* "": nothing is written, unless open */
        const char *cluster_id; /* a UUID for a root that is not there yet; "": one is made up */
        const char *cluster_name;
        bool open;             /* use a root that anybody may write to */
        uint64_t session_usec; /* 0: DISCOVERY_ZK_SESSION_USEC */
        uint64_t reset_usec;   /* how long a reset is shown; 0: DISCOVERY_ZK_RESET_USEC */
        struct zk_master self; /* node_id "": nobody, who only reads; its time is not used */
};

enum discovery_zk_state {
        DISCOVERY_ZK_OFF = 0,
        DISCOVERY_ZK_CONNECTING,
        DISCOVERY_ZK_CONNECTED,   /* and its answers are used */
        DISCOVERY_ZK_EXPIRED,     /* the session ended, the next one is on its way */
        DISCOVERY_ZK_AUTH_FAILED, /* our secret is not the one of this tree */
        DISCOVERY_ZK_REFUSED,     /* open, not ours, or of a newer schema: the error says which */
        DISCOVERY_ZK_RESET,       /* connected, but wiped or restored a short while ago */
};
const char *discovery_zk_state_to_string(enum discovery_zk_state s) _const_; /* "auth-failed" */

enum discovery_zk_registration {
        DISCOVERY_ZK_REGISTRATION_NONE = 0, /* nobody to register, or no right to */
        DISCOVERY_ZK_REGISTRATION_PENDING,
        DISCOVERY_ZK_REGISTERED,
        DISCOVERY_ZK_FORGOTTEN, /* see above */
};
const char *discovery_zk_registration_to_string(enum discovery_zk_registration r) _const_;

struct discovery_zk_status {
        enum discovery_zk_state state;
        enum discovery_zk_registration registration;
        uint64_t since_wall_usec;    /* of the state */
        uint64_t answered_boot_usec; /* when ZooKeeper last confirmed what is known; 0: never */
        char error[248];             /* why not connected, refused, or not registered; "" */
};

/**
 * discovery_zk_new() - begin; nothing is waited for. Changes of its state are logged here, once.
 * @loop:    borrowed
 * @changed: called on the loop whenever the picture or the status is another (answered_boot_usec
 *           alone is no change); it may call everything here but discovery_zk_free()
 * @e:       -EINVAL: names what is wrong with @conf; else -errno
 */
int discovery_zk_new(struct discovery_zk **ret, struct loop *loop,
                     const struct discovery_zk_conf *conf, void (*changed)(void *userdata),
                     void *userdata, struct err *e);

/**
 * discovery_zk_free() - the loop does not turn any more; no callback comes from here on
 *
 * Waits for the thread, at most 2 s: one that DNS holds is left behind, and frees what is its own
 * should it ever come to its end.
 */
struct discovery_zk *discovery_zk_free(struct discovery_zk *d);

/**
 * discovery_zk_set_conf() - from now on with another configuration
 *
 * A new session begins if hosts, paths, secret or timeout are others. What was read stays until there
 * is something else; who is registered and has moved is registered anew, who is forgotten stays so.
 * -EINVAL, -ENOMEM: nothing was changed.
 */
int discovery_zk_set_conf(struct discovery_zk *d, const struct discovery_zk_conf *conf,
                          struct err *e);

/** discovery_zk_picture() - borrowed, until the next change; NULL: nothing was ever read. */
struct zk_picture *discovery_zk_picture(const struct discovery_zk *d);
struct discovery_zk_status discovery_zk_status(const struct discovery_zk *d);

/**
 * How a verb ended: 0, or -ENOTCONN (ZooKeeper is not there, or must not be used: nothing was done),
 * -EACCES, -EPERM (we may not write), -ETIMEDOUT (perhaps it was done), -EIO, -ENOMEM. @text: what to
 * tell whoever asked; "" for 0. On the loop, before that the picture that shows it.
 */
typedef void (*discovery_zk_done_fn)(int error, const char *text, void *userdata);

/*
 * Verbs. What they are given is copied. @done is called exactly once, if 0 was returned and unless
 * discovery_zk_free() comes first. Never waits for ZooKeeper to come: without it they end at once.
 * Return: 0, -EINVAL (no id of a node, or no time at which maintenance ends), -EBUSY (too many at
 * once), -ENOMEM.
 */
int discovery_zk_register(struct discovery_zk *d, discovery_zk_done_fn done, void *userdata);
int discovery_zk_forget(struct discovery_zk *d, const struct zk_tombstone *tombstone,
                        discovery_zk_done_fn done, void *userdata);
int discovery_zk_put_maintenance(struct discovery_zk *d, const struct zk_maintenance *m,
                                 discovery_zk_done_fn done, void *userdata);
int discovery_zk_delete_maintenance(struct discovery_zk *d, const char *node_id,
                                    discovery_zk_done_fn done, void *userdata);

DEFINE_CLEANUP(struct discovery_zk *, discovery_zk_free);
