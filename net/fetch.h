#pragma once

/*
 * Outgoing HTTP on the event loop: libcurl's multi interface, its sockets in a private epoll
 * descriptor that is one source of the loop. Every fetch that was started ends in exactly one call of
 * its done function, or in fetch_free(). Nothing blocks: names are resolved by threads of libcurl that
 * nobody waits for. Each fetch has a connection of its own, which is closed with it: to be able to
 * connect is part of the answer, and between two fetches nothing is held, watched, or woken for.
 */

#include "base/err.h"
#include "base/loop.h"

#define FETCH_RUNNING_MAX 64u /* at once; the others wait in order, their time already running */
#define FETCH_HEAD_MAX \
        65536u /* bytes of an answer's header, interim answers and trailers included */

struct fetcher;
struct fetch;

/** fetcher_new() - the first call must come while the program has one thread. 0 or -errno. */
int fetcher_new(struct fetcher **ret, struct loop *l);

/** fetcher_free() - every fetch must have ended or been freed. Not from a done function. */
struct fetcher *fetcher_free(struct fetcher *f);

struct fetch_request {              /* all of it is copied */
        const char *url;            /* http:// or https://, without a password */
        const char *unix_path;      /* connect there instead; NULL: over TCP */
        const char *method;         /* NULL: GET */
        const char *const *headers; /* "Name: value"; ends with NULL; may be NULL */
        const char *body;           /* NULL: none */
        size_t n_body;
        uint64_t timeout_usec; /* for all of it, waiting for a place included; > 0 */
        size_t max_bytes;      /* of the answer's body */
        bool cut;              /* a longer body: true: end there, truncated; false: -EFBIG */
};

struct fetch_result {
        /*
         * 0: there is an answer. Else -ECONNREFUSED, -ENOENT and what else connect(2) says,
         * -EHOSTUNREACH (name or route), -ETIMEDOUT, -ECONNRESET (hung up), -EFBIG, -EPROTO (not HTTP,
         * TLS), -ENOMEM, -EIO; and -EBUSY, which says nothing about whom we wanted to ask: so many
         * others were being asked that less than half of the time was left.
         */
        int error;
        const char *text; /* of an error: a phrase without the URL, stable: no times, no ports */
        unsigned status;  /* HTTP: a 404 is an answer too, and so is a redirect */
        const char *body; /* never NULL; ends with a NUL that is not counted */
        size_t n_body;
        bool truncated;
        uint64_t took_usec; /* without the wait for a place */
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
