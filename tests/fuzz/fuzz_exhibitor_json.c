/* Any bytes as Exhibitor's list of members: whoever is found is a master that may be asked. */

#include <errno.h>

#include "aggregator/exhibitor_json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(arena_done) struct arena arena = {0};
        struct exhibitor_list l = {0};
        struct err e = {0};
        int k = exhibitor_from_json(&l, &arena, (const char *)data, size, &e);

        MUST(k == 0 || k == -EBADMSG || k == -ENODATA || k == -E2BIG);
        MUST((k < 0) == (*e.text != '\0'));
        MUST((l.n > 0) == (k == 0) && l.n <= DIAG_MASTERS_MAX);
        MUST(k < 0 || (l.n_skipped > 0) == (*l.skipped.text != '\0'));
        for (size_t i = 0; i < l.n; i++) {
                MUST(found_check(&l.nodes[i], NULL) == 0);
                MUST(l.nodes[i].role == DIAG_ROLE_MASTER);
        }
        return 0;
}
