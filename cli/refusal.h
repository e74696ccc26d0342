#pragma once

/* What is said when a master does not do what it was asked, or does not know whom we mean. */

#include "cli/client.h"

/** What was named. */
enum refusal_of {
        REFUSAL_OF_NOTHING = 0,
        REFUSAL_OF_NODE,
        REFUSAL_OF_UNIT,
};

/** What was asked, and what came back. */
struct refusal {
        const char *who; /* in complaints: "diag node" */
        const struct client *client;
        unsigned status; /* HTTP's, no success */
        const struct buf *body;
        enum refusal_of of;
        const char *name; /* of it, as it was typed; NULL: nothing was named */
};

/** refusal_complain() - on stderr: why, who may have been meant, what can be done */
void refusal_complain(const struct refusal *r);

/** refusal_describe() - the why of it alone, in one line that is clean */
void refusal_describe(struct buf *out, unsigned status, const struct buf *body);
