#pragma once

/* What a daemon answers when it was told to do something: what has come of it, or why it did not. */

#include "cli/reader_json.h"

#define ANSWER_JSON_MAX       (64u * 1024u)
#define ANSWER_CANDIDATES_MAX 64u

/** A node that may have been meant. */
struct answer_candidate {
        const char *node_id, *address, *hostname;
};

/** Strings belong to the arena. Zeroed is a good start, and what it is after answer_done(). */
struct answer {
        struct arena arena;
        bool tells_maintenance;                     /* its member is there */
        const struct diag_maintenance *maintenance; /* NULL: none */
        const char *held_by;                        /* "aggregator": the node itself was not told */
        const char *error;  /* why not, for a person; "" when it does not say */
        const char *reason; /* the same in one word */
        const struct answer_candidate *candidates; /* of a name that several nodes have */
        size_t n_candidates;
        const char *node_id, *address; /* of the node that was forgotten */
        struct json_words not_reached; /* masters that were not told so */
};

/**
 * answer_from_json() - decode it
 * @ret:  answer_done() it; untouched on failure
 * @text: need not end in NUL
 * @e:    names the fault; may be NULL
 *
 * As lenient as reader_json.h. Pure, fuzzed.
 * Return: 0, -EBADMSG (not an answer), -E2BIG, -ENOMEM.
 */
int answer_from_json(struct answer *ret, const char *text, size_t n, struct err *e);
void answer_done(struct answer *a);
