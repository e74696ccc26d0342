/* Any bytes as an announcement: what is taken can be asked, and nothing else. */

#include <errno.h>

#include "aggregator/announcement_json.h"
#include "aggregator/discovery.h"
#include "base/parse.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(announcement_freep) struct announcement *a = NULL;
        _cleanup_(freep) char *copy = malloc(size ? size : 1);
        struct err e = {0};
        int family, k;

        MUST(copy);
        if (size)
                memcpy(copy, data, size);
        k = announcement_from_json(&a, copy, size, &e);
        if (k < 0) {
                MUST(k == -EBADMSG && !a && e.code == k && e.text[0]);
                return 0;
        }
        {
                const struct found f = {.address = a->address,
                                        .role = a->role,
                                        .port = a->port,
                                        .node_id = a->node_id,
                                        .hostname = a->hostname};

                MUST(found_check(&f, &e) == 0);
        }
        MUST(parse_ip(a->address, &family) == 0 && a->port && a->role != DIAG_ROLE_UNKNOWN);
        MUST(strlen(a->node_id) == 32 && a->boot_id && a->hostname && a->version);
        return 0;
}
