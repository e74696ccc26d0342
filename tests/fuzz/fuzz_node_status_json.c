/* Any bytes as a node's word about its collection: what is accepted is written and read again the same. */

#include <errno.h>
#include <string.h>

#include "base/json_write.h"
#include "bundles/node_status.h"
#include "bundles/plan_name.h"
#include "tests/fuzz/fuzz.h"

static void must_be_harmless(const char *s)
{
        size_t n = s ? strlen(s) : 0, k;

        for (size_t i = 0; i < n; i += k)
                MUST((k = utf8_harmless(s + i, n - i)) > 0);
}

static void must_be_sane(const struct node_status *s)
{
        MUST(!strchr(s->prefix, '/') && (!*s->prefix || plan_name_is_clean(s->prefix)));
        must_be_harmless(s->hostname);
        must_be_harmless(s->version);
        must_be_harmless(s->partial_reason);
        MUST(s->n_entries <= NODE_STATUS_ENTRIES_MAX);
        MUST(node_status_n_failed(s, true) <= node_status_n_failed(s, false));
        for (size_t i = 0; i < s->n_entries; i++) {
                MUST(plan_name_is_clean(s->entries[i].path));
                MUST(!*s->entries[i].sha256 || strlen(s->entries[i].sha256) == DIGEST_HEX - 1);
                must_be_harmless(s->entries[i].source);
                must_be_harmless(s->entries[i].error);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct node_status s = {0}, again = {0};
        struct buf first = {0}, second = {0};
        struct err e = {0};
        int k = node_status_read(&s, (const char *)data, size, &e);

        MUST(k == 0 || k == -EINVAL || k == -E2BIG);
        if (k < 0) {
                MUST(e.code == k && e.text[0] && !s.prefix && !s.entries);
                return 0;
        }
        must_be_sane(&s);
        node_status_write(&first, &s);
        MUST(!first.error);
        if (first.n <= NODE_STATUS_BYTES_MAX) {
                MUST(node_status_read(&again, first.data, first.n, NULL) == 0);
                node_status_write(&second, &again);
                MUST(first.n == second.n && memcmp(first.data, second.data, first.n) == 0);
        }
        node_status_done(&s);
        node_status_done(&again);
        buf_done(&first);
        buf_done(&second);
        return 0;
}
