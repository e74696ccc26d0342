#pragma once

/* What a client says who begins to work on a node: {"for_seconds":7200,"reason":"new disk"}. */

#include "base/err.h"
#include "base/mono.h"

#define MAINTENANCE_BODY_MAX_USEC   (7 * 24 * 60 * USEC_PER_MIN)
#define MAINTENANCE_BODY_REASON_MAX 256u /* bytes */

struct maintenance_body {
        uint64_t for_usec; /* 1 µs … 7 days */
        char reason[MAINTENANCE_BODY_REASON_MAX +
                    1]; /* not empty; UTF-8 without control characters */
};

/**
 * maintenance_body_from_json() - decode it
 * @text: need not end in NUL
 * @e:    names the field and the fault, for the client
 *
 * Strict about what it knows, also about members that come twice; others are for newer daemons.
 * Pure, fuzzed.
 * Return: 0; -EBADMSG: @ret is untouched.
 */
int maintenance_body_from_json(struct maintenance_body *ret, const char *text, size_t n,
                               struct err *e);
