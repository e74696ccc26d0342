#pragma once

/*
 * How a node answers for itself, whatever the spelling: entity tags, "not modified", and waiting for
 * a change. One verdict; API v1 and v2 differ only in the function that spells it.
 */

#include "api/feed.h"
#include "api/reply.h"
#include "api/request.h"

/** The first answer after a start is held until systemd has been asked, but not for ever. */
#define NODE_FIRST_ANSWER_USEC (UINT64_C(2) * 1000000)

/** What the node daemon's handlers know: request->host. */
struct node_host {
        struct feed *feed;
};

/** One way to spell a report. */
struct node_spelling {
        bool strong; /* its bytes depend on seq alone: a strong entity tag */
        int (*spell)(struct reply *r, const struct feed_view *v); /* sets status 200 and the body */
};

/** node_answer() - spell the report, say 304, or park the request. */
int node_answer(const struct request *q, struct reply *r, const struct node_spelling *spelling);
