#pragma once

/*
 * gzip (RFC 1952), made so that what was compressed once can be part of many streams. Each run of bytes
 * is deflated by itself, refers to nothing before it, and ends at a whole byte; so runs can be joined
 * in any order, and the checksum of all is computed from theirs, without looking at a byte of them.
 * That costs some compression: what is alike in two runs is not seen.
 */

#include "base/buf.h"

/* Of a member that gzip_bytes() made: around its one run. */
#define GZIP_HEAD_BYTES 10u
#define GZIP_TAIL_BYTES 10u

/* Longest run, so that lengths fit everywhere. */
#define GZIP_RUN_BYTES_MAX (UINT32_C(1) << 30)

enum gzip_effort {
        GZIP_WELL = 0, /* for what many will read: 5 to 20 ms for a megabyte of JSON */
        GZIP_FAST,     /* for what one will read: less than half of that */
};

/** A stream that is being made. One thread. */
struct gzip;

/** gzip_new() - 0 or -ENOMEM */
int gzip_new(struct gzip **ret, enum gzip_effort effort);
struct gzip *gzip_free(struct gzip *g);

/** gzip_begin() - the head of the stream, appended to @out, which remembers its failures */
void gzip_begin(struct gzip *g, struct buf *out);

/** gzip_run() - compress @n bytes, at most GZIP_RUN_BYTES_MAX, and append that to @out */
void gzip_run(struct gzip *g, struct buf *out, const void *data, size_t n);

/**
 * gzip_join() - what gzip_bytes() made is the next part; nothing is copied or compressed
 * @member: all of it; what lies between its head and its tail belongs here in the stream
 */
void gzip_join(struct gzip *g, const void *member, size_t n_member);

/** gzip_end() - the tail of the stream, appended to @out */
void gzip_end(struct gzip *g, struct buf *out);

/** gzip_bytes() - a whole stream of one run, appended to @out. 0 or -errno, which @out remembers as well. */
int gzip_bytes(struct buf *out, const void *data, size_t n, enum gzip_effort effort);

DEFINE_CLEANUP(struct gzip *, gzip_free);
