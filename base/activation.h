#pragma once

/*
 * Sockets that the service manager opened for us (sd_listen_fds(3)). They belong to its socket units: we
 * accept connections, and neither bind, nor chmod, nor remove any file. Whoever asks while we are
 * restarted waits in them.
 */

#include "base/err.h"
#include "base/parse.h"

#define ACTIVATION_MAX 64u

struct activation_socket {
        int fd; /* non-blocking, close-on-exec; -1 once somebody has taken it */
        struct sock_address address;
};

struct activation {
        struct activation_socket sockets[ACTIVATION_MAX];
        size_t n;
};

/**
 * activation_take() - all that were passed, which may be none
 * @ret: activation_done()
 * @e:   something was passed that is of no use if e->code < 0: the last of them; the others count
 *
 * Call once, before there are children: $LISTEN_FDS is unset.
 */
void activation_take(struct activation *ret, struct err *e);

/** activation_done() - close what nobody has taken. */
void activation_done(struct activation *a);

/**
 * activation_add() - one more, if it is a stream socket that listens
 * @taken_fd: closed on failure
 *
 * Return: 0; -ENOTSOCK, -EPROTOTYPE (no stream), -EINVAL (does not listen), -EAFNOSUPPORT (neither IP nor
 * Unix), -E2BIG, or another -errno, with @e.
 */
int activation_add(struct activation *a, int taken_fd, struct err *e);

/** activation_has() - was a socket with this very address passed? Taken or not. */
bool activation_has(const struct activation *a, const struct sock_address *address);

/** activation_port() - of the first one that is TCP; 0: none is. */
uint16_t activation_port(const struct activation *a);
