#pragma once

/*
 * A body that comes out of a pipe while it is sent: what a collector writes, or what another master sends. The
 * connection sleeps while the pipe is dry, and costs no thread. Who hangs up closes the pipe, which is how whoever
 * writes into it learns that nobody wants it any more.
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

/** stream_free() - of one that no reply took. */
struct stream *stream_free(struct stream *s);

DEFINE_CLEANUP(struct stream *, stream_free);
