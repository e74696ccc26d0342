#pragma once

/*
 * What a handler answers. Exactly one of the reply_*() verbs below is called per handler run; each
 * returns 0, so that answering is one statement, or -ENOMEM, for which the server sends a bare 500.
 */

#include "api/request.h"
#include "api/stream.h"
#include "base/rope.h"

#define REPLY_HEADERS_MAX 12u

struct reply {
        unsigned status; /* 0: nothing was answered yet */
        const char *content_type;
        struct blob *body;     /* owned; NULL: empty */
        struct blob *tail;     /* owned; the rest of the body; NULL: none */
        struct rope *rope;     /* owned; the body in place of these two; NULL: none */
        struct stream *stream; /* likewise */
        struct {               /* likewise */
                bool is_body;
                int fd; /* owned */
                uint64_t from, n_bytes;
        } file;
        bool may_encode; /* see reply_may_encode() */
        struct {
                const char *name; /* static */
                char value[256];
        } headers[REPLY_HEADERS_MAX];
        size_t n_headers;
        const char *location; /* of a redirect; borrowed until the reply has been sent */
        uint64_t
                park_until_mono_usec; /* > 0: not answered, ask again when something changed or then */
        const void *park_key;         /* see reply_park_for() */
};

void reply_done(struct reply *r);

/** reply_header() - printf; cut to fit, scrubbed; may be called before or after the body is set. */
void reply_header(struct reply *r, const char *name, const char *fmt, ...) _printf_(3, 4);

/**
 * reply_blob() - @taken is the reply's now, NULL means out of memory
 *
 * Text gets X-Content-Type-Options: nosniff, JSON with status 200 gets Cache-Control: no-cache.
 */
int reply_blob(struct reply *r, unsigned status, const char *content_type, struct blob *taken);

/** reply_blobs() - likewise; the body is @taken and then @tail, without a copy of either */
int reply_blobs(struct reply *r, unsigned status, const char *content_type, struct blob *taken,
                struct blob *tail);

/** reply_rope() - likewise; of a large body, most of which others have, too */
int reply_rope(struct reply *r, unsigned status, const char *content_type, struct rope *taken);

/**
 * reply_may_encode() - this body may be sent compressed, to who wants that
 *
 * Of JSON and text only. Adds Vary: Accept-Encoding, which belongs to a 304, too. At most once a reply.
 */
void reply_may_encode(struct reply *r);

/** What reply_file() sends. */
struct reply_file {
        const char *content_type;
        const char *name; /* for Content-Disposition: attachment; NULL: not said */
        int fd;           /* a regular file; taken, also on failure; -1: memory was out for it */
        uint64_t n_bytes;
        uint64_t mtime_usec; /* Last-Modified; 0: none */
        const char *etag;    /* strong, without quotes; NULL: none */
};

/**
 * reply_file() - 200, or what @q asks of it: 206 with Content-Range, 304, 416 (RFC 9110, sections 13 and 14)
 *
 * One range of bytes; of several, the whole is sent. If-Range, If-None-Match and If-Modified-Since are kept to. The
 * file is sent by sendfile(2) where that can be, and is never in memory.
 */
int reply_file(const struct request *q, struct reply *r, const struct reply_file *file);

/** reply_stream() - @taken is the reply's now */
int reply_stream(struct reply *r, unsigned status, const char *content_type, struct stream *taken);

/** reply_size() - bytes of the body; of a stream, as far as that is known: else 0 */
uint64_t reply_size(const struct reply *r);

/** reply_own_size() - bytes of memory that nobody but this reply has; the blobs of a rope are others' */
uint64_t reply_own_size(const struct reply *r);

/** reply_json() - takes what @b holds; "application/json", without charset, as clients compare it. */
int reply_json(struct reply *r, unsigned status, struct buf *b);

/** reply_text() - plain text, cut to 1 KiB; a newline is added. */
int reply_text(struct reply *r, unsigned status, const char *fmt, ...) _printf_(3, 4);

/** reply_error() - API v2's error: {"code":status,"error":text,"reason":@reason}. */
int reply_error(struct reply *r, unsigned status, const char *reason, const char *fmt, ...)
        _printf_(4, 5);

/** reply_empty() - no body at all: 204, 304 (with Cache-Control: no-cache), 405. */
int reply_empty(struct reply *r, unsigned status);

/**
 * reply_moved() - 301
 * @location: borrowed until the reply has been sent; without CR, LF
 * @page:     with a line of HTML that links there
 */
int reply_moved(struct reply *r, const char *location, bool page);

/**
 * reply_park() - do not answer yet, if request->may_park
 * @until: CLOCK_MONOTONIC; the handler runs again then at the latest, or when parked_wake() is called
 *
 * The handler must not park again after its own deadline has passed.
 */
int reply_park(struct reply *r, uint64_t until_mono_usec);

/**
 * reply_park_for() - likewise, for one thing that concerns nobody else
 * @key: the handler runs again when parked_wake_key() is called with it; parked_wake() is not for it
 */
int reply_park_for(struct reply *r, uint64_t until_mono_usec, const void *key);
