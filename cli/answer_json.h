#pragma once

/* What a daemon answers when it was told to do something: what has come of it, or why it did not. */

#include "base/err.h"
#include "model/report.h"

#define ANSWER_JSON_MAX (64u * 1024u)

/** Strings belong to the arena. Zeroed is a good start, and what it is after answer_done(). */
struct answer {
        struct arena arena;
        bool tells_maintenance;                     /* its member is there */
        const struct diag_maintenance *maintenance; /* NULL: none */
        const char *error; /* why not, for a person; "" when it does not say */
};

/**
 * answer_from_json() - decode it
 * @ret:  answer_done() it; untouched on failure
 * @text: need not end in NUL
 * @e:    names the fault; may be NULL
 *
 * Strict about the types of what it knows, lenient about everything else. Pure, fuzzed.
 * Return: 0, -EBADMSG (not an answer), -E2BIG, -ENOMEM.
 */
int answer_from_json(struct answer *ret, const char *text, size_t n, struct err *e);
void answer_done(struct answer *a);
