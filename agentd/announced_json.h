#pragma once

/* What a master answers to an announcement. */

#include "agentd/master_address.h"

#define ANNOUNCED_MASTERS_MAX  64u
#define ANNOUNCED_REASON_MAX   160u
#define ANNOUNCED_INTERVAL_MIN 30u   /* seconds: one who says less is asked no more often … */
#define ANNOUNCED_INTERVAL_MAX 3600u /* … and one who says more is not left alone for longer */

struct announced {
        bool accepted;
        unsigned interval_seconds; /* 0: not said */
        /* Those it knows, without what is no address and what there would be too many of. */
        struct master_address masters[ANNOUNCED_MASTERS_MAX];
        size_t n_masters;
        char reason[ANNOUNCED_REASON_MAX]; /* of a refusal, for people; "" if it gives none */
};

/**
 * announced_from_json() - {"accepted": true, "masters": ["10.0.0.1"], "interval_seconds": 600}, or {"error": "…"}
 * @port: of masters, where they say none
 *
 * Pure, fuzzed. Return: 0; -EBADMSG, *ret is empty then: no JSON object.
 */
int announced_from_json(struct announced *ret, const char *text, size_t n, uint16_t port);
