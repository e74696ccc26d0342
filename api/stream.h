#pragma once

/*
 * A body that comes out of a pipe while it is sent: what a collector writes, or what another master sends. The
 * connection sleeps while the pipe is dry, and costs no thread. Who hangs up closes the pipe, which is how whoever
 * writes into it learns that nobody wants it any more. (Who only ends his half of the connection has hung up, too,
 * as far as can be told.)
 */

#include "base/cleanup.h"

#define STREAM_LENGTH_UNKNOWN UINT64_MAX

struct stream;

/**
 * stream_new() - of the reading end of a pipe, or of a socket
 * @taken_fd: ours now, also on failure; made non-blocking
 * @n_bytes:  that will come; fewer: the connection is broken off, so that the client knows. Or unknown: chunked,
 *            and to HTTP/1.0 until the connection ends
 * @stall_usec: without a byte: it is broken off. @deadline_mono_usec: at the latest then; 0: none
 * @closed:   called once, from any thread, when the fd has been closed; may be NULL
 */
int stream_new(struct stream **ret, int taken_fd, uint64_t n_bytes, uint64_t stall_usec,
               uint64_t deadline_mono_usec, void (*closed)(void *userdata), void *userdata);

/** stream_free() - closes it. Of one that no reply took; a reply does it itself. */
struct stream *stream_free(struct stream *s);

/**
 * stream_expect_verdict() - of a pipe: that it ends is not enough, somebody is to say whether it is whole
 * @taken_write_fd: the other end, or a duplicate: so it does not end before; ours now, also on failure
 *
 * Before it is in a reply. Return: 0 or -ENOMEM.
 */
struct stream_verdict;
int stream_expect_verdict(struct stream *s, int taken_write_fd, struct stream_verdict **ret);

/**
 * stream_verdict_say() - it is whole; or it is to be broken off where it ends
 * Must be said, once. Any thread; the stream may be gone already. Return: NULL. NULL is fine.
 */
struct stream_verdict *stream_verdict_say(struct stream_verdict *taken, bool whole);

/** stream_size() - or STREAM_LENGTH_UNKNOWN */
uint64_t stream_size(const struct stream *s);

/* What follows is for the server. */

enum stream_state {
        STREAM_BYTES = 0,
        STREAM_DRY,   /* wait, and read again */
        STREAM_ENDED, /* all is there */
        STREAM_BROKEN,
};

/** stream_read() - what is there now. @ret_n: of STREAM_BYTES only */
enum stream_state stream_read(struct stream *s, void *block, size_t n, size_t *ret_n);

/** Who wakes streams that are dry: one thread, asleep while none is. */
struct streams;

/** streams_new() - its thread inherits the signal mask of the caller, who has blocked signals */
int streams_new(struct streams **ret);

/** streams_free() - stop the thread. Nobody may wait any more. */
struct streams *streams_free(struct streams *all);

/**
 * streams_wait() - of one that is dry
 * @resume: called once, on the thread, when it is worth while to read again. Nothing of @s is touched behind it
 * Return: false, and nothing happened: read again, at once (it has hung up, or we are stopping).
 */
bool streams_wait(struct streams *all, struct stream *s, void (*resume)(void *userdata),
                  void *userdata);

/** streams_hang_up() - nobody wants it any more: it is broken, and woken when it waits. Any thread */
void streams_hang_up(struct streams *all, struct stream *s);

/** streams_close() - all that wait are broken and woken, and those that are to wait from now on */
void streams_close(struct streams *all);

DEFINE_CLEANUP(struct stream *, stream_free);
DEFINE_CLEANUP(struct streams *, streams_free);
