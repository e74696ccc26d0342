/* Any bytes as another master's view: a health, or nothing. */

#include <errno.h>

#include "aggregator/peers.h"
#include "base/mono.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(freep) char *copy = malloc(size ? size : 1);
        enum diag_health health = DIAG_N_HEALTH;
        uint64_t as_of = USEC_INFINITY, again;
        char text[RFC3339_MAX];
        int k;

        MUST(copy);
        if (size)
                memcpy(copy, data, size);
        k = peer_view_from_json(copy, size, &health, &as_of);
        if (k < 0) {
                MUST(k == -EBADMSG && health == DIAG_N_HEALTH && as_of == USEC_INFINITY);
                return 0;
        }
        MUST(health < DIAG_N_HEALTH);
        MUST(rfc3339_parse(&again, rfc3339_format(text, as_of)) == 0);
        MUST(again / USEC_PER_MSEC == as_of / USEC_PER_MSEC);
        return 0;
}
