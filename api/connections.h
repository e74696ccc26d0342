#pragma once

/*
 * Who is connected, and until when. libmicrohttpd's timeout counts inactivity, so that one byte a
 * second holds a connection for ever; here each phase of a connection (a request that is sent to us, an
 * answer that is taken from us) has an end. One thread, asleep while nobody is connected, else awake
 * once per shortest deadline; it shuts the socket down, and who owns the connection then sees its end.
 */

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/cleanup.h"

struct connections;

/** Embedded in whatever is connected. */
struct connection {
        LIST_ENTRY(connection) link; /* owner: struct connections */
        int fd; /* borrowed: open from connections_add() to connections_remove() */
        _Atomic uint64_t deadline_mono_usec;
};

/** connections_new() - @phase_usec: how long a phase may last */
int connections_new(struct connections **ret, uint64_t phase_usec);

/** connections_free() - stop the thread. Nobody may be connected any more. */
struct connections *connections_free(struct connections *cs);

/** connections_add() - the first phase begins. Remove before the fd is closed. Any thread, as all here. */
void connections_add(struct connections *cs, struct connection *c, int fd);
void connections_remove(struct connections *cs, struct connection *c);

/** connection_next_phase() - and its time begins now */
void connection_next_phase(struct connections *cs, struct connection *c);

/** connection_pause() - it is we who let the other side wait: no deadline */
void connection_pause(struct connection *c);

/** connections_shutdown() - all of them, now, and those that are added from now on */
void connections_shutdown(struct connections *cs);

/** connections_wait_none() - true when all were removed, false when it took longer */
bool connections_wait_none(struct connections *cs, uint64_t until_mono_usec);

DEFINE_CLEANUP(struct connections *, connections_free);
