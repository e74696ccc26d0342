#pragma once

/*
 * One question over HTTP, and the wait for its answer: for programs without an event loop. Mostly
 * that is a GET. It asks whom it was told to ask and nobody else: no proxy, no redirect unless it is to follow
 * some, no other protocol.
 */

#include "base/buf.h"
#include "base/err.h"

#define GET_ETAG_MAX 128u
#define GET_NOT_SAID UINT64_MAX

struct get_answer;

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
        uint64_t
                timeout_usec; /* for all of it, connecting included; 0, with a stall_usec: as it takes */
        uint64_t stall_usec; /* give up after so long without a byte, to the second; 0: do not */
        size_t max_bytes;    /* of the answer's body */

        /*
         * A body of any size: when the status is 200 or 206 its pieces are given to this as they come, and
         * not kept. @head has everything but a body; max_bytes is for what other statuses say. A negative
         * result ends it, and is what get_perform() returns, with its @e untouched. NULL: the body is kept.
         */
        int (*on_body)(void *userdata, const struct get_answer *head, const void *data, size_t n);
        void *userdata;

        /*
         * Redirects to follow at most, over plain HTTP, without what is asked for a link-local address: there
         * clouds keep what a machine is trusted with. 0: none, the redirect is the answer.
         */
        unsigned redirects_max;
};

struct get_answer {
        unsigned status; /* any: a 404 is an answer too, and so is a redirect */
        struct buf body;
        char etag[GET_ETAG_MAX]; /* as it came, quotes and W/ included; "" without, or too long */
        bool preference_applied; /* at least one of what we preferred was honoured */
        uint64_t from_byte;      /* of a 206: where the body begins in the whole; GET_NOT_SAID */
        uint64_t
                total_bytes; /* of the whole, as Content-Range or Content-Length say; GET_NOT_SAID */
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
 * what on_body returned, -EKEYREJECTED (one side does not trust the other), -EPROTO (no TLS), -ENOKEY (a file of ours is no
 * certificate or key), -EIO and what access(2) and connect(2) return.
 */
int get_perform(struct get_answer *ret, const struct get_request *q, struct err *e);
void get_answer_done(struct get_answer *a);
