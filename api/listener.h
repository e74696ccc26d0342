#pragma once

/* A socket that listens. */

#include <sys/types.h>

#include "base/err.h"
#include "base/parse.h"

struct listener {
        int fd;                      /* non-blocking, close-on-exec */
        struct sock_address address; /* as it is bound: with the port that the kernel chose */
        dev_t path_dev; /* which file a Unix socket made, so that nobody else's is removed */
        ino_t path_ino;
};

/**
 * listener_open() - bind and listen
 * @e: names the address
 *
 * As server_listen() says about Unix sockets; their directory must exist. An IP address needs not be
 * up yet. Return: 0, -EADDRINUSE, -EEXIST, or another -errno.
 */
int listener_open(struct listener *ret, const struct sock_address *address, struct err *e);

/**
 * listener_adopt() - take over a socket that listens already, as systemd hands them out
 * @fd: a stream socket of IPv4, IPv6 or the Unix kind; ours only on success
 *
 * Its path, if it has one, is somebody else's, and so is the queue of those who connect: nothing here
 * removes the one or shuts down the other.
 */
int listener_adopt(struct listener *ret, int fd, struct err *e);

/** listener_close() - and remove the file of a Unix socket, if it is still the one that we made */
void listener_close(struct listener *l);
