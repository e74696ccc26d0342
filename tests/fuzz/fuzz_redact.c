/* Any bytes: redaction keeps the lines, has a bound, and finds nothing to do in its own work. */

#include "base/redact.h"
#include "tests/fuzz/fuzz.h"

static size_t n_newlines(const char *s, size_t n)
{
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
                count += s[i] == '\n';
        return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(buf_done) struct buf once = {0}, twice = {0};
        const char *text = (const char *)data;
        size_t n_masked;

        n_masked = redact_append(&once, text, size);
        MUST(!once.error);
        MUST(once.n <= size * sizeof(REDACT_MASK));
        MUST(n_newlines(buf_cstr(&once), once.n) == n_newlines(text, size));
        MUST(n_masked > 0 || (once.n == size && (!size || memcmp(once.data, text, size) == 0)));
        MUST(redact_append(&twice, buf_cstr(&once), once.n) == 0);
        MUST(twice.n == once.n && (!once.n || memcmp(once.data, twice.data, once.n) == 0));
        return 0;
}
