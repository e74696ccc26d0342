#pragma once

/* A socket that listens. */

#include <sys/types.h>

#include "base/err.h"
#include "base/parse.h"

struct listener {
        int fd; /* non-blocking, close-on-exec */
        struct sock_address address;
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

/** listener_remove_path() - of a Unix socket, if the file is still the one that we made */
void listener_remove_path(const struct listener *l);
