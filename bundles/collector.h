#pragma once

/*
 * A collection that the privileged collector makes for us: PID 1 starts one for each connection to its socket
 * (diag-collect.socket). One request and one descriptor go there, events come back (bundles/collect_request.h).
 *
 * Belongs to the loop. Nothing here blocks.
 */

#include "base/err.h"
#include "base/loop.h"
#include "bundles/collect_request.h"

#define COLLECTOR_SOCKET     "/run/diag/collect.sock"
#define COLLECTOR_FIRST_USEC (UINT64_C(30) * 1000000) /* up to its first word */

struct collector;

/**
 * Called on the loop for each event, in order. The last one is DONE or ERROR, and comes in any case; who says nothing,
 * or ends without it, is an ERROR with one of the codes below. It may free the collector.
 */
typedef void (*collector_event_fn)(const struct collect_event *event, void *userdata);

#define COLLECTOR_GONE \
        "gone" /* it ended before it was done; before its first word: it was not let begin */
#define COLLECTOR_MUTE "mute" /* nothing in COLLECTOR_FIRST_USEC */

/**
 * collector_start() - ask for a collection
 * @path: of the socket
 * @fd:   where it is to write; borrowed
 *
 * Return: 0, or -errno with @e: -ENOENT and -ECONNREFUSED (nobody listens), -EACCES, -EAGAIN (too many wait there),
 * -E2BIG (the request is too long), -ENOMEM … Then @fn is never called.
 */
int collector_start(struct collector **ret, struct loop *l, const char *path,
                    const struct collect_request *q, int fd, collector_event_fn fn, void *userdata,
                    struct err *e);

/** collector_free() - hang up, which is how a collection is cancelled; @fn is not called any more. */
struct collector *collector_free(struct collector *c);

DEFINE_CLEANUP(struct collector *, collector_free);
