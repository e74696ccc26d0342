/* Any body of POST /bundles: what is accepted keeps to its limits, and says the same when it is written anew. */

#include <string.h>

#include "bundles/bundle.h"
#include "tests/fuzz/fuzz.h"

static void must_be_read_again(const struct bundle_request *q)
{
        _cleanup_(buf_done) struct buf first = {0}, second = {0};
        struct bundle_request again;
        char id[BUNDLE_ID_MAX];

        bundle_request_write(&first, q);
        MUST(!first.error);
        MUST(bundle_request_read(&again, id, first.data, first.n, NULL) == 0);
        MUST(!*id);
        bundle_request_write(&second, &again);
        MUST(first.n == second.n && memcmp(first.data, second.data, first.n) == 0);
        bundle_request_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bundle_request q;
        char id[BUNDLE_ID_MAX];
        struct err e = {0};

        if (bundle_request_read(&q, id, (const char *)data, size, &e) < 0) {
                MUST(e.code < 0 && e.text[0]);
                return 0;
        }
        MUST(!*id || bundle_id_is_valid(id));
        MUST(q.n_nodes <= BUNDLE_WORDS_MAX && !(q.kinds & ~SOURCE_KINDS_ALL));
        for (size_t i = 0; i < q.n_nodes; i++)
                MUST(q.nodes[i][0] && strlen(q.nodes[i]) <= BUNDLE_WORD_MAX);
        must_be_read_again(&q);
        bundle_request_done(&q);
        return 0;
}
