#pragma once

/*
 * One question over HTTP, and the wait for its answer: for programs without an event loop. Mostly
 * that is a GET. It asks whom it was told to ask and nobody else: no proxy, no redirect, no other
 * protocol.
 */

#include "base/buf.h"
#include "base/err.h"

#define GET_ETAG_MAX 128u

/**
 * Whom to trust, and who we are: PEM files. Nobody is believed but who is signed by @ca_file and has the
 * name or address that the URL says: neither the system's authorities count nor TLS before 1.2.
 */
struct get_tls {
        const char *ca_file;
        const char *cert_file, *key_file; /* ours; NULL: none. No password is asked for */
};

struct get_request {
        const char *url; /* http://host[:port]/path */
        const char
                *socket_path; /* Unix socket to connect to, whatever the URL's host is; NULL: TCP */
        const struct get_tls *tls; /* the URL is https://…, and nothing else is asked; NULL: http */
        const char *who;           /* how errors name whom we asked; NULL: the URL */
        const char *method;        /* NULL: GET */
        const char *if_none_match; /* header values; NULL: not sent */
        const char *prefer;
        const char *const *headers; /* more of them: "Name: value"; ends with NULL; may be NULL */
        const char *body;           /* NULL: none */
        size_t n_body;
        uint64_t timeout_usec; /* for all of it, connecting included */
        size_t max_bytes;      /* of the answer's body */
};

struct get_answer {
        unsigned status; /* any: a 404 is an answer too, and so is a redirect */
        struct buf body;
        char etag[GET_ETAG_MAX]; /* as it came, quotes and W/ included; "" without, or too long */
        bool preference_applied; /* at least one of what we preferred was honoured */
};

enum {
        GET_NOBODY = 1, /* no such socket, or nobody listens there */
};

/**
 * get_perform() - ask and wait
 * @ret: get_answer_done() it; untouched unless the return value is 0
 * @e:   says what failed and whom we asked; may be NULL
 *
 * The first call must come while the program has one thread; then any thread.
 * Return: 0 with an answer, GET_NOBODY, or -ETIMEDOUT, -E2BIG (the answer, or a header field of ours),
 * -EINVAL (the URL, or a line that is no header field), -EBADMSG (not HTTP, or not all of it), -ENOMEM,
 * -EKEYREJECTED (one side does not trust the other), -EPROTO (no TLS), -ENOKEY (a file of ours is no
 * certificate or key), -EIO and what access(2) and connect(2) return.
 */
int get_perform(struct get_answer *ret, const struct get_request *q, struct err *e);
void get_answer_done(struct get_answer *a);
