#pragma once

/* A non-blocking connection, plain or TLS, the same to whoever reads and writes. One thread. */

#include <sys/types.h>

#include "base/cleanup.h"

struct ssl_ctx_st;
struct ssl_st;

struct wire {
        int fd;             /* -1: closed */
        struct ssl_st *tls; /* NULL: plain */
};

/** wire_accept() - @fd, whose other end shakes hands; @tls: NULL for plain. -errno closes @fd. */
int wire_accept(struct wire *w, int fd, struct ssl_ctx_st *tls);

/**
 * wire_connect() - to that address, without waiting for it
 * @address: IPv4, host byte order; with @tls the certificate must name it
 */
int wire_connect(struct wire *w, uint32_t address, uint16_t port, struct ssl_ctx_st *tls);

/** wire_tls_client() - trusts @dir/ca.pem alone, and shows @dir/node.pem; ends the program if it cannot */
struct ssl_ctx_st *wire_tls_client(const char *dir);

/** Bytes; 0: the other end has closed (wire_read); -EAGAIN, -errno. TLS shakes hands on the way. */
ssize_t wire_read(struct wire *w, void *to, size_t n);
ssize_t wire_write(struct wire *w, const void *from, size_t n);

/** wire_skip() - read up to @n bytes that nobody wants to see; plain ones are not even copied. */
ssize_t wire_skip(struct wire *w, size_t n);

/** wire_close() - @reset: with a RST, as when the process has died */
void wire_close(struct wire *w, bool reset);
