#pragma once

/*
 * Taking connections from the sockets that listen: one thread for all of them. What is not taken stays in
 * the kernel's queue, for whoever has the socket next: while there is no room, and from the moment that we
 * stop. When the process or the machine is out of descriptors it tries again ten times a second.
 */

#include "base/cleanup.h"

#define ACCEPTOR_LISTENERS_MAX 16u

struct acceptor;

/** What the acceptor asks for each listener, on its thread. */
struct acceptor_ops {
        bool (*has_room)(void *listener);         /* may another one come? */
        void (*accepted)(void *listener, int fd); /* takes @fd: non-blocking, close-on-exec */
};

/** acceptor_new() - its thread inherits the signal mask of the caller, who has blocked signals */
int acceptor_new(struct acceptor **ret, const struct acceptor_ops *ops);

/** acceptor_stop() - no connection is taken from here on. The listening sockets stay open. */
void acceptor_stop(struct acceptor *a);

/** acceptor_free() - stops it. Nobody may poke it any more. */
struct acceptor *acceptor_free(struct acceptor *a);

/**
 * acceptor_add() - begin to take connections from @fd
 * @fd:       listens, non-blocking; borrowed until acceptor_stop()
 * @listener: handed to the ops
 * Return: 0 or -E2BIG. Any thread, as all here.
 */
int acceptor_add(struct acceptor *a, int fd, void *listener);

/** acceptor_poke() - there may be room where there was none. Cheap. */
void acceptor_poke(struct acceptor *a);

/** acceptor_n_failures() - how often it had to wait for descriptors or memory */
uint64_t acceptor_n_failures(struct acceptor *a);

DEFINE_CLEANUP(struct acceptor *, acceptor_free);
