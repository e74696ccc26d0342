#pragma once

/*
 * Outgoing HTTP on the event loop: libcurl's multi interface, its sockets in a private epoll
 * descriptor that is one source of the loop. Every fetch that was started ends in exactly one call of
 * its done function, or in fetch_free(). Nothing blocks: names are resolved by threads of libcurl that
 * nobody waits for.
 *
 * Without options each fetch has a connection of its own, which is closed with it: to be able to
 * connect is part of the answer, and between two fetches nothing is held, watched, or woken for. With
 * n_kept_max connections are kept, and it is for those who ask many machines again and again. A kept
 * connection that turns out dead before a byte of the answer came is replaced by a new one, once, and
 * the question sent again; but for methods that must not be done twice (POST, PATCH), which have a new
 * one anyway.
 */

#include "base/err.h"
#include "base/loop.h"

#define FETCH_RUNNING_MAX 64u /* at once; the others wait in order, their time already running */
#define FETCH_HEAD_MAX \
        65536u /* bytes of an answer's header, interim answers and trailers included */
#define FETCH_WANTED_MAX       6u
#define FETCH_WANTED_BYTES_MAX 256u   /* of a header field's value, the NUL included */
#define FETCH_PEM_MAX          65536u /* bytes of each of struct fetch_tls */
#define FETCH_SHARDS_MAX       256u
#define FETCH_BUFFER_MIN       1024u      /* bytes; libcurl takes no less … */
#define FETCH_BUFFER_MAX       (1u << 19) /* … and no more */

struct fetcher;
struct fetch;

struct fetcher_options {
        unsigned n_shards;      /* libcurl slows down with the connections of one; 0: 1 */
        unsigned n_running_max; /* at once; 0: FETCH_RUNNING_MAX */
        /*
         * Connections that are kept between fetches, those in use included; 0: none. Hosts are not
         * spread evenly over the shards: up to a quarter more, and 16 for each shard.
         */
        unsigned n_kept_max;
        unsigned buffer_bytes; /* of each running fetch; 0: 4096 */
};

/**
 * fetcher_new() - the first call must come while the program has one thread
 * @options: NULL: as if all were 0
 * Return: 0, or -EINVAL (options beyond the limits above), -ENOMEM, -errno.
 */
int fetcher_new(struct fetcher **ret, struct loop *l, const struct fetcher_options *options);

/** fetcher_free() - every fetch must have ended or been freed. Not from a done function. */
struct fetcher *fetcher_free(struct fetcher *f);

/** PEM text, borrowed for the call. */
struct fetch_tls {
        const char *ca_pem; /* certificates of whom we trust, and no others; NULL: the system's */
        const char *certificate_pem; /* ours, then those up to the authority; NULL: none */
        const char *key_pem;         /* of ours, not encrypted */
};

/**
 * fetcher_set_tls() - what https:// uses from the next fetch_start() on
 * @tls: NULL: the system's authorities, no certificate of ours
 * @e:   names which of them is bad; may be NULL
 *
 * The other side must have TLS 1.2 or later and a certificate for the URL's host, be that a name or an
 * address. Connections that were made with other credentials are not used again.
 * Return: 0, or -EINVAL, -E2BIG, -EOPNOTSUPP, -ENOMEM; then everything stays as it was.
 */
int fetcher_set_tls(struct fetcher *f, const struct fetch_tls *tls, struct err *e);

/** How an answer begins. Values are NULL for fields that are not there, the last one of several, and cut to fit. */
struct fetch_head {
        unsigned status;
        const char *headers[FETCH_WANTED_MAX]; /* as wanted_headers */
};

/**
 * fetch_body_fn - @n > 0 bytes of the body have come; called before the done function, perhaps never
 *
 * Called from within libcurl: it may start fetches, but free none. All is borrowed until it returns.
 * Return: 0, or -errno to break the fetch off, which then ends with that error.
 */
typedef int (*fetch_body_fn)(const struct fetch_head *head, const char *data, size_t n,
                             void *userdata);

struct fetch_request {              /* all of it is copied, but for wanted_headers */
        const char *url;            /* http:// or https://, without a password */
        const char *unix_path;      /* connect there instead; NULL: over TCP */
        const char *connect_to;     /* an IP address to connect to instead of the URL's host, which
                                       stays in Host: and in what the certificate must say; or NULL */
        const char *method;         /* NULL: GET */
        const char *const *headers; /* "Name: value"; ends with NULL; may be NULL */
        const char *body;           /* NULL: none */
        size_t n_body;
        /* Names, at most FETCH_WANTED_MAX; ends with NULL; may be NULL. Borrowed until the fetch ends. */
        const char *const *wanted_headers;
        uint64_t timeout_usec;         /* for all of it, waiting for a place included; > 0 */
        uint64_t connect_timeout_usec; /* for a connection, TLS included; 0: no other limit */
        size_t max_bytes;              /* of the answer's body */
        bool cut;              /* a longer body: true: end there, truncated; false: -EFBIG */
        bool watch_peer;       /* find out within 15 s when the machine vanishes while it is silent;
                                  where connections are kept, all are watched */
        fetch_body_fn on_body; /* takes the body as it comes; NULL: it is in the result */
};

struct fetch_result {
        /*
         * 0: there is an answer. Else -ECONNREFUSED, -ENOENT and what else connect(2) says,
         * -EHOSTUNREACH (name or route), -ETIMEDOUT, -ECONNRESET (hung up), -EFBIG, -EPROTO (not HTTP,
         * TLS), -ENOMEM, -EIO; what on_body returned; and -EBUSY, which says nothing about whom we
         * wanted to ask: so many others were being asked that less than half of the time was left.
         */
        int error;
        const char *text; /* of an error: a phrase without the URL, stable: no times, no ports */
        unsigned status;  /* HTTP: a 404 is an answer too, and so is a redirect */
        const char *body; /* never NULL; ends with a NUL that is not counted; "" with on_body */
        size_t n_body;
        bool truncated;
        bool reused;                           /* a connection that was kept */
        const char *headers[FETCH_WANTED_MAX]; /* as in struct fetch_head; all NULL with an error */
        uint64_t took_usec;                    /* without the wait for a place */
        uint64_t connected_usec; /* of this: to connect, TLS included; 0: it was not, or reused */
        uint64_t
                answered_usec; /* … from when we had asked to the answer's first line; 0: none came */
};

/**
 * fetch_done_fn - this fetch has ended
 *
 * Called once, from the loop; @r is borrowed until it returns. It may free its fetch, free others,
 * and start new ones.
 */
typedef void (*fetch_done_fn)(const struct fetch_result *r, void *userdata);

/**
 * fetch_start() - ask
 * @e: may be NULL
 *
 * Redirects are not followed, proxies of the environment are ignored, no credentials are kept.
 * Return: 0, or -EINVAL (not a request that we send), -ENOMEM; then @done is never called.
 */
int fetch_start(struct fetch **ret, struct fetcher *f, const struct fetch_request *request,
                fetch_done_fn done, void *userdata, struct err *e);

/** fetch_free() - if it has not ended, it is broken off and its done function is not called. */
struct fetch *fetch_free(struct fetch *t);

DEFINE_CLEANUP(struct fetcher *, fetcher_free);
DEFINE_CLEANUP(struct fetch *, fetch_free);
