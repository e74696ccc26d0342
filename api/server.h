#pragma once

/*
 * The HTTP server, and the only door to libmicrohttpd: sockets, threads, limits, hostile clients.
 * One libmicrohttpd daemon with one thread per listening socket; handlers run on these threads and
 * touch nothing but what is sealed and counted.
 */

#include "api/authority.h"
#include "api/parked.h"
#include "api/route.h"
#include "base/err.h"

#define SERVER_LISTENERS_MAX        16u
#define SERVER_CONNECTIONS_MAX      256u   /* each listener */
#define SERVER_CONNECTIONS_PEER_MAX 64u    /* each address, TCP */
#define SERVER_CONNECTION_BYTES     32768u /* request line and headers */
#define SERVER_BODY_BYTES_MAX       65536u
#define SERVER_IDLE_SECONDS         60u

struct server_options {
        const struct router *router; /* outlives the server, as all here */
        const struct authority *authority;
        struct parked *parked;
        void *host;          /* given to the handlers */
        const char *product; /* "diag/0.1.0", for the Server header field */
};

struct server;

/** server_new() - block no signals, open nothing yet. Call with signals blocked: threads inherit that. */
int server_new(struct server **ret, const struct server_options *options, struct err *e);

/**
 * server_listen() - bind, listen, answer
 *
 * A Unix socket is made 0666; one that is left over and that nobody answers is replaced, one that
 * somebody answers is -EADDRINUSE, anything that is not a socket is -EEXIST. @e names the address.
 */
int server_listen(struct server *s, const struct sock_address *address, struct err *e);

/**
 * server_free() - stop
 *
 * No new connection, parked requests answer now, a request in progress gets its answer, then all is
 * closed; Unix sockets that we made are removed. Takes at most a second or so.
 */
struct server *server_free(struct server *s);

DEFINE_CLEANUP(struct server *, server_free);
