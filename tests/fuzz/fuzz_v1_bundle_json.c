/* Any body of the old bundle APIs: what is accepted keeps to its limits. */

#include <string.h>

#include "api/v1_bundle_json.h"
#include "bundles/bundle.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(string_list_done) struct string_list words = {0};
        bool masters, agents;
        struct err e = {0};

        if (v1_bundle_body_read(&masters, &agents, (const char *)data, size, &e) < 0)
                MUST(e.code < 0 && e.text[0]);
        e = (struct err){0};
        if (v1_legacy_body_read(&words, (const char *)data, size, &e) < 0)
                MUST(e.code < 0 && e.text[0]);
        MUST(words.n <= BUNDLE_WORDS_MAX);
        for (size_t i = 0; i < words.n; i++)
                MUST(*words.items[i] && strlen(words.items[i]) <= BUNDLE_WORD_MAX);
        return 0;
}
