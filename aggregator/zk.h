#pragma once

/*
 * A ZooKeeper session, for one thread that may block (a helper; never the loop). libzookeeper has
 * threads and callbacks of its own; none of them gets further than this door: what they bring is
 * copied, and whoever waits is woken.
 *
 * All but zk_poke() and zk_quit(), which any thread may call, belong to the one thread. A process has
 * one session at a time, but for tests: what the library logs of two mixes in a static buffer. That it
 * cannot start its two threads is the end of the process, by an assertion of its own.
 */

#include "base/err.h"
#include "base/string_list.h"

#define ZK_DATA_MAX     (16u * 1024u)
#define ZK_CHILDREN_MAX 16384u /* names that are kept of one listing */
#define ZK_WATCHES_MAX  8u
#define ZK_NO_WATCH     (-1)
#define ZK_OPS_MAX      8u

struct zk;

struct zk_conf {
        const char *hosts;  /* "a:2181,b:2181": the first is tried first, the others in any order */
        const char *secret; /* we are "digest:diag:SECRET"; "": nobody */
        uint64_t session_usec;
};

/** zk_new() - no session yet. 0 or -ENOMEM. */
int zk_new(struct zk **ret);

/** zk_free() - ends the session, too. */
struct zk *zk_free(struct zk *z);

/** zk_open() - begin a session: resolves names, and so may block as long as DNS does. Then zk_wait(). */
int zk_open(struct zk *z, const struct zk_conf *conf, struct err *e);

/** zk_close() - end the session. Waits for the library's threads: normally milliseconds, but for DNS. */
void zk_close(struct zk *z);

/** zk_poke() - have zk_wait() return. zk_quit() - the same, and every call from now on is -ECANCELED. */
void zk_poke(struct zk *z);
void zk_quit(struct zk *z);

enum zk_session {
        ZK_SESSION_NONE = 0, /* before zk_open() */
        ZK_SESSION_CONNECTING,
        ZK_SESSION_CONNECTED,
        ZK_SESSION_EXPIRED,     /* for good: zk_close(), zk_open(), read everything again */
        ZK_SESSION_AUTH_FAILED, /* the same */
};

struct zk_news {
        enum zk_session session;
        unsigned
                n_connects; /* of this session: it differs, so the connection was lost in between */
        uint32_t fired;     /* watches, 1 << their number; each is told once */
        bool quit;
};

/** zk_wait() - until something happens that the last zk_wait() has not told, or until @mono_usec */
struct zk_news zk_wait(struct zk *z, uint64_t mono_usec);

/** zk_fired() - the watches that zk_wait() would tell now; it will not any more. Does not wait. */
uint32_t zk_fired(struct zk *z);

struct zk_stat {
        int64_t created_zxid, modified_zxid, children_zxid;
        int64_t created_wall_msec; /* by the server's clock */
        int32_t version;
        uint32_t n_children;
};

/*
 * Asking. @watch: a number below ZK_WATCHES_MAX, always the same for one path, or ZK_NO_WATCH. It
 * fires once, when what was asked for has changed; on a node that is not there, when it is made.
 *
 * Return: 0, or
 *      -ENOENT         there is no such node
 *      -E2BIG          more data than ZK_DATA_MAX
 *      -EACCES         its access list does not let us
 *      -ENOTCONN       the connection was lost, or there is none
 *      -ETIMEDOUT      no answer in time
 *      -ECANCELED      zk_quit()
 *      -ENOMEM, -EIO   anything else
 * The session's end is -ENOTCONN, too: zk_wait() tells which. A change that ended with -ENOTCONN,
 * -ETIMEDOUT or -ECANCELED may have been made all the same.
 */

/** zk_get() - @ret: free(), ends in a NUL that is not counted; @stat may be NULL, and is set with -E2BIG, too */
int zk_get(struct zk *z, const char *path, int watch, char **ret, size_t *ret_n,
           struct zk_stat *stat);

/** zk_children() - @ret: names without their path, in no order; @ret_n_left_out: beyond ZK_CHILDREN_MAX */
int zk_children(struct zk *z, const char *path, int watch, struct string_list *ret,
                size_t *ret_n_left_out, struct zk_stat *stat);

/** What zk_get_each() says of one child: @error as zk_get(); @text is borrowed, and NULL with one. */
typedef void (*zk_each_fn)(const char *name, int error, const char *text, size_t n,
                           const struct zk_stat *stat, void *userdata);

/**
 * zk_get_each() - the data of many children, in the order of @names, with many requests on the way
 *
 * Return: 0 when @fn was called for each; else it was for some, and the connection failed.
 */
int zk_get_each(struct zk *z, const char *dir, const struct string_list *names, zk_each_fn fn,
                void *userdata);

/** Who may change a node, as far as a client is told. */
enum zk_owner {
        ZK_OWNER_UNKNOWN = 0,
        ZK_OWNER_WE,       /* "diag" with our secret, and nobody else */
        ZK_OWNER_SOMEBODY, /* others, or "diag" with another secret */
        ZK_OWNER_ANYBODY,
};
int zk_owner(struct zk *z, const char *path, enum zk_owner *ret);

enum zk_op_kind { ZK_OP_NONE = 0, ZK_OP_CREATE, ZK_OP_DELETE, ZK_OP_SET };

struct zk_op {
        enum zk_op_kind kind;
        const char *path, *data;
        size_t n_data;
        int32_t version; /* of zk_stat, for all but ZK_OP_CREATE: -ESTALE when it is another now */
};

/**
 * zk_commit() - all of it or nothing; at most ZK_OPS_MAX
 *
 * What is created may be changed by "diag" with our secret and read by all; without a secret,
 * everybody may do everything. Return: as above, or -EEXIST, -ESTALE, -ENOTEMPTY.
 */
int zk_commit(struct zk *z, const struct zk_op *ops, size_t n);

DEFINE_CLEANUP(struct zk *, zk_free);
