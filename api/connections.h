#pragma once

/*
 * Who is connected, how many of one client's, and until when. libmicrohttpd's timeout counts
 * inactivity, so that one byte a second holds a connection for ever; here each phase of a connection
 * has an end. One thread, asleep while nobody is connected, else awake once per shortest deadline; it
 * shuts the socket down, and who owns the connection then sees its end. libmicrohttpd does not look at a
 * connection that is suspended: the same thread watches it, and says when the other side has hung up.
 */

#include <stdatomic.h>
#include <sys/queue.h>

#include "api/peer.h"

struct connections;

enum connection_phase {
        CONNECTION_PAUSED = 0, /* it is we who let the other side wait: no deadline */
        CONNECTION_HEAD,       /* new, and has not asked for anything yet */
        CONNECTION_IDLE,       /* between two requests */
        CONNECTION_REQUEST,    /* a request is sent to us, or an answer is taken from us */
        CONNECTION_FLOWING, /* an answer that may be long; libmicrohttpd sees whether it goes on: no deadline */
};

struct connections_limits {
        unsigned n_client; /* connections of one client */
        uint64_t head_usec, idle_usec, request_usec;
};

/** Embedded in whatever is connected. */
struct connection {
        LIST_ENTRY(connection) link, same_hash; /* owner: struct connections, as of all here */
        struct peer peer;
        int fd; /* borrowed: open from connections_begin() to connections_remove() */
        bool counted, begun;
        _Atomic bool has_asked;
        uint64_t watch_id; /* 0: it is not watched */
        uint64_t begun_mono_usec;
        _Atomic uint64_t deadline_mono_usec;
};

/**
 * connections_new()
 * @hung_up: of one that is watched, once: the other side has closed it, or its own half of it
 *           (shutdown(2)), or it is broken. On the thread, and never after connections_unwatch() has
 *           returned. Must not call anything of here: the lock is held.
 */
int connections_new(struct connections **ret, const struct connections_limits *limits,
                    void (*hung_up)(struct connection *c));

/** connections_free() - stop the thread. Nobody may be connected any more. */
struct connections *connections_free(struct connections *cs);

/**
 * connections_admit() - count it
 * @c:    zeroed
 * @many: the limit for one client is not for this one
 *
 * Return: false, and nothing happened: this client has enough of them. Any thread, as all here.
 */
bool connections_admit(struct connections *cs, struct connection *c, const struct peer *peer,
                       bool many);

/** connections_exempt() - it turns out that the limit for one client is not for this one, which was admitted */
void connections_exempt(struct connections *cs, struct connection *c);

/** connections_begin() - of one that was admitted: CONNECTION_HEAD begins now */
void connections_begin(struct connections *cs, struct connection *c, int fd);

/** connections_remove() - of one that was admitted, whether it has begun or not; before its fd is closed */
void connections_remove(struct connections *cs, struct connection *c);

/** connection_enter() - its time begins now */
void connection_enter(struct connections *cs, struct connection *c, enum connection_phase phase);

/**
 * connections_watch() - say when the other side hangs up; of one that has begun
 * When it cannot be watched, for want of memory, nobody is told, and it waits for its time.
 */
void connections_watch(struct connections *cs, struct connection *c);

/** connections_unwatch() - nothing happens when it is not watched. connections_remove() does it, too. */
void connections_unwatch(struct connections *cs, struct connection *c);

/** connection_has_asked() - its first CONNECTION_HEAD is over */
bool connection_has_asked(const struct connection *c);

/** connections_n_late() - how many were shut down because a phase took too long */
uint64_t connections_n_late(struct connections *cs);

/**
 * connections_expect_request() - has one sent something that nobody has read yet, or is one so new that it
 * is about to?
 * @new_usec: who has not asked for anything since it came, and came no longer ago than this, is new
 */
bool connections_expect_request(struct connections *cs, uint64_t new_usec);

/** connections_shutdown() - all of them, now, and those that begin from now on */
void connections_shutdown(struct connections *cs);

/** connections_wait_none() - true when all were removed, false when it took longer */
bool connections_wait_none(struct connections *cs, uint64_t until_mono_usec);

DEFINE_CLEANUP(struct connections *, connections_free);
