/* Any state.json, any answer of another master: what is accepted can be written, and read again the same. */

#include <string.h>

#include "base/json_write.h"
#include "bundles/bundle.h"
#include "tests/fuzz/fuzz.h"

static void must_be_harmless(const char *s)
{
        size_t n = strlen(s), k;

        for (size_t i = 0; i < n; i += k)
                MUST((k = utf8_harmless(s + i, n - i)) > 0);
}

static void must_be_sane(const struct bundle *b)
{
        MUST(bundle_id_is_valid(b->id));
        MUST(b->n_nodes <= BUNDLE_NODES_MAX && b->request.n_nodes <= BUNDLE_WORDS_MAX);
        MUST(!strchr(b->file, '/') && (!*b->file || strncmp(b->file, "file.", 5) == 0));
        MUST(bundle_fraction(b) >= 0 && bundle_fraction(b) <= 1);
        must_be_harmless(str_or(b->error, ""));
        must_be_harmless(str_or(b->by, ""));
        must_be_harmless(str_or(b->observer, ""));
        for (size_t i = 0; i < b->n_nodes; i++) {
                must_be_harmless(str_or(b->nodes[i].error, ""));
                must_be_harmless(str_or(b->nodes[i].address, ""));
                must_be_harmless(str_or(b->nodes[i].node_id, ""));
        }
}

/* Written, read and written: twice the same. */
static void must_be_read_again(const struct bundle *b)
{
        _cleanup_(bundle_freep) struct bundle *again = NULL, *copy = bundle_copy(b);
        _cleanup_(buf_done) struct buf first = {0}, second = {0};

        MUST(copy);
        bundle_write(&first, copy, true);
        MUST(!first.error && first.n <= BUNDLE_JSON_MAX);
        MUST(bundle_read(&again, first.data, first.n, NULL) == 0);
        bundle_write(&second, again, true);
        MUST(first.n == second.n && memcmp(first.data, second.data, first.n) == 0);
        bundle_write_v1(&second, again);
        MUST(!second.error);
}

static void read_as_list(const char *text, size_t size)
{
        struct bundle **list;
        size_t n;

        if (bundle_read_list(&list, &n, text, size, NULL) < 0)
                return;
        MUST(n <= BUNDLE_LIST_MAX);
        for (size_t i = 0; i < n; i++) {
                must_be_sane(list[i]);
                bundle_free(list[i]);
        }
        free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(bundle_freep) struct bundle *b = NULL;
        struct err e = {0};

        read_as_list((const char *)data, size);
        if (bundle_read(&b, (const char *)data, size, &e) < 0) {
                MUST(e.code < 0 && e.text[0]);
                return 0;
        }
        must_be_sane(b);
        must_be_read_again(b);
        return 0;
}
