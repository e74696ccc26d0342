#pragma once

/*
 * The HTTP server, and the only door to libmicrohttpd: sockets, threads, limits, hostile clients.
 * One libmicrohttpd daemon with one thread per listening socket; handlers run on these threads and
 * touch nothing but what is sealed and counted.
 *
 * With certificates (server_use_tls()) it is TLS that is spoken, but over Unix sockets and where the address
 * that was connected to is a loopback one; a socket that listens on all addresses has both, and two daemons.
 * What the certificate of a client is worth is looked at with each request: without a good one he is
 * nobody, unless his address may ask.
 *
 * A client can use up what is its own: its connections (of one address, or of one uid), its places among
 * those who wait, the time of its requests. The rest is for others.
 *
 * Many clients together can use up a listener, but for its reserve: one place in eight is for root and group
 * diag, over its Unix socket. Whoever can choose among the addresses of 127.0.0.0/8 is many clients; all
 * of them (and ::1) together get no more than half of the places that others can have, and no more than
 * half of those to wait. Who is one too many is hung up on at once.
 *
 * Who hangs up while he waits loses his place at once. So does who only ends his half of the connection
 * (shutdown(2)), which cannot be told from that: he gets what he would get at the end of his time, and the
 * connection ends. Requests for a change go on, and are answered when they have ended.
 *
 * A file and a stream take as long as they take: of these only a reader who stands still is hung up on, by the
 * library's clock of inactivity (which is the longer one of the idle and the request's time). A stream that is not
 * written is its own affair (api/stream.h).
 *
 * An answer stays in memory until its reader has taken it, which he may put off for a minute. What many
 * read is there once; of answers that were made for one request there may be so many bytes, and who
 * would exceed them gets 503 instead, with Retry-After. Answers of up to SERVER_ANSWER_SMALL_BYTES are always
 * given. Of a rope, one block counts for each reader. The kernel holds no more than SERVER_SEND_BYTES (as it
 * counts: twice that) for a connection; four times as much doubles what one fast reader of a rope gets,
 * and gives nothing to many.
 */

#include "api/authority.h"
#include "api/parked.h"
#include "api/request_times.h"
#include "api/route.h"
#include "api/server_stats.h"
#include "base/err.h"
#include "base/mono.h"

/* Limits where the options say 0. */
#define SERVER_CONNECTIONS_MAX      1024u /* each listener */
#define SERVER_CONNECTIONS_PEER_MAX 64u   /* each address (of IPv6: each /64), each uid */
#define SERVER_ANSWER_BYTES_MAX     (UINT64_C(64) << 20)
#define SERVER_HEAD_USEC            (10 * USEC_PER_SEC)
#define SERVER_IDLE_USEC            (60 * USEC_PER_SEC)
#define SERVER_REQUEST_USEC         (60 * USEC_PER_SEC)

/* Of the connections of a listener: one in so many is kept for root and group diag, ... */
#define SERVER_RESERVE_SHARE  8u
/* ... and of the others, loopback addresses have one in so many together. */
#define SERVER_LOOPBACK_SHARE 2u

#define SERVER_ANSWER_SMALL_BYTES 4096u
#define SERVER_SEND_BYTES         65536
#define SERVER_ROPE_BLOCK_BYTES   65536
#define SERVER_STREAM_BLOCK_BYTES 32768

#define SERVER_CONNECTION_BYTES 32768u /* request line and headers */
#define SERVER_BODY_BYTES_MAX   65536u
#define SERVER_FDS_RESERVED     128u /* of those that the process may open: not for connections */

struct server_options {
        const struct router *router;       /* outlives the server, as all here but authority */
        const struct authority *authority; /* to begin with; copied */
        struct parked *parked;             /* gets its limits from us */
        void *host;                        /* given to the handlers */
        const char *product;               /* "diag/0.1.0", for the Server header field */
        struct server_limits limits;       /* 0: the default */
};

struct server;

/** server_new() - block no signals, open nothing yet. Call with signals blocked: threads inherit that. */
int server_new(struct server **ret, const struct server_options *options, struct err *e);

/**
 * server_use_tls() - speak TLS with other machines, and plain HTTP no more
 * @files: borrowed until the last listener has been opened. Before the first one is
 */
void server_use_tls(struct server *s, const struct tls_files *files);

/**
 * server_listen() - bind, listen, answer
 *
 * A Unix socket is made 0666; one that is left over and that nobody answers is replaced, one that
 * somebody answers is -EADDRINUSE, anything that is not a socket is -EEXIST. @e names the address.
 */
int server_listen(struct server *s, const struct sock_address *address, struct err *e);

/**
 * server_adopt() - answer on a socket that listens already, as systemd hands them out
 * @fd: ours on success, and left as it is on failure
 *
 * What others have of it, they keep: its file is not removed, and whoever has it after us goes on with
 * the connections that we have not taken.
 */
int server_adopt(struct server *s, int fd, struct err *e);

/** server_listener_address() - where it listens, NULL behind the last one. @i: in the order of the calls. */
const struct sock_address *server_listener_address(const struct server *s, size_t i);

/**
 * server_set_authority() - from here on this counts, for those who are connected and those who wait, too
 * Copied. Any thread. Return: 0, or -ENOMEM: the old one still counts.
 */
int server_set_authority(struct server *s, const struct authority *authority);

/** server_stats() - what it has done so far. Any thread. */
void server_stats(struct server *s, struct server_stats *ret);

/** server_times() - how long its requests took; lives as long as the server. Any thread. */
const struct request_times *server_times(const struct server *s);

/** server_stop_accepting() - who comes from now on waits for the next server; who is here goes on. */
void server_stop_accepting(struct server *s);

/**
 * server_free() - stop, and leave what is to come to the next server
 *
 * No new connection is taken; parked requests answer now; a request that was sent to us, or is in
 * progress, gets its answer; then all is closed. Unix sockets that we made are removed. Takes at most a
 * second or so.
 */
struct server *server_free(struct server *s);

DEFINE_CLEANUP(struct server *, server_free);
