#pragma once

/*
 * How a node answers for itself, whatever the spelling: entity tags, "not modified", and waiting
 * for a change. One verdict; API v1 and v2 differ only in the function that spells it.
 */

#include "api/errand.h"
#include "api/feed.h"
#include "api/reply.h"
#include "api/request.h"
#include "base/err.h"

/** The first answer after a start is held until systemd has been asked, but not for ever. */
#define NODE_FIRST_ANSWER_USEC (UINT64_C(2) * 1000000)

struct bundle_host;
struct server;

/** What requests may have the node daemon do. Called on the loop, as errands. */
struct node_ops {
        /* Set the flag anew, for so long. When it returns, the feed has a report that says so.
         * 0, or -errno of writing it down: then nothing has changed. */
        int (*start_maintenance)(void *userdata, uint64_t for_usec, const char *reason,
                                 const char *by, struct err *e);
        /* Likewise. Not negative, too, when there was nothing to stop. */
        int (*stop_maintenance)(void *userdata, struct err *e);
        /* The flag as it stands; NULL: none. Borrowed until the loop turns. */
        const struct diag_maintenance *(*maintenance)(void *userdata);
};

/** What the node daemon's handlers know: request->host. All outlives the server. */
struct node_host {
        const struct bundle_host *bundles; /* first: handlers that serve both daemons ask for it */
        struct feed *feed;
        struct errands *errands;
        struct server *server; /* for what it counts */
        const struct node_ops *ops;
        void *userdata; /* of ops */
};

/** One way to spell a report, or a part of it. */
struct node_spelling {
        bool strong; /* its bytes depend on seq alone: a strong entity tag */
        /* Optional: does the report have what @q asks for? If not, spell() says so; no tag, no 304. */
        bool (*finds)(const struct request *q, const struct diag_report *report);
        /* Sets status 200 and the body. */
        int (*spell)(const struct request *q, struct reply *r, const struct feed_view *v);
};

/** node_answer() - spell the report, say 304, or park the request. */
int node_answer(const struct request *q, struct reply *r, const struct node_spelling *spelling);
